"""The conditions of the guide's rows, as far as they can be read: `IF OBX-2 EQUALS "SN" AND OBX-5.3 IN (":", "/")`.

They decide which examples may prove a row.  The guide writes them by hand and in many ways; what cannot be read decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

Value = Callable[[str], str]
"""What stands at a field or component of the example (`OBX-5.3`), '' where nothing does."""
Test = Callable[[Value], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<field>[A-Z][A-Z0-9]{2}-\d+(?:\.\d+)?)|(?P<text>"[^"]*"|'[^']*')|(?P<word>[A-Za-z.]+)|(?P<sign>[(),=<>])|(?P<number>\d+))"""
)
_SKIPPED = ("IF", "IS", "ARE", "AREA")


@lru_cache(1000)
def read(condition: str) -> Test | None:
    """The condition as a test; None where it cannot be read, or there is none."""
    tokens = _tokens(condition)
    if not tokens:
        return None
    try:
        test, rest = _either(tokens)
    except (IndexError, ValueError):
        return None
    return None if rest else test


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    place = 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            return []
        token = match[0].strip()
        if match["word"]:
            token = token.upper()
        if token not in _SKIPPED:
            found.append(token)
        place = match.end()
    return found


def _either(tokens: list[str]) -> tuple[Test, list[str]]:
    left, tokens = _both(tokens)
    while tokens and tokens[0] == "OR":
        right, tokens = _both(tokens[1:])
        left = _or(left, right)
    return left, tokens


def _both(tokens: list[str]) -> tuple[Test, list[str]]:
    left, tokens = _one(tokens)
    while tokens and tokens[0] == "AND":
        right, tokens = _one(tokens[1:])
        left = _and(left, right)
    return left, tokens


def _one(tokens: list[str]) -> tuple[Test, list[str]]:
    if tokens[0] == "(":
        inner, rest = _either(tokens[1:])
        if rest[0] != ")":
            raise ValueError(rest[0])
        return inner, rest[1:]
    if "-" not in tokens[0]:
        raise ValueError(tokens[0])
    if tokens[1] in ("AND", "OR") and "-" in tokens[2]:  # `TQ1-7 AND TQ1-8 NOT VALUED`: what is said of the second is said of both
        second, rest = _one(tokens[2:])
        first, _ = _one([tokens[0], *tokens[3:]])
        return (_and if tokens[1] == "AND" else _or)(first, second), rest
    said, rest = _said(tokens[1:])
    field = tokens[0]
    return lambda value: said(value(field)), rest


def _said(tokens: list[str]) -> tuple[Callable[[str], bool], list[str]]:
    """What is said of a field's value."""
    if tokens[0] == "NOT":
        inner, rest = _said(tokens[1:])
        return lambda value: not inner(value), rest
    word = tokens[0]
    if word in ("VALUED", "EXIST"):
        return bool, tokens[1:]
    if word == "EMPTY":
        return lambda value: not value, tokens[1:]
    if word in ("EQUALS", "=") or word[0] in "\"'":
        wanted = tokens[0 if word[0] in "\"'" else 1].strip("\"'")
        return lambda value: _first(value) == wanted, tokens[1 if word[0] in "\"'" else 2 :]
    if word == "IN":
        return _among(tokens[1:])
    if word == "COUNT" and tokens[1] in "=>":
        sign, number = tokens[1], int(tokens[2])
        return lambda value: value.count("~") + 1 > number if sign == ">" else value.count("~") + 1 == number, tokens[3:]
    if tokens[:3] == ["LENGTH", "GREATER", "THAN"]:
        number = int(tokens[3])
        return lambda value: len(value) > number, tokens[4:]
    raise ValueError(word)


def _among(tokens: list[str]) -> tuple[Callable[[str], bool], list[str]]:
    end = tokens.index(")")
    wanted = {each.strip("\"'") for each in tokens[1:end] if each != ","}
    return lambda value: _first(value) in wanted, tokens[end + 1 :]


def _first(value: str) -> str:
    return value.split("~")[0].split("^")[0]


def _and(left: Test, right: Test) -> Test:
    return lambda value: left(value) and right(value)


def _or(left: Test, right: Test) -> Test:
    return lambda value: left(value) or right(value)

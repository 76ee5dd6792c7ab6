"""Text and codes as they stand: ST, TX, FT, ID, IS, SI, Y/N indicators (table 0136)."""

from __future__ import annotations

import re

from transforms.mapping.functions.composites import components, reading
from transforms.mapping.functions.registry import function, predicate
from transforms.mapping.reading import Reading

_BLANKS = re.compile(r"\s+")
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


@function("text", gives="string")
def text(text: str, r: Reading) -> str | None:
    """Text as a reader sees it: the whole field, escape sequences resolved; None for blanks alone."""
    if r.escape in text:
        text = r.text(text)
    return text.strip() or None


@function("line", gives="string")
def line(text: str, r: Reading) -> str | None:
    """One line of a longer text: blanks before it are its layout and stay."""
    if r.escape in text:
        text = r.text(text)
    return text.rstrip() or None


@function("markdown", gives="markdown")
def markdown(text: str, r: Reading) -> str | None:
    """A line for an element that allows markdown; nothing in it is read as such."""
    return line(text, r)


@function("joined_text", gives="string", memo=True)
def joined_text(text: str, r: Reading, separator: str = " ") -> str | None:
    """A composite as one line: its parts in order, empty ones left out."""
    parts = [reading(part, r) for component in components(text, r, 0) for part in component.split(r.subcomponent)]
    return separator.join(part for part in parts if part and part != '""') or None


@function("code", gives="code", memo=True)
def code(text: str, r: Reading) -> str | None:
    """The first code of a field as a FHIR code: no blanks around it, single ones inside."""
    parts = components(text, r, 4)
    return _BLANKS.sub(" ", reading(parts[0] or parts[3], r)) or None


@function("display", gives="string", memo=True)
def display(text: str, r: Reading) -> str | None:
    """What a coded field says to a reader: its original text, else its text, else its code."""
    parts = components(text, r, 9)
    return reading(parts[8] or parts[1] or parts[4] or parts[0] or parts[3], r) or None


@function("integer", gives="integer", memo=True)
def integer(text: str, r: Reading) -> int | None:
    """A whole number (NM, SI); anything else is nothing."""
    return int(text) if _WHOLE.fullmatch(text.strip()) else None


@function("positive_integer", gives="positiveInt", memo=True)
def positive_integer(text: str, r: Reading) -> int | None:
    """A whole number above zero; anything else is nothing."""
    number = integer(text, r)
    return number if number is not None and number > 0 else None


@function("boolean", gives="boolean", memo=True)
def boolean(text: str, r: Reading) -> bool | None:
    """Y or N of table 0136 (also CWE); anything else is nothing."""
    return {"Y": True, "N": False}.get(reading(components(text, r, 1)[0], r).upper())


@predicate("said")
def said(text: str, r: Reading) -> bool:
    """Whether a field says more than blanks."""
    return bool(r.text(text).strip())

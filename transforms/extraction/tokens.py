"""The grammar of what stands right of a test's name: numbers, ranges, units, flags, words; and how a line is cut into them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from transforms.extraction.page import Box, Cell, Word, box_of
from transforms.extraction.vocabulary import FLAGS, WORDS, flag_of, folded, is_unit

NUMBER = r"[+-]?(?:\d{1,3}(?:[.,'\u2019]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?|[.,]\d+)"
SIGN = r"(?:<=|>=|=<|=>|[<>\u2264\u2265])"
UP_TO = (
    r"(?:up to|less than|below|bis(?: zu)?|unter|hasta|menor(?: de| que)?|inferior a|jusqu'?\u2019?[a\u00e0]|inf\.? [a\u00e0]"
    r"|at[e\u00e9]|fino a|inferiore a|minore di|tot)"
)
FROM = (
    r"(?:more than|greater than|above|over|ab|\u00fcber|mayor(?: de| que)?|superior a|sup\.? [a\u00e0]"
    r"|maior que|superiore a|maggiore di)"
)
BETWEEN = r"(?:-|\u2013|\u2014|~|\u00f7|\.\.\.?|a|\u00e0|bis|to|tot|hasta|at[e\u00e9])"
LABEL = (
    r"(?:(?:ref(?:erence|erenz|erencia|erenzbereich|erenzwerte)?\.?(?: range| interval)?|range|normal(?: range)?|norm|normbereich"
    r"|vr|v\.r\.|n|rango|valores? de referencia|r\u00e9f\.?|valeurs? de r\u00e9f\u00e9rence|rif\.?|valori di riferimento)\s*:?\s*)"
)
_OPEN, _CLOSE = r"[(\[]?\s*", r"\s*[)\]]?"

_RANGE = re.compile(rf"{_OPEN}{LABEL}?{_OPEN}({NUMBER})\s*{BETWEEN}\s*({NUMBER})(?:\s*([^\d\s()\[\]]\S{{0,14}}))?{_CLOSE}", re.IGNORECASE)
_BOUND = re.compile(rf"{_OPEN}(?:{LABEL})?(?:({UP_TO})|({FROM}))\s*:?\s*({NUMBER})(?:\s*([^\d\s()\[\]]\S{{0,14}}))?{_CLOSE}", re.IGNORECASE)
_ENCLOSED = re.compile(rf"(?:[(\[]\s*{LABEL}?|{LABEL})({SIGN})\s*({NUMBER})(?:\s*([^\d\s()\[\]]\S{{0,14}}))?{_CLOSE}", re.IGNORECASE)
_QUANTITY = re.compile(rf"({SIGN})?\s*({NUMBER})")
_TITRE = re.compile(rf"({SIGN})?\s*(1\s?[:/]\s?\d+(?:[.,]\d{{3}})*)")
_PLUSES = re.compile(r"\(?\+{1,4}\)?|[1-4]\s?\+")
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}:\d{2}(?::\d{2})?")
_GLUED = re.compile(rf"^((?:{SIGN})?{NUMBER})([^\d.,:/'\u2019+-].*|[*!+\u2191\u2193-])$")
_GLUED_RANGE = re.compile(rf"^(.*[a-zA-Z%\u00b5\d\u00b2\u00b3])({SIGN}(?:{NUMBER})?|\({NUMBER}.*)$")
_SIGNS = {"\u2264": "<=", "\u2265": ">=", "=<": "<=", "=>": ">="}
LONGEST_RANGE = 8  # words


class Kind(Enum):
    """What a piece of a line may be."""

    QUANTITY = "a number, perhaps with a comparator"
    TITRE = "1:80"
    WORD = "negative, trace, ++"
    RANGE = "a reference range"
    UNIT = "a unit"
    FLAG = "a flag"
    DATE = "a date or time"
    TEXT = "anything else"


@dataclass(frozen=True)
class Token:
    """Words that together are one thing."""

    kind: Kind
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def box(self) -> Box:
        return box_of(word.box for word in self.words)


def tokens(words: Sequence[Word]) -> list[Token]:
    """The tokens of words beside each other, each as long as it can be."""
    parted = [part for word in words for part in _parted(word)]
    found: list[Token] = []
    at = 0
    while at < len(parted):
        kind, length = _longest(parted, at)
        if kind is Kind.TEXT and found and found[-1].kind is Kind.TEXT and _close(found[-1].words[-1], parted[at]):
            found[-1] = Token(Kind.TEXT, (*found[-1].words, parted[at]))
        else:
            found.append(Token(kind, tuple(parted[at : at + length])))
        at += length
    return list(_joined_units(found))


def starts(cell: Cell) -> Kind:
    """What the first words of a cell are."""
    parted = [part for word in cell.words for part in _parted(word)]
    return _longest(parted, 0)[0]


def range_of(text: str) -> tuple[str, str, str] | None:
    """(low, high, unit) of a range, as printed; None where it is a word."""
    if found := _RANGE.fullmatch(text):
        return found[1], found[2], found[3] or ""
    if found := _BOUND.fullmatch(text):
        return ("", found[3], found[4] or "") if found[1] else (found[3], "", found[4] or "")
    if found := _ENCLOSED.fullmatch(text) or re.fullmatch(rf"({SIGN})\s*({NUMBER})()", text):
        return (("", found[2], found[3] or "") if found[1][0] in "<=\u2264" and ">" not in found[1] else (found[2], "", found[3] or ""))
    return None


def quantity_of(text: str) -> tuple[str, str] | None:
    """(comparator, number) as printed."""
    found = _QUANTITY.fullmatch(text)
    return (_SIGNS.get(found[1] or "", found[1] or ""), found[2]) if found else None


def _parted(word: Word) -> Iterator[Word]:
    """A word, or the number and what is glued to it: 5.4mg/dL, 12.3*, 1.73m2>60."""
    text = word.text
    if is_unit(text) or _RANGE.fullmatch(text) or _DATE.fullmatch(text) or _TITRE.fullmatch(text):
        yield word
        return
    if (found := _GLUED_RANGE.match(text)) and is_unit(found[1]):
        yield from word.cut(len(found[1]))
        return
    found = _GLUED.match(text)
    if found and (is_unit(found[2]) or flag_of(found[2]) or found[2].startswith(("(", "["))):
        yield from word.cut(len(found[1]))
        return
    yield word


def _longest(words: Sequence[Word], at: int) -> tuple[Kind, int]:
    for length in range(min(LONGEST_RANGE, len(words) - at), 0, -1):
        text = " ".join(word.text for word in words[at : at + length])
        kind = _kind(text, length)
        if kind:
            return kind, length
    return Kind.TEXT, 1


def _kind(text: str, length: int) -> Kind | None:
    if found := _RANGE.fullmatch(text):
        return Kind.RANGE if not found[3] or is_unit(found[3]) else None
    if (found := _BOUND.fullmatch(text)) or (found := _ENCLOSED.fullmatch(text)):
        unit = found[found.lastindex or 0] if (found.lastindex or 0) >= 3 else ""
        return Kind.RANGE if not unit or unit[:1] in "0123456789.,+-" or is_unit(unit) else None
    if length <= 3 and _TITRE.fullmatch(text):
        return Kind.TITRE
    if length <= 2 and _DATE.fullmatch(text):
        return Kind.DATE
    if length <= 2 and _QUANTITY.fullmatch(text) and (length == 1 or text[0] in "<>\u2264\u2265="):
        return Kind.QUANTITY
    if length == 1 and _PLUSES.fullmatch(text):
        return Kind.FLAG if text in ("+", "(+)") else Kind.WORD
    if length <= 3 and folded(text.strip("()[]")) in WORDS and len(text) > 2 and all(map(folded, text.split())):
        return Kind.WORD
    if length <= 3 and is_unit(text):
        return Kind.UNIT
    if (length == 1 and flag_of(text) or length == 2 and text in FLAGS) and text not in (">", "<"):
        return Kind.FLAG
    return None


def _close(one: Word, other: Word) -> bool:
    return other.box.left - one.box.right < 0.6 * max(one.box.height, 4.0)


def _joined_units(found: list[Token]) -> Iterator[Token]:
    """A unit goes on with text right behind it, where that ends it: mg/g Krea."""
    held: Token | None = None
    for token in found:
        goes_on = held and held.kind is Kind.UNIT and token.kind is Kind.TEXT and len(token.words) == 1 and token.text[0].isalpha()
        if goes_on and held and _close(held.words[-1], token.words[0]) and len(token.text) < 9:
            held = Token(Kind.UNIT, (*held.words, *token.words))
            continue
        if held:
            yield held
        held = token
    if held:
        yield held

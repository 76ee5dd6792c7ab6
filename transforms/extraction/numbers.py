"""Numbers as laboratories print them: which mark divides the decimals of a document, and what a number is then."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

_CERTAIN = re.compile(r"(?<![\d.,])(?:\d+([.,])\d{1,2}|0([.,])\d+|\d+([.,])\d{4,})(?![\d.,])")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[.,'\u2019]\d{3})+")
COMMA_LANGUAGES = frozenset(("es", "de", "fr", "pt", "it", "nl"))


def decimal_mark(texts: Iterable[str], language: str) -> str:
    """',' or '.': what most numbers of the document use, else what its language does."""
    marks = [next(filter(None, found.groups())) for text in texts for found in _CERTAIN.finditer(text)]
    commas = marks.count(",")
    if commas * 2 != len(marks):
        return "," if commas * 2 > len(marks) else "."
    return "," if language in COMMA_LANGUAGES else "."


def number(printed: str, mark: str, *, count: bool = False) -> Decimal | None:
    """The number that `printed` is where `mark` divides decimals.

    `count`: the row says that it counts things (cells per microlitre), so that 7.100 is seven thousand whatever `mark` is.
    """
    text = printed.replace("'", "").replace("\u2019", "")
    other = "," if mark == "." else "."
    if count and _GROUPED.fullmatch(printed):
        text = text.replace(".", "").replace(",", "")
    elif other in text and mark in text:
        last, first = (mark, other) if text.rfind(mark) > text.rfind(other) else (other, mark)
        text = text.replace(first, "").replace(last, ".")
    elif other in text:
        text = text.replace(other, "") if _GROUPED.fullmatch(text) and not text.lstrip("+-").startswith("0") else text.replace(other, ".")
    else:
        text = text.replace(mark, "." if text.count(mark) == 1 else "")
    try:
        return Decimal(text)
    except ArithmeticError:
        return None


def grouped(*printed: str) -> bool:
    """Whether every number given could be written with a mark of thousands."""
    return all(_GROUPED.fullmatch(each) for each in printed if each) and any(printed)

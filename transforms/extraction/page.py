"""A page as words with boxes, lines of words, and cells that gaps divide: geometry, no meaning.

Coordinates are points from the top left corner of the page as it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median, pstdev

LEADER = re.compile(r"^(.*?)(?:\.{3,}|…+|_{3,}|·{3,}|-{4,})(.*)$")
OVERLAP = 0.5
"""Two words are on one line when half of the lower one's height is beside the other."""
GAP, GAP_TYPEWRITTEN = 1.1, 1.4
"""A cell ends where the gap is wider than this many of its characters."""


@dataclass(frozen=True, slots=True)
class Box:
    """Left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def around(self, other: Box) -> Box:
        """The smallest box that holds both."""
        return Box(min(self.left, other.left), min(self.top, other.top), max(self.right, other.right), max(self.bottom, other.bottom))

    def rounded(self) -> tuple[float, float, float, float]:
        return round(self.left, 1), round(self.top, 1), round(self.right, 1), round(self.bottom, 1)


def box_of(boxes: Iterable[Box]) -> Box:
    """The smallest box around all of `boxes`, of which there is one at least."""
    first, *others = boxes
    for each in others:
        first = first.around(each)
    return first


@dataclass(frozen=True, slots=True)
class Word:
    """Characters without a blank between them."""

    text: str
    box: Box
    bold: bool = False

    def cut(self, at: int) -> tuple[Word, Word]:
        """Two words, the box divided in proportion."""
        x = self.box.left + (self.box.right - self.box.left) * at / len(self.text)
        left, right = replace(self.box, right=x), replace(self.box, left=x)
        return replace(self, text=self.text[:at], box=left), replace(self, text=self.text[at:], box=right)


@dataclass(frozen=True)
class Cell:
    """Words of one line that no gap divides."""

    words: tuple[Word, ...]

    @cached_property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @cached_property
    def box(self) -> Box:
        return box_of(word.box for word in self.words)


@dataclass(frozen=True)
class Line:
    """Cells beside each other."""

    cells: tuple[Cell, ...]
    page: int

    @cached_property
    def text(self) -> str:
        return "  ".join(cell.text for cell in self.cells)

    @cached_property
    def box(self) -> Box:
        return box_of(cell.box for cell in self.cells)

    @property
    def words(self) -> list[Word]:
        return [word for cell in self.cells for word in cell.words]


@dataclass(frozen=True)
class Page:
    """A page's number (from 1), size, and words in any order."""

    number: int
    width: float
    height: float
    words: tuple[Word, ...]


def lines(page: Page, words: Sequence[Word] | None = None) -> list[Line]:
    """The lines of a page, or of some of its words, from the top."""
    words = page.words if words is None else words
    widths = [(word.box.right - word.box.left) / len(word.text) for word in words if len(word.text) > 2]
    character = median(widths) if widths else 5.0
    typewritten = len(widths) > 8 and pstdev(widths) < 0.03 * character
    gap = (GAP_TYPEWRITTEN if typewritten else GAP) * character
    return [Line(tuple(_cells(row, gap)), page.number) for row in _rows(words)]


def _rows(words: Sequence[Word]) -> list[list[Word]]:
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda each: ((each.box.top + each.box.bottom) / 2, each.box.left)):
        for row in reversed(rows[-4:]):
            if _beside(word.box, row[0].box):
                row.append(word)
                break
        else:
            rows.append([word])
    return [sorted(row, key=lambda each: each.box.left) for row in rows]


def _beside(one: Box, other: Box) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared > OVERLAP * min(one.height, other.height)


def _cells(row: list[Word], gap: float) -> Iterable[Cell]:
    """Divide a line at gaps and at dot leaders."""
    held: list[Word] = []
    for word in row:
        if held and word.box.left - held[-1].box.right > gap:
            yield Cell(tuple(held))
            held = []
        led = LEADER.match(word.text)
        if not led:
            held.append(word)
            continue
        if led[1]:
            held.append(word.cut(len(led[1]))[0])
        if held:
            yield Cell(tuple(held))
            held = []
        if led[2]:
            held.append(word.cut(led.start(2))[1])
    if held:
        yield Cell(tuple(held))

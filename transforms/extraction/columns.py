"""Pages whose results stand in two columns: where the page is cut, and lines that repeat on every page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from transforms.extraction.page import Line, Page, Word, lines
from transforms.extraction.rows import row_of

FEWEST = 3
"""Rows that both sides must have by themselves."""


def blocks(page: Page) -> list[list[Line]]:
    """The lines of a page, column after column."""
    whole = lines(page)
    cut = _gutter(page)
    if cut is None:
        return [whole]
    left = [word for word in page.words if (word.box.left + word.box.right) / 2 < cut]
    right = [word for word in page.words if (word.box.left + word.box.right) / 2 >= cut]
    return [lines(page, left), lines(page, right)]


def _gutter(page: Page) -> float | None:
    """An upright strip that hardly a word crosses, with rows of its own on both sides."""
    for x in _candidates(page):
        left = [word for word in page.words if word.box.right <= x]
        right = [word for word in page.words if word.box.left >= x]
        if _rowed(page, left) and _rowed(page, right):
            return x
    return None


def _candidates(page: Page) -> list[float]:
    allowed = max(2, len(page.words) // 50)
    steps = range(int(page.width * 0.35), int(page.width * 0.65), 3)
    free = [x for x in steps if sum(word.box.left < x < word.box.right for word in page.words) <= allowed]
    return sorted(free, key=lambda x: abs(x - page.width / 2))[:12]


def _rowed(page: Page, words: Sequence[Word]) -> bool:
    """Whether rows of results can be read from these words alone, and few lines lack a name."""
    found = [line for line in lines(page, words) if len(line.cells) > 1]
    good = sum(row_of(line, None, "") is not None for line in found)
    return good >= FEWEST and good * 2 >= len(found)


def running(pages: Sequence[Page]) -> set[tuple[int, str]]:
    """(height on the page, text without digits) of the lines that stand at the same place on several pages."""
    seen: dict[tuple[int, str], int] = {}
    for page in pages:
        for key in {place(line) for line in lines(page) if line.box.top < page.height * 0.2 or line.box.top > page.height * 0.9}:
            seen[key] = seen.get(key, 0) + 1
    return {key for key, times in seen.items() if times > 1}


def place(line: Line) -> tuple[int, str]:
    return round(line.box.top), re.sub(r"\d+", "#", line.text)

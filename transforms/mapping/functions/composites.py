"""Composite datatypes taken apart: components and subcomponents as a reader sees them.

What every function here needs and none registers.  The NULL `""` inside a composite says "delete", which a value made
anew cannot say: it counts as absent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from transforms.mapping.reading import Reading

T = TypeVar("T")

NULL = '""'
_PAD = [""] * 32


def components(text: str, r: Reading, count: int) -> list[str]:
    """The components of a repetition, still escaped, filled up to `count` with ''."""
    parts = text.split(r.component)
    if NULL in parts:
        parts = ["" if part == NULL else part for part in parts]
    return parts if len(parts) >= count else parts + _PAD[len(parts) : count]


def read_components(text: str, r: Reading, count: int) -> list[str]:
    """The components of a repetition as a reader sees them, for types whose components have no parts of their own."""
    parts = components(text, r, count)
    if r.escape in text:
        return [r.text(part).strip() for part in parts]
    return [part.strip() for part in parts]


def subcomponents(raw: str, r: Reading, count: int) -> list[str]:
    """The subcomponents of a component as a reader sees them, filled up to `count` with ''."""
    parts = raw.split(r.subcomponent)
    if NULL in parts or r.escape in raw:
        parts = ["" if part == NULL else r.text(part) for part in parts]
    parts = [part.strip() for part in parts]
    return parts if len(parts) >= count else parts + _PAD[len(parts) : count]


def reading(raw: str, r: Reading) -> str:
    """One component as a reader sees it, without blanks around it."""
    return r.text(raw).strip() if r.escape in raw else raw.strip()


def left(parts: list[str], r: Reading, *numbers: int) -> None:
    """Tell the ledger of components (counted from 1; 0 for none) that have no place in what is made of the others."""
    for number in numbers:
        if 0 < number <= len(parts) and parts[number - 1]:
            r.left(number)


def left_beyond(parts: list[str], r: Reading, count: int) -> None:
    """Tell the ledger of components after the last one a datatype has."""
    for number in range(count + 1, len(parts) + 1):
        if parts[number - 1]:
            r.left(number)


def left_within(parts: list[str], r: Reading, component: int, *numbers: int) -> None:
    """The same of a component's subcomponents."""
    for number in numbers:
        if 0 < number <= len(parts) and parts[number - 1]:
            r.left(component, number)


def apart(place: int | str, convert: Callable[[], T], r: Reading) -> T:
    """Convert what stands elsewhere than the text being read: in one of its components (a number), or in a field a `with:` value names.

    What is left of that is told to the ledger as left there.
    """
    with r.reading_at(place):
        return convert()

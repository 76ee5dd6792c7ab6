"""The leaves of a FHIR value, and how those of two values differ: what a test proves of a field is what changes without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

Steps = tuple[tuple[str, int], ...]
"""Names of elements, each with its place in its list (from 1; 0 where any is meant).  Extensions are called by their url: `extension=URL`."""

SELF: Steps = (("$value", 0),)
"""Of a value that has no elements: itself."""

Leaf = tuple[Steps, str]


def leaves(value: Any, path: Steps = ()) -> Iterator[Leaf]:
    """Every leaf: its path, and its value as text."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _of_element(key, each, path)
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value, 1):
            yield from leaves(each, (*path[:-1], (path[-1][0], index)) if path else path)
    elif value is not None:
        yield path or SELF, "true" if value is True else "false" if value is False else str(value)


def _of_element(key: str, value: Any, path: Steps) -> Iterator[Leaf]:
    name = key.removeprefix("_")
    if name in ("extension", "modifierExtension") and isinstance(value, list):
        for index, each in enumerate(value, 1):
            url = each.get("url", "") if isinstance(each, dict) else ""
            yield from leaves(each, (*path, (f"extension={url}", index)))
    else:
        yield from leaves(value, (*path, (name, 0)))


def changed(before: Any, after: Any) -> frozenset[Leaf]:
    """Leaves that stand in `before` and no longer in `after`, wherever in their lists they stand."""
    left = Counter((_unnumbered(path), value) for path, value in leaves(after))
    found = []
    for path, value in leaves(before):
        key = (_unnumbered(path), value)
        if left[key]:
            left[key] -= 1
        else:
            found.append((path, value))
    return frozenset(found)


def displaced(before: Any, after: Any) -> frozenset[Leaf]:
    """Leaves of `before` that are not at their place in `after`, or not the same."""
    return frozenset(leaves(before)) - frozenset(leaves(after))


def below(path: Steps, wanted: Steps) -> bool:
    """Whether a leaf stands at or below a wanted path: the same names (choices also without their type), positions where both have one."""
    if wanted == SELF:
        return True
    if len(path) < len(wanted):
        return False
    return all(_same(name, other) and (not place or not index or place == index) for (name, index), (other, place) in zip(path, wanted))


def _same(name: str, wanted: str) -> bool:
    if name == wanted or wanted == "extension" and name.startswith("extension="):
        return True
    return name.startswith(wanted) and name[len(wanted) : len(wanted) + 1].isupper()


def _unnumbered(path: Steps) -> tuple[str, ...]:
    return tuple(name for name, _ in path)

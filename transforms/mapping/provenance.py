"""Explain: which rule wrote an element of the Bundle, where that rule stands, and which fields it read.

The explaining code is the same code compiled with a line more for each store; the plain path pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

from transforms.mapping.conversion import Conversion, Line

Explanation = TypedDict("Explanation", {"pointer": str, "rule": str, "file": str, "line": int, "column": int, "from": list[str]})


def explained(bundle: dict[str, Any], conversion: Conversion) -> list[Explanation]:
    """Of each leaf of a Bundle: JSON pointer, rule, its file, line and column, and the fields it came from."""
    written = _written(conversion)
    found: list[Explanation] = []
    _walk(bundle, "", None, written, conversion, found)
    return found


_Write = tuple[Line, tuple[tuple[int, int], ...]]


def _written(conversion: Conversion) -> dict[int, dict[Any, _Write]]:
    """What was traced: for each element (by identity) and its key (name, or name and index) the last write."""
    written: dict[int, dict[Any, _Write]] = {}
    for holder, name, start, line, places in conversion.trace:
        own = written.setdefault(id(holder), {})
        own[name if start is None else (name, start)] = (line, places)
    return written


def _walk(
    value: Any, pointer: str, around: _Write | None, written: dict[int, dict[Any, _Write]], conversion: Conversion, found: list[Explanation]
) -> None:
    if isinstance(value, dict):
        own = written.get(id(value), {})
        for key, each in value.items():
            escaped = key.replace("~", "~0").replace("/", "~1")
            if isinstance(each, list):
                writes = _by_index(own, key, len(each))
                for index, item in enumerate(each):
                    _walk(item, f"{pointer}/{escaped}/{index}", writes[index] or own.get(key) or around, written, conversion, found)
            else:
                _walk(each, f"{pointer}/{escaped}", own.get(key) or around, written, conversion, found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _walk(item, f"{pointer}/{index}", around, written, conversion, found)
    elif around is not None:
        line, places = around
        read = [conversion.place_of(position, number) for position, number in places if position >= 0]
        found.append({"pointer": pointer, "rule": line.rule, "file": line.file, "line": line.line, "column": line.column, "from": read})


def _by_index(own: dict[Any, _Write], key: str, length: int) -> list[_Write | None]:
    """For each item of a list the write that began at or before it."""
    starts = {index: write for (name, index), write in _listed(own) if name == key}
    writes: list[_Write | None] = []
    last = None
    for index in range(length):
        last = starts.get(index, last)
        writes.append(last)
    return writes


def _listed(own: dict[Any, _Write]) -> Iterator[tuple[tuple[str, int], _Write]]:
    for key, write in own.items():
        if isinstance(key, tuple):
            yield key, write

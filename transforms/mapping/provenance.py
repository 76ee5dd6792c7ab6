"""Explain: which rule wrote an element of the Bundle, where that rule stands, and which fields it read.

The explaining code is the same code compiled with a line more for each store; the plain path pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

from transforms.mapping.conversion import Conversion, Line
from transforms.mapping.references import Shared

Explanation = TypedDict("Explanation", {"pointer": str, "rule": str, "file": str, "line": int, "column": int, "from": list[str]})
Places = tuple[tuple[int, int], ...]
Write = tuple[Line, Places]


def explained(bundle: dict[str, Any], conversion: Conversion, own: Line) -> list[Explanation]:
    """Of each leaf of a Bundle: JSON pointer, rule, its file, line and column, and the fields it came from.  `own`: the message map itself."""
    return list(_Walk(conversion, own).bundle(bundle))


def trace_shared(conversion: Conversion, shared: Shared | list[Shared], line: Line, places: Places) -> None:
    """Note that a rule made resources that are referred to."""
    for each in shared if isinstance(shared, list) else [shared]:
        resource = each.entry["resource"] if each.entry else each.contained
        if resource is not None:
            conversion.trace.append((resource, None, None, line, places))
        trace_shared(conversion, list(each.inner), line, places)


class _Walk:
    """One Bundle being explained.  What was traced is found by the identity of the element written, and the name (and index) in it."""

    def __init__(self, conversion: Conversion, own: Line) -> None:
        self._conversion, self._own = conversion, own
        self._written: dict[int, dict[Any, Write]] = {}
        for holder, name, start, line, places in conversion.trace:
            self._written.setdefault(id(holder), {})[name if start is None else (name, start)] = (line, places)

    def bundle(self, bundle: dict[str, Any]) -> Iterator[Explanation]:
        """The Bundle's own leaves come from the header; those of an entry from whoever made its resource."""
        for key, value in bundle.items():
            if key != "entry":
                number = {"identifier": 10, "timestamp": 7}.get(key)
                yield from self._value(value, f"/{key}", (self._own, ((0, number),) if number else ()))
        for index, entry in enumerate(bundle["entry"]):
            around = self._written.get(id(entry["resource"]), {}).get(None, (self._own, ()))
            yield from self._value(entry, f"/entry/{index}", around)

    def _value(self, value: Any, pointer: str, around: Write) -> Iterator[Explanation]:
        if isinstance(value, dict):
            own = self._written.get(id(value), {})
            around = own.get(None, around)
            for key, each in value.items():
                escaped = key.replace("~", "~0").replace("/", "~1")
                if isinstance(each, list):
                    yield from self._list(each, f"{pointer}/{escaped}", own.get(key, around), _starts(own, key))
                else:
                    yield from self._value(each, f"{pointer}/{escaped}", own.get(key, around))
        elif isinstance(value, list):
            yield from self._list(value, pointer, around, {})
        else:
            yield self._explanation(pointer, *around)

    def _list(self, items: list[Any], pointer: str, around: Write, starts: dict[int, Write]) -> Iterator[Explanation]:
        """Items come from the write that began at or before them."""
        for index, item in enumerate(items):
            around = starts.get(index, around)
            yield from self._value(item, f"{pointer}/{index}", around)

    def _explanation(self, pointer: str, line: Line, places: Places) -> Explanation:
        conversion = self._conversion
        said = [(position, number) for position, number in places if position >= 0 and conversion.rows[position][number]]
        read = list(dict.fromkeys(conversion.place_of(position, number) for position, number in said))
        return {"pointer": pointer, "rule": line.rule, "file": line.file, "line": line.line, "column": line.column, "from": read}


def _starts(own: dict[Any, Write], key: str) -> dict[int, Write]:
    return {name[1]: write for name, write in own.items() if isinstance(name, tuple) and name[0] == key}

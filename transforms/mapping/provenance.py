"""Explain: of each leaf of the Bundle which rule wrote it, where that rule stands, what it read, and what of the message decides it.

The explaining code is the same code compiled with a line more for each store: that gives the rule.  What decides is found out by
trying (transforms.mapping.probing): the bytes named change the leaf.  The plain path pays nothing for either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

from transforms.mapping.accounting import BUNDLE
from transforms.mapping.conversion import Conversion, Line
from transforms.mapping.probing import TOGETHER, VALUE, Dependence, escaped
from transforms.mapping.tracing import Places


class Source(TypedDict):
    """A text of the message that decides about a leaf: its path, where its bytes stand, and how it decides (see probing)."""

    path: str
    start: int | None
    end: int | None
    by: str


Explanation = TypedDict(
    "Explanation",
    {
        "pointer": str, "rule": str, "file": str, "line": int, "column": int, "functions": list[str], "tables": list[str],
        "read": list[str], "from": list[str], "sources": list[Source],
    },
)  # fmt: skip
"""`read`: the fields the rule took its value from.  `from`: the texts that make the leaf what it is; `sources` has them with those
that only decide whether it is there."""

Write = tuple[Line, Places]
Decisive = Mapping[str, list[Dependence]]


def explained(bundle: dict[str, Any], conversion: Conversion, own: Line, decisive: Decisive) -> list[Explanation]:
    """Of each leaf of a Bundle.  `own`: the message map itself; `decisive`: by JSON pointer, what decides about the leaf."""
    return list(_Walk(conversion, own, decisive).bundle(bundle))


class _Walk:
    """One Bundle being explained.  What was traced is found by the identity of the element written, and the name (and index) in it."""

    def __init__(self, conversion: Conversion, own: Line, decisive: Decisive) -> None:
        self._conversion, self._own, self._decisive = conversion, own, decisive
        self._written: dict[int, dict[Any, Write]] = {}
        for holder, name, start, line, places in conversion.trace:
            self._written.setdefault(id(holder), {})[name if start is None else (name, start)] = (line, places)

    def bundle(self, bundle: dict[str, Any]) -> Iterator[Explanation]:
        """The Bundle's own leaves come from the header; those of an entry from whoever made its resource."""
        for key, value in bundle.items():
            if key != "entry":
                number = BUNDLE.get(key)
                yield from self._value(value, f"/{key}", (self._own, ((0, number),) if number else ()))
        for index, entry in enumerate(bundle["entry"]):
            around = self._written.get(id(entry["resource"]), {}).get(None, (self._own, ()))
            yield from self._value(entry, f"/entry/{index}", around)

    def _value(self, value: Any, pointer: str, around: Write) -> Iterator[Explanation]:
        if isinstance(value, dict):
            own = self._written.get(id(value), {})
            around = own.get(None, around)
            for key, each in value.items():
                place = f"{pointer}/{escaped(key)}"
                if isinstance(each, list):
                    yield from self._list(each, place, own.get(key, around), _starts(own, key))
                else:
                    yield from self._value(each, place, own.get(key, around))
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
        found = self._decisive.get(pointer, ())
        return {
            "pointer": pointer, "rule": line.rule, "file": line.file, "line": line.line, "column": line.column,
            "functions": [line.function] if line.function else [], "tables": [line.table] if line.table else [], "read": read,
            "from": [each.atom.path for each in found if each.by in (VALUE, TOGETHER)], "sources": [_source(each) for each in found],
        }  # fmt: skip


def _source(found: Dependence) -> Source:
    start, end = found.atom.span or (None, None)
    return {"path": found.atom.path, "start": start, "end": end, "by": found.by}


def _starts(own: dict[Any, Write], key: str) -> dict[int, Write]:
    return {name[1]: write for name, write in own.items() if isinstance(name, tuple) and name[0] == key}

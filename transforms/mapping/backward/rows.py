"""A message while it is written: segments of fields, in the groups of its structure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from transforms.hl7.grammar import Part
from transforms.mapping.places import Source


@dataclass
class Row:
    """A segment: the repetitions of each field, as they will stand in the message."""

    name: str
    fields: dict[int, list[str]] = field(default_factory=dict)

    def read(self, place: Source) -> str:
        """The text of a field, or of a component of its first repetition."""
        told = self.fields.get(place.field, [])
        if not place.component:
            return "~".join(told)
        parts = (told[0] if told else "").split("^")
        text = parts[place.component - 1] if len(parts) >= place.component else ""
        if not place.subcomponent:
            return text
        parts = text.split("&")
        return parts[place.subcomponent - 1] if len(parts) >= place.subcomponent else ""

    def put(self, place: Source, text: str) -> None:
        """Write a component, or one more repetition of a field."""
        told = self.fields.setdefault(place.field, [])
        if not place.component:
            told.append(text)
            return
        parts = (told[0] if told else "").split("^")
        parts += [""] * (place.component - len(parts))
        parts[place.component - 1] = text
        self.fields[place.field] = ["^".join(parts)]

    def copy(self) -> Row:
        """The same, to be changed."""
        return Row(self.name, {number: [*told] for number, told in self.fields.items()})

    @property
    def size(self) -> int:
        """How much it says."""
        return sum(len(text) + 1 for told in self.fields.values() for text in told)

    @property
    def text(self) -> str:
        """The segment as it stands in a message."""
        last = max(self.fields, default=0)
        start = 2 if self.name == "MSH" else 1
        return "|".join([self.name, *("~".join(self.fields.get(number, ())) for number in range(start, last + 1))])


@dataclass
class Group:
    """A group of the structure: its rows and the groups in it, by name."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    groups: dict[str, list[Group]] = field(default_factory=dict)

    def add(self, *rows: Row) -> None:
        """Take segments in, unless they say nothing."""
        for row in rows:
            if row.fields:
                self.rows.setdefault(row.name, []).append(row)

    def group(self, name: str) -> Group:
        """A new group inside."""
        made = Group()
        self.groups.setdefault(name, []).append(made)
        return made


def in_order(part: Part, group: Group) -> Iterator[Row]:
    """The segments in the order of the structure; what it has no place for is left out."""
    for each in part.parts:
        if each.is_segment:
            yield from group.rows.get(each.name, ())
        elif each.name:
            for inner in group.groups.get(each.name, ()):
                yield from in_order(each, inner)
        else:  # a group without a name: its segments stand in the one around
            yield from in_order(each, group)


Rows = Mapping[str, Row]
"""The segments in scope of a rule, by name."""


def copied(rows: Rows) -> dict[str, Row]:
    """Rows to be tried on."""
    return {name: row.copy() for name, row in rows.items()}


def numbered(rows: Iterable[Row]) -> None:
    """Number segments of a kind from 1."""
    for index, row in enumerate(rows, 1):
        row.fields[1] = [str(index)]

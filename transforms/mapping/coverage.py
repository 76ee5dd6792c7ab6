"""How much of v2 the maps read: for each segment map its rules, the fields they read and drop, and those of the segment that none does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from transforms.hl7.names import field_name
from transforms.mapping.definition import SegmentMap
from transforms.mapping.targets import fields_read

MOST = 99  # no segment has more fields


@dataclass(frozen=True)
class Coverage:
    """One segment map: fields by number.  `follows` is the table of the guide it follows."""

    map: str
    segment: str
    type: str
    follows: str
    rules: int
    read: tuple[int, ...]
    dropped: tuple[int, ...]
    unread: tuple[int, ...]


def coverage(maps: Mapping[str, SegmentMap]) -> Iterator[Coverage]:
    """The coverage of each map, in the order of their names."""
    for name, found in sorted(maps.items()):
        dropped = {place.field for rule in found.rules for place in rule.drop if place.segment == found.segment}
        read = {number for rule in found.rules if not rule.drop for segment, number in fields_read(rule) if segment == found.segment}
        known = {number for number in range(1, MOST) if field_name(found.segment, number)}
        numbers = (tuple(sorted(each)) for each in (read, dropped - read, known - read - dropped))
        yield Coverage(name, found.segment, found.type, found.follows, len(found.rules), *numbers)

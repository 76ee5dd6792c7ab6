"""The ledger: every field that says something and that no rule read or dropped (design, section 9, rule 2).

Generated code notes the fields it used as bits of an integer for each segment; what is not among them and not empty is left
over.  Which fields of a row must be looked at for a given mask is computed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transforms.mapping.runtime import NULL, Conversion


@dataclass(frozen=True)
class Reads:
    """Fields of segments that count as read whatever rules say: the delimiters, and what a message map drops."""

    always: Mapping[str, int]


_unread: dict[tuple[int, int], tuple[int, ...]] = {}
_KEPT = 100_000


def _fields_unread(mask: int, length: int) -> tuple[int, ...]:
    """The fields of a row of `length` that `mask` does not have."""
    fields = tuple(number for number in range(1, length) if not mask >> number & 1)
    if len(_unread) < _KEPT:
        _unread[mask, length] = fields
    return fields


def left_over(conversion: Conversion, reads: Reads) -> tuple[str, ...]:
    """The paths of what is left over, in the order of the message."""
    rows, used, names = conversion.rows, conversion.used, conversion.plan.names
    for made, (origin, _, field) in conversion.aliases.items():
        if not used[made] >> field & 1:
            conversion.leftover.append((made, field, 0, 0))
        used[origin] |= used[made] | 1 << field
    if conversion.followers:
        _follow(conversion)
    found: list[tuple[int, int, int, int]] = conversion.leftover
    always = reads.always
    position = 0
    for name in names:
        row = rows[position]
        mask = used[position] | always.get(name, 0)
        for number in _unread.get((mask, len(row))) or _fields_unread(mask, len(row)):
            if row[number] and row[number] != NULL:
                found.append((position, number, 0, 0))
        position += 1
    if not found:
        return ()
    return tuple(dict.fromkeys(conversion.place_of(*each) for each in sorted(found)))


def _follow(conversion: Conversion) -> None:
    """Segments whose text went into another one: what says the same as there, and the text itself, was read there."""
    for follower, (leader, field) in conversion.followers.items():
        row, other, mask = conversion.rows[follower], conversion.rows[leader], conversion.used[leader]
        for number in range(1, len(row)):
            if number in (1, 4, field) or row[number] == other[number]:
                conversion.used[follower] |= mask & 1 << number

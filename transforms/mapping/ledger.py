"""The ledger: every field that says something and that no rule read or dropped (design, section 9, rule 2).

Generated code notes the fields it used as bits of an integer for each segment; what is not among them and not empty is left
over.  Which fields of a row must be looked at for a given mask is computed once.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter, or_

from transforms.mapping.conversion import NULL, Conversion


_Unread = tuple[tuple[int, ...], Callable[[list[str]], object], object]
_unread: dict[int, _Unread] = {}
_KEPT = 100_000


def _fields_unread(mask: int, length: int) -> _Unread:
    """The fields of a row of `length` that `mask` does not have, what takes them out of a row all at once, and what that gives of an empty row."""
    fields = tuple(number for number in range(1, length) if not mask >> number & 1)
    taken: Callable[[list[str]], object] = itemgetter(*fields) if fields else _nothing
    unread = (fields, taken, taken([""] * length))
    if len(_unread) < _KEPT:
        _unread[mask << 10 | length] = unread
    return unread


def _nothing(row: list[str]) -> tuple[()]:
    return ()


def left_over(conversion: Conversion, always: tuple[int, ...]) -> tuple[str, ...]:
    """The paths of what is left over, in the order of the message.  `always`: by position, the bits that count as read whatever rules say."""
    rows, used = conversion.rows, conversion.used
    for made, (origin, _, field) in conversion.aliases.items():
        if not used[made] >> field & 1:
            conversion.leftover.append((made, field, 0, 0))
        used[origin] |= used[made] | 1 << field
    if conversion.followers:
        _follow(conversion)
    found: list[tuple[int, ...]] = conversion.leftover
    known = _unread
    position, last = 0, -1
    for mask, row, length in zip(map(or_, used, always), rows, conversion.lengths):
        if last != (last := mask << 10 | length):  # neighbours are often alike
            fields, taken, empty = known.get(last) or _fields_unread(mask, length)
        if taken(row) != empty:
            found += [(position, number, 0, 0) for number in fields if row[number] and row[number] != NULL]
        position += 1
    if not found:
        return ()
    if len(found) > 1:
        found = sorted(set(found))
    paths = [conversion.place_of(*each) for each in found]
    return tuple(dict.fromkeys(paths) if conversion.aliases else paths)


def _follow(conversion: Conversion) -> None:
    """Segments whose text went into another one: what says the same as there, and the text itself, was read there."""
    for follower, (leader, field) in conversion.followers.items():
        row, other, mask = conversion.rows[follower], conversion.rows[leader], conversion.used[leader]
        for number in range(1, len(row)):
            if number in (1, 4, field) or row[number] == (other[number] if number < len(other) else ""):
                conversion.used[follower] |= mask & 1 << number

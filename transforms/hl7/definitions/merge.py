"""One definition of a message structure out of those of all versions, so that a map needs one path for all of them.

The latest version's definition is the base, with its names of groups.  Where a later version put a segment that stood by
itself in 2.5.1 into a group of its own (ORC into COMMON_ORDER, the OBX after SPM into SPECIMEN_OBSERVATION), that group keeps
its order but has no name, so the segment's path stays what it was.  Segments and groups that only other versions have are
put where those have them, optional.  Prior results are told from the next order by the patient they begin with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from transforms.hl7.grammar import Part

REFERENCE = "2.5.1"


def merged(name: str, versions: Sequence[tuple[str, Part]]) -> Part:
    """`versions` are (version, definition), oldest first; aliases of a structure may come before it."""
    reference = next((part for version, part in versions if version == REFERENCE and part.name == name), None)
    base = versions[-1][1]
    if reference is not None:
        base = _flattened(base, reference)
    for _, other in reversed(versions[:-1]):
        base = replace(base, parts=_with_all(base.parts, other.parts))
    return replace(_named(base), name=name)


def _flattened(part: Part, reference: Part) -> Part:
    """`part` with the names taken off groups that stand where `reference` has their first segment by itself."""
    alone = {each.name for each in reference.parts if each.is_segment}

    def child(each: Part) -> Part:
        same = None if each.is_segment else _counterpart(each, reference.parts)
        if same is not None:
            return _flattened(each, same)
        return replace(each, name="") if not each.is_segment and each.leading in alone else each

    return replace(part, parts=tuple(map(child, part.parts)))


def _counterpart(group: Part, parts: Sequence[Part]) -> Part | None:
    """The group among `parts` that is the same one, by its name or by the segment it starts with."""
    groups = [each for each in parts if not each.is_segment]
    by_name = next((each for each in groups if each.name and each.name == group.name), None)
    return by_name or next((each for each in groups if each.leading == group.leading), None)


def _with_all(base: tuple[Part, ...], others: tuple[Part, ...], after: int = -1) -> tuple[Part, ...]:
    """`base` and what only `others` have, each after what it follows there; `after` is where the last of `others` stands."""
    found = list(base)
    for other in others:
        place = _place(found, other, after)
        if place is not None:
            if not other.is_segment and not found[place].is_segment:
                inner = other.parts if _same(found[place], other) else (other,)
                found[place] = replace(found[place], parts=_with_all(found[place].parts, inner))
            elif not other.is_segment:  # a group there, its first segment by itself here: take the rest of it
                rest = _with_all(tuple(found[place : place + 1]), other.parts)
                found[place : place + 1] = rest
                place += len(rest) - 1
            after = max(after, place)
        elif not other.is_segment and _shares_groups(found, other):  # an older level between, whose groups stand here
            found = list(_with_all(tuple(found), other.parts, after))
        elif any(other.leading in part.segments() for part in found if not part.is_segment):
            continue  # it stands deeper here
        else:  # not even deeper
            found.insert(after + 1, replace(other, optional=True))
            after += 1
    return tuple(found)


def _place(found: Sequence[Part], other: Part, after: int) -> int | None:
    """Where in `found` the counterpart of `other` stands; those after `after` first."""
    order = [*range(after + 1, len(found)), *range(after + 1)]
    tests = (
        lambda part: bool(other.name) and part.name == other.name and part.is_segment == other.is_segment,
        lambda part: part.leading == other.leading,
    )
    for test in tests:
        for index in order:
            if test(found[index]):
                return index
    return None


def _shares_groups(found: Sequence[Part], other: Part) -> bool:
    names = {part.name for part in found if not part.is_segment}
    return any(part.name in names for part in other.parts if not part.is_segment)


def _same(group: Part, other: Part) -> bool:
    return group.name == other.name or group.leading == other.leading


def _named(part: Part) -> Part:
    """Without the names that a generator of schemas made up (`OBRRQDRQ1_SUPPGRP`), and prior results as said above."""
    parts = tuple(_named(each) for each in part.parts)
    if part.name == "PRIOR_RESULT" and parts[0].name.startswith("PATIENT"):
        parts = (replace(parts[0], optional=False), *parts[1:])
    return replace(part, name="" if part.name.endswith("_SUPPGRP") else part.name, parts=parts)

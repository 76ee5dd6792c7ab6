"""Puts a site's segments into the grammar of a structure, each behind the segment it is declared to follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from transforms.hl7.grammar import Part
from transforms.hl7.local import LocalSegment


def extended(part: Part, name: str, segment: LocalSegment) -> Part:
    """The structure with the segment in every place it is declared for; as it was where it has no such place."""
    return replace(part, parts=_within(part, part.name, name, segment))


def places(part: Part) -> Iterator[tuple[str, str]]:
    """Every segment of a structure with the name of the group around it, the structure's for those in none."""
    yield from _places(part, part.name)


def in_order(segments: Sequence[tuple[str, LocalSegment]]) -> list[tuple[str, LocalSegment]]:
    """Declarations as they are to be worked in: what others stand behind first; of those behind the same one, the last declared first."""
    waiting = {(name, each.after, each.within, each.of): (name, each) for name, each in segments if each.after}
    found: list[tuple[str, LocalSegment]] = []
    while waiting:
        names = {name for name, _ in waiting.values()}
        ready = [key for key, (name, each) in waiting.items() if each.after not in names - {name}] or list(
            waiting
        )  # a circle: none finds its place
        found += [waiting.pop(key) for key in reversed(ready)]
    return found


def followers(segments: Sequence[tuple[str, LocalSegment]]) -> dict[str, str]:
    """A site's segments, each with the one that it, or what it stands behind, follows."""
    after = {name: each.after for name, each in segments}
    found = {}
    for name, before in after.items():
        seen = {name}
        while before in after and before not in seen:
            seen.add(before)
            before = after[before]
        found[name] = before
    return found


def _places(part: Part, group: str) -> Iterator[tuple[str, str]]:
    for each in part.parts:
        if each.is_segment:
            yield each.name, group
        else:
            yield from _places(each, each.name or group)


def _within(part: Part, group: str, name: str, segment: LocalSegment) -> tuple[Part, ...]:
    found: list[Part] = []
    here = segment.within in ("", group)
    for each in part.parts:
        if not each.is_segment:
            found.append(replace(each, parts=_within(each, each.name or group, name, segment)))
        elif here and each.name == segment.after:
            found += _behind(each, name, segment, part)
        else:
            found.append(each)
    return tuple(found)


def _behind(before: Part, name: str, segment: LocalSegment, around: Part) -> list[Part]:
    """`before` and the segment: in a group without a name where each repetition, or an alternative, has its own."""
    own = Part(name, optional=True, repeats=segment.repeats)
    if not (before.repeats or around.choice):
        return [before, own]
    return [Part("", before.optional, before.repeats, (Part(before.name), own))]

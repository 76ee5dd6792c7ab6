"""Atoms: the smallest texts of a message that say something, each with its path and where its bytes stand.

An atom is a subcomponent (a component, a repetition, a field, where nothing divides it) that is neither blank nor NULL: `""`
says that there is nothing, so there is nothing to convert.  The bytes are those of the message as received, also where lines
are broken inside a segment or letters take several bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from transforms.hl7.lines import physical_lines
from transforms.hl7.message import NULL, Message

SEPARATED = ("\r", "\n", "\r\n")
_STATEFUL = "iso2022"  # codecs in which a letter has no bytes of its own


@dataclass(frozen=True, slots=True)
class Atom:
    """One text; all numbers but `position` count from 1.  `start` and `end` are places in the message's text, `span` in its bytes."""

    position: int  # of the segment
    field: int
    repetition: int
    component: int
    subcomponent: int
    path: str  # `PID-3[2].4.1`, no longer than it has to be
    text: str
    start: int
    end: int
    span: tuple[int, int] | None  # None: the character set has no bytes for a single letter


@dataclass(frozen=True, slots=True)
class _Segment:
    """A segment's text, and where each of its characters begins in the message's text; one place more than characters."""

    text: str
    places: range | list[int]


def atoms(message: Message, places: tuple[str, ...]) -> list[Atom]:
    """All atoms in their order.  `places`: how paths call the segments, by position."""
    bytes_at = _bytes_at(message)
    return [atom for position, segment in enumerate(_segments(message)) for atom in _of_segment(message, segment, position, places, bytes_at)]


def _segments(message: Message) -> Iterator[_Segment]:
    text, separator = message.text, message.delimiters.field
    if "\n" not in text and "\x1c" not in text and message.lines[1] == text.removesuffix("\r").split("\r"):
        start = 0
        for each in message.lines[1]:
            yield _Segment(each, range(start, start + len(each) + 1))
            start += len(each) + 1
        return
    found: list[tuple[list[str], list[int]]] = []
    at = 0
    for piece, segment in physical_lines(text, separator):
        if segment >= 0:
            while segment >= len(found):
                found.append(([], []))
            said = "\n" if piece in SEPARATED else piece
            found[segment][0].append(said)
            found[segment][1].extend([at] if piece in SEPARATED else range(at, at + len(piece)))
        at += len(piece)
    for (pieces, starts), whole in zip(found, message.lines[1], strict=True):
        starts.append(starts[-1] + 1)
        yield _Segment(whole, starts)


def _of_segment(
    message: Message, segment: _Segment, position: int, places: tuple[str, ...], bytes_at: list[int] | range | None
) -> Iterator[Atom]:
    """Cut at every delimiter; MSH-1 and MSH-2 are the delimiters themselves."""
    delimiters, at, header = message.delimiters, 0, position == 0
    for number, field in enumerate(segment.text.split(delimiters.field)):
        field_at, number = at, number + header
        at += len(field) + 1
        if field and number > header:
            cut = ("", "", "") if number <= 2 and header else (delimiters.repetition, delimiters.component, delimiters.subcomponent)
            for numbers, path, text, start in _cut(field, cut):
                first, last = segment.places[field_at + start], segment.places[field_at + start + len(text)]
                span = None if bytes_at is None else (bytes_at[first], bytes_at[last])
                yield Atom(position, number, *numbers, f"{places[position]}-{number}{path}", text, first, last, span)


def _cut(field: str, delimiters: tuple[str, str, str]) -> Iterator[tuple[tuple[int, int, int], str, str, int]]:
    """Numbers, the end of the path, text and start of each atom of a field."""
    repetition, component, subcomponent = delimiters
    for one, whole, at in _split(field, repetition, 0):
        for two, part, inside in _split(whole, component, at):
            for three, text, start in _split(part, subcomponent, inside):
                if text.strip() and text != NULL:
                    deeper = f".{two}.{three}" if part != text else f".{two}" if whole != part else ""
                    yield (one, two, three), (f"[{one}]" if whole != field else "") + deeper, text, start


def _split(text: str, separator: str, at: int) -> Iterator[tuple[int, str, int]]:
    """The pieces of a text with their number and place."""
    if not separator:
        yield 1, text, at
        return
    for number, piece in enumerate(text.split(separator), 1):
        yield number, piece, at
        at += len(piece) + len(separator)


def _bytes_at(message: Message) -> list[int] | range | None:
    """Where each character of the text begins in the bytes, one more than there are; None where that cannot be said."""
    text, raw, codec = message.text, message.raw, message.encoding
    if text.isascii() and (start := raw.find(text.encode("ascii"))) >= 0:
        return range(start, start + len(text) + 1)
    try:
        start = raw.find(text.encode(codec))
        if start < 0 or codec.startswith(_STATEFUL):
            return None
        return list(accumulate((len(each.encode(codec)) for each in text), initial=start))
    except UnicodeError:
        return None

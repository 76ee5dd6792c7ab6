"""An HL7 message as a tree for eyes: segments, and under each its valued fields with their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from transforms.errors import MessageError
from transforms.hl7.message import Segment, parse
from transforms.hl7.names import field_name, segment_name

LONGEST = 160  # of a field's text; the rest is told by its length
MOST = 2000  # bytes of what is no HL7


def lines(content: bytes, local: Mapping[str, Any] = MappingProxyType({})) -> Iterator[str]:
    """The lines of the tree; of bytes that are no HL7, the bytes themselves, legibly.

    `local`: segment -> what the site calls it (`name`) and its fields (`fields`, by number).
    """
    try:
        message = parse(content)
    except MessageError as error:
        yield f"{len(content)} bytes that are not readable as HL7: {error.why}"
        yield f"  {repr(content[:MOST])[2:-1]}{'…' if len(content) > MOST else ''}"
        return
    for segment in message.segments:
        own = local.get(segment.name, {})
        yield f"{segment.name}  {own.get('name') or segment_name(segment.name)}".rstrip()
        yield from _fields(segment, message.delimiters.repetition, own.get("fields", {}))


def _fields(segment: Segment, repetition: str, own: Mapping[str, str]) -> Iterator[str]:
    for number, text in enumerate(segment.fields):
        if not number or not text:
            continue
        label = f"{segment.name}-{number}"
        name = own.get(str(number)) or field_name(segment.name, number)
        plain = segment.name == "MSH" and number <= 2
        for index, each in enumerate([text] if plain or not repetition else text.split(repetition)):
            shown = each if len(each) <= LONGEST else f"{each[:LONGEST]}… ({len(each)} characters)"
            yield f"  {label + (f'[{index + 1}]' if index else ''):11} {name if not index else '':34.34} {shown}"

"""Fields as options of steps and rules: paths checked when they are declared, readers prepared before the first message.

A reader gives what `Message.get` gives, at the price of the few slices its path needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from transforms.declaration.lists import listed
from transforms.hl7.delimiters import HEADERS
from transforms.hl7.message import Message, Segment
from transforms.hl7.path import EVERY, UNSAID, Path, parse_path

Reader = Callable[[Message], str | None]
Readers = Callable[[Message], Sequence[str]]

NULL = '""'  # HL7's "delete what you have": a value, and no text


_NUMBER = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})")


def _field_path(text: str) -> str:
    if not _path(text).field:
        raise PydanticCustomError("field_path", "should name a field, such as PID-5, PID-3[2].4.1 or OBX[3]-5")
    return text


def _path(text: str) -> Path:
    try:
        return parse_path(text)
    except ValueError:
        raise PydanticCustomError("field_path", "should be a place in a message, such as PID-5, PID-3[2].4.1 or OBX[3]-5") from None


def _any_path(text: str) -> str:
    _path(text)
    return text


_INDEX = r"(\[([1-9][0-9]*|\*)\])?"
_FIELD = rf"-[1-9][0-9]*{_INDEX}(\.[1-9][0-9]*(\.[1-9][0-9]*)?)?"

FieldPath = Annotated[
    str, AfterValidator(_field_path), WithJsonSchema({"type": "string", "pattern": rf"^[A-Z][A-Z0-9][A-Z0-9]{_INDEX}{_FIELD}$"})
]
"""A field, repetition, component or subcomponent: `PID-3[2].4.1`."""

AnyPath = Annotated[
    str, AfterValidator(_any_path), WithJsonSchema({"type": "string", "pattern": rf"^[A-Z][A-Z0-9][A-Z0-9]{_INDEX}({_FIELD})?$"})
]
"""A segment or something in it: `SPM`, `OBX[3]-5`."""


FieldPaths = Annotated[
    tuple[FieldPath, ...],
    Field(min_length=1),
    BeforeValidator(listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""Several of them; one alone is a list of one."""


def reader(text: str) -> Reader:
    """What reads the place `text` names: the unescaped value, None where it is absent."""
    path = parse_path(text)
    plain = path.occurrence in (UNSAID, 1) and path.repetition in (UNSAID, 1) and path.component and not path.subcomponent
    if plain and not (path.segment == "MSH" and path.field <= 2):
        return _component_reader(text, path)
    return lambda message: message.get(text)


def readers(text: str) -> Readers:
    """What reads every value of a place: `OBX[*]-3.1` gives one for each OBX; absent ones are left out."""
    path = parse_path(text)
    if EVERY in path:
        return lambda message: message.all(text)
    read = reader(text)

    def one(message: Message) -> Sequence[str]:
        value = read(message)
        return () if value is None else (value,)

    return one


def places(message: Message, text: str) -> Iterator[tuple[Path, str]]:
    """Every place that a path means and that is not empty, numbered throughout, with its text as it stands (still escaped).

    Without an index it is the first segment and repetition.
    """
    path = parse_path(text)
    for segment in message.chosen(path):
        if path.field <= 2 and segment.name in HEADERS:
            continue  # the delimiters themselves
        repetitions = segment.repetitions(path.field)
        chosen = range(1, len(repetitions) + 1) if path.repetition == EVERY else (path.repetition or 1,)
        for number in chosen:
            found = _part(repetitions, number, path, segment)
            if found:
                yield path._replace(occurrence=segment.occurrence, repetition=number), found


def _part(repetitions: Sequence[str], repetition: int, path: Path, segment: Segment) -> str:
    text = repetitions[repetition - 1] if repetition <= len(repetitions) else ""
    for index, separator in ((path.component, segment.delimiters.component), (path.subcomponent, segment.delimiters.subcomponent)):
        if index:
            parts = text.split(separator)
            text = parts[index - 1] if index <= len(parts) else ""
    return text


def number(text: str) -> Decimal | None:
    """The number that a value of type NM is; None for anything else."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _component_reader(text: str, path: Path) -> Reader:
    """The commonest place, a component of a first repetition, without looking at the path again."""
    name, number, index = path.segment, path.field, path.component - 1

    def read(message: Message) -> str | None:
        delimiters = message.delimiters
        if name == "MSH":
            fields = message.header
        else:
            names, texts = message.lines
            if name not in names:
                return None
            fields = texts[names.index(name)].split(delimiters.field, number + 1)
        if number >= len(fields):
            return None
        field = fields[number]
        if delimiters.repetition in field or delimiters.escape in field or delimiters.subcomponent in field:
            return message.get(text)
        components = field.split(delimiters.component)
        return components[index] or None if index < len(components) else None

    return read

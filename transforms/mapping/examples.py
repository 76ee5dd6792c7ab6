"""The tests that maps carry: a few segments, and what must come of them.  No network, no clock: run by `flue test` and by pytest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from transforms.document import Context, Identity
from transforms.errors import MessageError
from transforms.hl7.message import parse
from transforms.mapping.arrangement import Branch
from transforms.mapping.definition import Example, Make, MessageMap, SegmentMap
from transforms.mapping.kit import Kit
from transforms.mapping.making import write_module
from transforms.mapping.options import MapOptions
from transforms.mapping.conversion import Conversion
from transforms.mapping.shapes import TestShape
from transforms.mapping.to_fhir import Converter

HEADER = "MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20240115103000||ORU^R01|1|P|2.5.1"
RECEIVED = datetime(2024, 1, 15, 10, 30, 5, tzinfo=timezone.utc)
BASE, SECRET = "https://site.example/ids", "test"
ALL = "EVERYTHING"  # the one group a map's test has


@dataclass(frozen=True)
class Outcome:
    """What became of one test; `failures` is empty where it passed."""

    map: str
    name: str
    file: str
    line: int
    failures: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Nothing was otherwise than expected."""
        return not self.failures


def run_examples(maps: Mapping[str, SegmentMap], message_maps: Mapping[str, MessageMap], kit: Kit, only: str = "") -> Iterator[Outcome]:
    """Run the tests of all maps, or of one."""
    for name, found in maps.items():
        if only in ("", name):
            yield from _run_all(found, SegmentRunner(found, maps, kit))
    for name, other in message_maps.items():
        if only in ("", name):
            yield from _run_all(other, MessageRunner(other, maps, kit))


def _run_all(found: SegmentMap | MessageMap, runner: SegmentRunner | MessageRunner) -> Iterator[Outcome]:
    for example in found.tests:
        line, _ = example.spot.place
        yield Outcome(found.name, example.shape.name or f"line {line}", example.spot.file, line, tuple(_failures(example, runner)))


def _failures(example: Example, runner: SegmentRunner | MessageRunner) -> Iterator[str]:
    shape = example.shape
    try:
        options = TypeAdapter(MapOptions).validate_python(shape.options)
        made, leftover, notes = runner.run(shape, options)
    except ValidationError as error:
        yield f"options: {error.errors()[0]['msg']}"
        return
    except MessageError as error:
        yield f"{error} {error.origin}"
        return
    if shape.expect == "nothing":
        if made is not None:
            yield "something was made where nothing is expected"
    elif shape.expect is not None:
        yield from differences(shape.expect, made, "", more=shape.more) if made is not None else ["nothing was made"]
    if shape.leftover is not None and set(leftover) != set(shape.leftover):
        yield f"left over are {', '.join(leftover) or 'none'}, expected {', '.join(shape.leftover) or 'none'}"
    if shape.notes is not None and set(notes) != set(shape.notes):
        yield f"notes are {', '.join(notes) or 'none'}, expected {', '.join(shape.notes) or 'none'}"


def differences(expected: Any, found: Any, path: str, *, more: bool) -> Iterator[str]:
    """Where `found` lacks what is expected; `more`: lists may be longer."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            if key not in found:
                yield f"{path}.{key} is missing"
            else:
                yield from differences(value, found[key], f"{path}.{key}", more=more)
    elif isinstance(expected, (list, tuple)) and isinstance(found, list):
        if len(found) < len(expected) or len(found) > len(expected) and not more:
            yield f"{path} has {len(found)} items, expected {len(expected)}"
        for index, (wanted, value) in enumerate(zip(expected, found)):
            yield from differences(wanted, value, f"{path}[{index}]", more=more)
    elif _spelled(expected) != _spelled(found):
        yield f"{path} is {_spelled(found)}, expected {_spelled(expected)}"


def _spelled(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else repr(value) if not isinstance(value, int) or isinstance(value, bool) else str(value)


def message_of(shape: TestShape) -> str:
    """The message of a test: its segments, behind a header if it has none."""
    lines = shape.given.replace("\r", "\n").split("\n") if isinstance(shape.given, str) else [*shape.given]
    lines = [line.strip("\r\n") for line in lines if line.strip()]
    return "\r".join(lines if lines and lines[0].startswith("MSH") else [HEADER, *lines]) + "\r"


def _context(shape: TestShape) -> Context:
    given = shape.identity
    authorities = {tuple(key.split("|")): uri for key, uri in given.get("authorities", {}).items()}
    identity = Identity(given.get("base", BASE), given.get("secret", SECRET), authorities, tuple(given.get("patient", ())))
    return Context(RECEIVED, "test", shape.timezone, identity)


class SegmentRunner:
    """Runs one segment map by itself: all segments of a test in one group."""

    def __init__(self, found: SegmentMap, maps: Mapping[str, SegmentMap], kit: Kit) -> None:
        self._map, self._maps, self._kit = found, maps, kit
        self._converters: dict[MapOptions, Converter] = {}

    def run(self, shape: TestShape, options: MapOptions) -> tuple[dict[str, Any] | None, list[str], list[str]]:
        """What the map makes, the fields of its segment left over, and the codes of notes."""
        converter = self._converters.get(options) or self._converter(options)
        converted, conversion = converter.run(parse(message_of(shape).encode()), _context(shape))
        notes = [each.code for each in conversion.notes]
        leftover = [each for each in converted.leftover if each.startswith(self._map.segment)]
        return _made(conversion), leftover, notes

    def convert(self, text: str, shape: TestShape) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """What another message gives under the same test: what the map makes, and the Bundle around it."""
        options = TypeAdapter(MapOptions).validate_python(shape.options)
        converter = self._converters.get(options) or self._converter(options)
        converted, conversion = converter.run(parse(text.encode()), _context(shape))
        return _made(conversion), converted.bundle

    def _converter(self, options: MapOptions) -> Converter:
        make = Make("made", self._map.type, self._map.spot, (ALL,), (self._map.name,), identify="alone")
        message_map = MessageMap("test", self._map.spot, (), "", "", (make,))
        module = write_module(message_map, self._maps, replace(self._kit, options=options), explain=False)
        converter = self._converters[options] = Converter(message_map, module, options, arrange=_one_group)
        return converter


class MessageRunner:
    """Runs a message map on whole messages; what it makes is the Bundle."""

    def __init__(self, found: MessageMap, maps: Mapping[str, SegmentMap], kit: Kit) -> None:
        self._map, self._maps, self._kit = found, maps, kit
        self._converters: dict[MapOptions, Converter] = {}

    def run(self, shape: TestShape, options: MapOptions) -> tuple[dict[str, Any] | None, list[str], list[str]]:
        """The Bundle, what is left over, and the codes of notes."""
        converted = self._converter(options)(parse(message_of(shape).encode()), _context(shape))
        return converted.bundle, [*converted.leftover], [each.code for each in converted.notes]

    def convert(self, text: str, shape: TestShape) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """The Bundle another message gives under the same test, twice."""
        options = TypeAdapter(MapOptions).validate_python(shape.options)
        bundle = self._converter(options)(parse(text.encode()), _context(shape)).bundle
        return bundle, bundle

    def _converter(self, options: MapOptions) -> Converter:
        if options not in self._converters:
            module = write_module(self._map, self._maps, replace(self._kit, options=options), explain=False)
            self._converters[options] = Converter(self._map, module, options, structures=self._kit.structures)
        return self._converters[options]


def _one_group(tree: Any, _: str) -> Branch:
    return Branch(ALL, [(each.name, each.position) for each in tree.walk()])


def _made(conversion: Conversion) -> dict[str, Any] | None:
    """What the rules wrote, without the id of what is contained."""
    made = conversion.outs[0] if conversion.plan.nodes else None
    if made is None or made is not conversion.forms[0]:
        return made
    return {key: value for key, value in made.items() if key != "id"}

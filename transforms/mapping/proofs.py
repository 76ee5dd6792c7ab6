"""What the tests of maps prove: blank a field in a test's message, and see what is no longer there.

A rule that names a field proves nothing; a value that goes when the field goes does.  Where the whole result goes with the
field, the field is changed instead, and what changes with it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from transforms.errors import MessageError
from transforms.mapping.circumstances import Value, read
from transforms.mapping.definition import Example, MessageMap, SegmentMap
from transforms.mapping.examples import MessageRunner, SegmentRunner, message_of
from transforms.mapping.kit import Kit
from transforms.mapping.leaves import Leaf, changed, leaves

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_OTHER = str.maketrans(
    _LETTERS + _LETTERS.upper() + "0123456789", _LETTERS[1:] + "a" + _LETTERS[1:].upper() + "A" + "1234567890"
)


@dataclass(frozen=True)
class Proof:
    """What depends on a field: leaves of what the map makes, and of everything in the Bundle."""

    made: frozenset[Leaf] = frozenset()
    bundle: frozenset[Leaf] = frozenset()


@dataclass(frozen=True)
class _Run:
    """A test as it stands."""

    example: Example
    lines: tuple[str, ...]
    made: dict[str, Any]
    bundle: dict[str, Any]


class Proofs:
    """What the tests of one map prove, found out when asked."""

    def __init__(self, found: SegmentMap | MessageMap, maps: Mapping[str, SegmentMap], kit: Kit) -> None:
        self.map = found
        self._runner = (SegmentRunner if isinstance(found, SegmentMap) else MessageRunner)(found, maps, kit)  # type: ignore[arg-type]
        self._known: dict[tuple[str, int, int, str], Proof] = {}

    def of(self, segment: str, field: int, component: int = 0, condition: str = "") -> Proof:
        """What depends on a field (or a component of it), over all tests that a condition of the guide holds of."""
        key = (segment, field, component, condition)
        if key not in self._known:
            found = [each for run in self._runs for each in self._without(run, *key)]
            made, bundle = (frozenset().union(*each) for each in ([one.made for one in found], [one.bundle for one in found]))
            self._known[key] = Proof(made, bundle)
        return self._known[key]

    def whole(self) -> Proof:
        """What depends on the segment being there at all: everything its tests give."""
        made, bundle = (frozenset(leaf for run in self._runs for leaf in leaves(getattr(run, name))) for name in ("made", "bundle"))
        return Proof(made, bundle)

    @cached_property
    def _runs(self) -> list[_Run]:
        found = []
        for example in self.map.tests:
            text = message_of(example.shape)
            made, bundle = self._convert(text, example)
            if made is not None:
                found.append(_Run(example, tuple(text.rstrip("\r").split("\r")), made, bundle))
        return found

    def _convert(self, text: str, example: Example) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        try:
            made, bundle = self._runner.convert(text, example.shape)
        except MessageError:
            return None, {}
        if made is bundle:
            return by_type(bundle), by_type(bundle)
        alone = [{"resource": made}] if made is not None and "resourceType" in made else []
        return made, by_type({**bundle, "entry": [*bundle.get("entry", ()), *alone]})

    def _without(self, run: _Run, segment: str, field: int, component: int, condition: str) -> Iterator[Proof]:
        meant = read(condition)
        for index, line in enumerate(run.lines):
            if line[:3] != segment or meant is not None and not meant(_values(line, run.lines)):
                continue
            for value in ("", *self._others(line, segment, field, component)):
                text = replaced(line, field, component, value)
                if text == line:
                    break
                made, bundle = self._convert("\r".join((*run.lines[:index], text, *run.lines[index + 1 :])) + "\r", run.example)
                if made is None:
                    continue
                gone = {kind: each for kind, each in run.bundle.items() if kind not in bundle}
                yield Proof(changed(run.made, made), changed(run.bundle, {**bundle, **gone}))
                if not gone:  # else what became of a resource that went with the field is seen where it stays
                    break

    def _others(self, line: str, segment: str, field: int, component: int) -> Iterator[str]:
        """Other values for a field that something must stand in: its own with other letters, then those of other tests."""
        own = piece(line, field, component)
        yield own.translate(_OTHER)
        for run in self._runs:
            for other in run.lines:
                if other[:3] == segment and (value := piece(other, field, component)) not in ("", own):
                    yield value


def _values(own: str, lines: tuple[str, ...]) -> Value:
    """What stands where, for a condition: of the line in question, or of another segment's first."""

    def value(place: str) -> str:
        segment, _, number = place.partition("-")
        field, _, component = number.partition(".")
        line = own if own[:3] == segment else next((each for each in lines if each[:3] == segment), segment)
        return piece(line, int(field), int(component or 0))

    return value


def by_type(bundle: dict[str, Any]) -> dict[str, Any]:
    """A Bundle's resources under the names of their types, contained ones too, and what it says itself as `Bundle`."""
    found: dict[str, Any] = {"Bundle": {key: value for key, value in bundle.items() if key != "entry"}}
    resources = [entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry]
    for resource in [each for outer in resources for each in (outer, *outer.get("contained", ()))]:
        found.setdefault(resource["resourceType"], []).append({key: value for key, value in resource.items() if key != "contained"})
    return found


def piece(line: str, field: int, component: int) -> str:
    """A field of a segment, or a component of its first repetition, raw."""
    fields = line.split("|")
    place = field - 1 if fields[0] == "MSH" else field
    if place >= len(fields):
        return ""
    if not component:
        return fields[place]
    parts = fields[place].split("~")[0].split("^")
    return parts[component - 1] if component <= len(parts) else ""


def replaced(line: str, field: int, component: int, value: str) -> str:
    """The segment with another value in a field, or in a component of each of its repetitions; the same where nothing stands there."""
    fields = line.split("|")
    place = field - 1 if fields[0] == "MSH" else field
    if place >= len(fields) or not fields[place]:
        return line
    if component:
        value = "~".join(_with_component(each.split("^"), component, value) for each in fields[place].split("~"))
    return "|".join([*fields[:place], value, *fields[place + 1 :]])


def _with_component(parts: list[str], component: int, value: str) -> str:
    return "^".join([*parts[: component - 1], value, *parts[component:]] if component <= len(parts) else parts)

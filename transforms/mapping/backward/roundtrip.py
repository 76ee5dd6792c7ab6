"""v2 to FHIR and back: which atoms of a message come back, under declared equivalences, and which rule is to blame for one that does not.

Equivalent are: fields that say the same (`same` in results.yaml) and codes that do (`alike`); a time to its digits in the same zone;
a number to its value; a code system by any of its names; a text that stands in another component of its field (`moved`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from transforms.document import Context
from transforms.hl7.escapes import unescape
from transforms.hl7.message import Message
from transforms.hl7.timestamps import fhir_datetime, zone_of
from transforms.mapping.accounting import MAPPED, Fate, account
from transforms.mapping.atoms import Atom, atoms
from transforms.mapping.backward.options import Writable, writable
from transforms.mapping.backward.to_hl7 import STRUCTURE, ToHl7
from transforms.mapping.definition import SegmentMap
from transforms.mapping.functions.numbers import decimal
from transforms.mapping.library import Library
from transforms.terminology.code_systems import uri_of

Key = tuple[Any, ...]
BACK, MOVED, LOSSY, LOST = "back", "moved", "lossy", "lost"


@dataclass(frozen=True, slots=True)
class Returned:
    """What came of an atom that the ledger calls mapped; `why`: of a lossy rule."""

    path: str
    fate: str
    rule: str
    why: str = ""


@dataclass(frozen=True)
class RoundTrip:
    """What came back of a message: its mapped atoms in their order, and the message that was written."""

    atoms: tuple[Returned, ...]
    written: Message

    @property
    def counts(self) -> dict[str, int]:
        """How many met each fate."""
        return {fate: sum(each.fate == fate for each in self.atoms) for fate in (BACK, MOVED, LOSSY, LOST)}

    @property
    def lost(self) -> list[Returned]:
        """Those of which nobody said that they would be lost."""
        return [each for each in self.atoms if each.fate == LOST]


class RoundTrips:
    """Sends messages there and back by the maps of a library."""

    def __init__(self, library: Library) -> None:
        self._traced = library.explain("auto").traced
        self._back = ToHl7(library)
        self._lossy = dict(_lossy(library.segment_maps.values()))

    def __call__(self, message: Message, context: Context) -> RoundTrip:
        """There and back.  Raises MessageError where it is no message of results."""
        converter = self._traced.of(message)
        converted, conversion = converter.run(message, context)
        written = self._back(converted.bundle, context).message
        fates = account(message, converted, conversion, converter.map).fates
        seen = _Seen(written, context)
        said = _Placed(message, context)
        mapped = [each for each in fates if each.fate == MAPPED]
        keys = [[*said.keys(each.atom)] for each in mapped]
        exact = [each.atom.position in conversion.followers or all([*map(seen.take, own)]) for each, own in zip(mapped, keys, strict=True)]
        found = [self._returned(each, back, own, seen, message) for each, own, back in zip(mapped, keys, exact, strict=True)]
        return RoundTrip(tuple(found), written)

    def _returned(self, fate: Fate, back: bool, keys: list[Key], seen: _Seen, message: Message) -> Returned:
        if back:
            return Returned(fate.atom.path, BACK, fate.rule)
        if keys and all([*map(seen.take_moved, keys)]):
            return Returned(fate.atom.path, MOVED, fate.rule)
        why = self._lossy.get(fate.rule) or _gone(fate.atom, message)
        return Returned(fate.atom.path, LOSSY if why else LOST, fate.rule, why)


class _Placed:
    """Atoms of a message, each with what it is compared by: the order it belongs to, its place, what it says."""

    def __init__(self, message: Message, context: Context) -> None:
        self.message, self._known = message, writable()
        self._zone = zone_of(context.timezone, message.get("MSH-7") or "")
        self.names = [segment.name for segment in message.segments]
        self.orders: list[int] = []
        order = 0
        for index, name in enumerate(self.names):
            begins = name == "ORC" or name == "OBR" and self.names[index - 1 : index] != ["ORC"]
            order += begins
            self.orders.append(order)

    def keys(self, atom: Atom) -> Iterator[Key]:
        """Order, segment, field, component, subcomponent, meaning; one for each line of a text."""
        segment, field = _same(self.names[atom.position], atom.field, self._known)
        place = self.orders[atom.position], segment, field, atom.component, atom.subcomponent
        for line in unescape(atom.text, self.message.delimiters, self.message.encoding).split("\n"):
            if line.strip():
                yield (*place, self._meaning(atom, " ".join(line.split()), f"{segment}-{field}"))

    def _meaning(self, atom: Atom, text: str, field: str) -> str:
        for name, *codes in self._known.alike:
            if name == field and text in codes:
                return codes[0]
        if len(text) >= 8 and text[:8].isdigit() and (time := fhir_datetime(text, self._zone).text):
            return time
        if atom.component in (3, 6) and (uri := uri_of(text)):
            return uri
        number = decimal(text)
        return str(number) if number is not None else text


class _Seen:
    """The atoms of the message that was written, taken one by one."""

    def __init__(self, written: Message, context: Context) -> None:
        placed = _Placed(written, context)
        self._twice = {fields[0] for fields in writable().same}
        names = tuple(f"{name}[{index}]" for index, name in enumerate(placed.names))
        self._keys = Counter(key for each in atoms(written, names) for key in placed.keys(each))

    def take(self, key: Key) -> bool:
        """Whether it stands in its place; it does so once, but where two fields of a message say the same."""
        if key not in self._keys:
            return False
        self._keys[key] -= f"{key[1]}-{key[2]}" not in self._twice
        return self._keys[key] >= 0

    def take_moved(self, key: Key) -> bool:
        """Whether it stands in another component of the field."""
        order, segment, field, *_, meaning = key
        for other, count in self._keys.items():
            if count > 0 and other[:3] == (order, segment, field) and other[5] == meaning:
                self._keys[other] -= 1
                return True
        return False


def _gone(atom: Atom, message: Message) -> str:
    """Why what a field says need not come back; '' where it has to."""
    segment = message.segments[atom.position]
    field, known = f"{segment.name}-{atom.field}", writable().gone
    return known.get(field) or known.get(f"{field}.{atom.component}") or (known.get(f"{field} {segment.raw(2)}", "") if segment.name == "OBX" else "")


def _same(segment: str, field: int, known: Writable) -> tuple[str, int]:
    """The first of the fields that say the same."""
    place = f"{segment}-{field}"
    for fields in known.same:
        if place in fields:
            name, _, number = fields[0].partition("-")
            return name, int(number)
    return segment, field


def _lossy(maps: Iterable[SegmentMap]) -> Iterator[tuple[str, str]]:
    for each in maps:
        for rule in each.rules:
            if rule.lossy:
                yield f"{each.name}/{rule.name}", rule.lossy

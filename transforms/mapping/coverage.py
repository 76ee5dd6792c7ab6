"""How much of the guide the maps do: each of its rows implemented, waived with a reason, or open.

A row of a segment map is implemented where those of the map's own tests prove it that its condition holds of (`proofs`,
`circumstances`), one of a datatype where a file of `maps/datatypes` says so and its tests prove that, a code where our table gives
the same, a line of a message where our map of that message uses a map that follows it.  What a map waives and need not is a
mistake, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from transforms.fhir.elements import resource_types
from transforms.mapping.datatypes import DatatypeMap, declared
from transforms.mapping.definition import MessageMap, SegmentMap, Table, Waived
from transforms.mapping.guide import KINDS, Guide, Row, followed, plain
from transforms.mapping.kit import Kit
from transforms.mapping.leaves import SELF, Steps, below
from transforms.mapping.made import segment_maps_of
from transforms.mapping.proofs import Proof, Proofs

AnyMap = SegmentMap | MessageMap | Table | DatatypeMap
_REQUIRED = re.compile(r"http://hl7\.org/fhir/|$")  # systems of elements of type code, which hold no system
_FIELD = re.compile(r"([A-Z][A-Z0-9]{2})-(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Counted:
    """A map of the guide: which of our files follow it, and how many of its rows are what."""

    kind: str
    map: str
    files: tuple[str, ...]
    implemented: int
    waived: int
    open: tuple[Row, ...]


@dataclass(frozen=True)
class Report:
    """All of them, and what is wrong with what the maps say of the guide."""

    counted: tuple[Counted, ...]
    problems: tuple[str, ...]

    @property
    def open(self) -> int:
        """Rows nobody has done or waived."""
        return sum(len(each.open) for each in self.counted)


@dataclass
class _Waiver:
    """A waiver while it is counted: what it matched, and what of that it was needed for."""

    said: Waived
    map: str
    id: str
    target: str
    matched: int = 0
    needed: int = 0

    def covers(self, row: Row) -> bool:
        """Whether it is about a row."""
        if self.id and not _glob(self.id, row.id):
            return False
        return not self.target or _glob(self.target, row.target) or _glob(self.target, plain(row.written))


@dataclass(frozen=True)
class Coverage:
    """The packaged maps beside a guide."""

    guide: Guide
    segments: Mapping[str, SegmentMap]
    messages: Mapping[str, MessageMap]
    tables: Mapping[str, Table]
    datatypes: Mapping[str, DatatypeMap]
    kit: Kit
    _proofs: dict[str, Proofs] = field(default_factory=dict)

    def report(self) -> Report:
        """Count everything."""
        counted = tuple(self._count(kind, name, rows) for kind in KINDS for name, rows in sorted(self.guide.rows[kind].items()))
        return Report(counted, tuple(self._problems()))

    def _count(self, kind: str, name: str, rows: tuple[Row, ...]) -> Counted:
        files = self._followers[kind].get(name, [])
        waivers = self._waivers[kind].get(name, [])
        done = waived = 0
        left: list[Row] = []
        for row in rows:
            covering = [each for each in waivers if each.covers(row)]
            own = any(self._implements(each, row) for each in files)
            for each in covering:
                each.matched += 1
                each.needed += not own
            if own or any(each.said.by and self._elsewhere(each.said.by, row) for each in covering):
                done += 1
            elif any(not each.said.by for each in covering) or kind == "messages" and self._waived_whole(row.target):
                waived += 1
            else:
                left.append(row)
        return Counted(kind, name, tuple(each.name for each in files), done, waived, tuple(left))

    # who follows what

    def _maps(self, kind: str) -> Mapping[str, AnyMap]:
        return {"segments": self.segments, "datatypes": self.datatypes, "tables": self.tables, "messages": self.messages}[kind]

    @cached_property
    def _followers(self) -> dict[str, dict[str, list[AnyMap]]]:
        found: dict[str, dict[str, list[AnyMap]]] = {kind: {} for kind in KINDS}
        for kind in KINDS:
            for each in self._maps(kind).values():
                for name in followed(each.follows):
                    found[kind].setdefault(name, []).append(each)
        return found

    @cached_property
    def _waivers(self) -> dict[str, dict[str, list[_Waiver]]]:
        found: dict[str, dict[str, list[_Waiver]]] = {kind: {} for kind in KINDS}
        for kind in KINDS:
            for each in self._maps(kind).values():
                for waived in each.waived:
                    for waiver in _spread(waived, followed(each.follows), self.guide.rows[kind]):
                        found[kind].setdefault(waiver.map, []).append(waiver)
        return found

    def _waived_whole(self, name: str) -> bool:
        """Whether a whole map of a segment is waived, so that messages need not use it."""
        return any(not (each.id or each.target) for each in self._waivers["segments"].get(name, ()))

    def _problems(self) -> Iterator[str]:
        for kind in KINDS:
            for name, followers in self._followers[kind].items():
                if name not in EMPTY_MAPS and not any(name in self.guide.rows[each] for each in KINDS):
                    sentence = f"follows {name}, and the guide has no such map of {kind}"
                    yield from (f"{each.spot.file}: {sentence}" for each in followers)
            groups: dict[int, list[_Waiver]] = {}
            for waivers in self._waivers[kind].values():
                for waiver in waivers:
                    groups.setdefault(id(waiver.said), []).append(waiver)
            for waivers in groups.values():
                if not any(each.needed for each in waivers):
                    spot = waivers[0].said.spot
                    why = "is about rows that are implemented" if any(each.matched for each in waivers) else "matches no row of the guide"
                    yield f"{spot.file}:{spot.place[0]}: the waiver `{waivers[0].said.row}` {why}"

    # is it done

    def _implements(self, found: AnyMap, row: Row) -> bool:
        if isinstance(found, SegmentMap):
            return self._proved(found, row)
        if isinstance(found, DatatypeMap):
            return _declares(found, row)
        if isinstance(found, Table):
            coded = found.codes.get(row.id)
            same = coded is not None and str(coded.code).lower() == row.target.lower()
            return same and (not coded.system and _REQUIRED.match(row.system) is not None or coded.system == row.system)
        used = [each for make in found.makes for each in segment_maps_of(make, self.segments)]
        return row.target == EVERY_BUNDLE or any(row.target in followed(each.follows) for each in used)

    def _elsewhere(self, name: str, row: Row) -> bool:
        """Whether another map's tests prove it."""
        name, _, place = name.partition(" ")
        other = self.segments.get(name) or self.messages.get(name)
        return other is not None and (self._proved_in(other, place, row) if place else self._proved(other, row))

    def _proved(self, found: SegmentMap | MessageMap, row: Row) -> bool:
        match = _FIELD.fullmatch(row.id)
        proofs = self._proofs_of(found)
        proof = proofs.of(match[1], int(match[2]), int(match[3] or 0), row.condition) if match else proofs.whole()
        return _shows(proof, row, _forms(found, row))

    def _proved_in(self, found: SegmentMap | MessageMap, place: str, row: Row) -> bool:
        """Whether a map's rules do what the row says of a component, in the field at `place`."""
        match, component = _FIELD.fullmatch(place), row.id.rpartition(".")[2]
        if match is None:
            return False
        proof = self._proofs_of(found).of(match[1], int(match[2]), int(component) if component.isdigit() else 0)
        return _shows(proof, row, lambda path: (path[start:] for start in range(len(path))))

    def _proofs_of(self, found: SegmentMap | MessageMap) -> Proofs:
        if found.name not in self._proofs:
            self._proofs[found.name] = Proofs(found, self.segments, self.kit)
        return self._proofs[found.name]


EVERY_BUNDLE = "MSH[Bundle]"
"""What every Bundle says of its message is nobody's make: the conversion does it (its rows count among the segments')."""
EMPTY_MAPS = ("DischargedToLocation", "SecurityLabelHandlingInstructions", "SpecimenSourceTypeModifier", "MessageStructure")
"""Maps of the guide without a row."""


def _spread(said: Waived, own: tuple[str, ...], known: Mapping[str, object]) -> Iterator[_Waiver]:
    """A waiver for each map of the guide it is about: `PRT[Device] PRT-4 type*`, `PRT-4`, `PRT[Device]`, `* PRT-4` for all of them."""
    first, _, rest = said.row.partition(" ")
    if first == "*":
        names, pattern = tuple(known), rest
    elif first in known or "[" in first:
        names, pattern = (first,), rest
    else:
        names, pattern = own, said.row
    identifier, _, target = pattern.partition(" ")
    return (_Waiver(said, name, identifier, target.strip()) for name in names)


def _glob(pattern: str, text: str) -> bool:
    """`*` and `?` as in file names; brackets are letters here."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None


def _type_of(row: Row) -> str:
    """`PRT[Observation-Location]` is about an Observation."""
    return row.map.partition("[")[2].rstrip("]").partition("-")[0].partition(".")[0]


def _forms(found: SegmentMap | MessageMap, row: Row) -> Callable[[Steps], Iterator[Steps]]:
    """How a leaf's path is called in the guide: from the resource on, wherever the map writes."""
    if isinstance(found, MessageMap):
        kind = _type_of(row)
        return lambda path: iter((path[1:],) if path[:1] and path[0][0] == kind else ())
    outer = tuple((name, 0) for name in found.type.split(".")[1:])
    if outer or found.type in resource_types():
        return lambda path: iter((outer + path,))
    return lambda path: iter((path, (("*", 0), *path)))


def _declares(found: DatatypeMap, row: Row) -> bool:
    """Whether a map of a datatype says it of the component; what its tests prove is what it may say."""
    wanted = row.elements[:-1] if row.constant and row.elements[-1][0] == "url" else row.elements
    outer = found.at.get(row.map, ())
    if outer and len(wanted) >= len(outer) and below(outer, wanted[: len(outer)]):
        wanted = wanted[len(outer) :] or SELF
    return any(below(path, wanted) for path in declared(found, row.id.replace("-", ".")))


def _shows(proof: Proof, row: Row, forms: Callable[[Steps], Iterator[Steps]]) -> bool:
    wanted, kind = tuple((name, 0) for name, _ in row.elements), _type_of(row)
    found = [value for path, value in proof.made if any(_below(form, wanted) for form in forms(path))]
    found += [value for path, value in proof.bundle if path[:1] and path[0][0] == kind and below(path[1:], wanted)]
    if row.inside and row.constant:
        return any(value == row.constant for _, value in proof.made | proof.bundle)
    return any(value == row.constant for value in found) if row.constant else bool(found)


def _below(path: Steps, wanted: Steps) -> bool:
    if path[:1] == (("*", 0),):
        return len(wanted) > 1 and below(path[1:], wanted[1:])
    return below(path, wanted)

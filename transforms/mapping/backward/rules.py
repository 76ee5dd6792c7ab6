"""The rules of segment maps run backwards: each value of a resource goes where the rule that says most of it reads it.

A rule is tried by letting it read its own inverse: what is proposed for the field goes through the rule's function, and counts by
how much of the value comes back.  So conditions, constants and tables select, and nothing is written that would be read as something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from operator import and_
from typing import Any

from transforms.fhir.elements import resource_types
from transforms.mapping.backward.elements import Json, Spot, leaves, spots, unwrapped
from transforms.mapping.backward.functions.codes import by_table
from transforms.mapping.backward.holding import holds, made_to_hold
from transforms.mapping.backward.options import Writable
from transforms.mapping.backward.registry import Proposal, inverses
from transforms.mapping.backward.rows import Row, Rows, copied
from transforms.mapping.backward.writing import Writing, encoded, within
from transforms.mapping.definition import Action, Case, Coded, Rule, SegmentMap
from transforms.mapping.functions.registry import Beside
from transforms.mapping.kit import Kit
from transforms.mapping.places import Source


@dataclass(frozen=True)
class Candidate:
    """A rule that might have written a value."""

    order: int
    rule: Rule
    case: Case
    own: str  # its segment
    spot: Spot


@dataclass(order=True)
class Tried:
    """What came of trying a candidate: the better the greater."""

    said: int
    written: bool
    rank: int  # of the type of OBX-5
    shortness: int
    order: int
    rows: dict[str, Row] = field(compare=False)


class Backwards:
    """Runs segment maps backwards."""

    def __init__(self, kit: Kit, writable: Writable) -> None:
        self.kit, self.writable, self._inverses = kit, writable, inverses()

    def write(self, resource: Json, maps: Iterable[SegmentMap], rows: dict[str, Row], w: Writing, done: Collection[str] = ()) -> set[str]:
        """Write what a resource says into the rows of the maps' segments; `rows` are all in scope.  Gives the elements written, `done` among them."""
        found: dict[str, list[Candidate]] = {}
        for order, (each, rule, case) in enumerate(self._cases(maps)):
            for spot in spots(resource, each.type, rule.to):
                if spot.path not in done:
                    found.setdefault(spot.path, []).append(Candidate(order, rule, case, each.segment, spot))
        written = {*done} | {path for path, listed in found.items() if any(self._said_around(each, rows, w) for each in listed)}
        for candidates in sorted(found.values(), key=lambda listed: (listed[0].order, listed[0].spot.path)):
            if candidates[0].spot.path in written:
                continue
            tried = [best for each in candidates if (best := _best(self._tried(each, rows, w)))]
            if tried:
                rows.update(max(tried).rows)
                written.add(candidates[0].spot.path)
        return written

    def _said_around(self, one: Candidate, rows: Rows, w: Writing) -> bool:
        """Whether one of several values is what a rule reads of a segment around, which says it already."""
        action = one.case.action
        places = [each for each in action.sources if each.segment in rows]
        if not one.spot.path.endswith("]") or not places or any(each.segment == one.own for each in action.sources) or one.rule.choose:
            return False
        text = rows[places[0].segment].read(places[0])
        if not text or action.wrap is not None or not holds(one.rule.when, rows, w.reading):
            return False
        return self._read(action, text, rows, one.spot, w, one.spot.value) == leaves(one.spot.value)

    def _cases(self, maps: Iterable[SegmentMap]) -> Iterator[tuple[SegmentMap, Rule, Case]]:
        for each in maps:
            for rule in each.rules:
                for case in rule.cases if rule.to and f"{each.name}/{rule.name}" not in self.writable.never else ():
                    if not rule.choose or set(case.values) & set(self.writable.types):
                        yield each, rule, case

    def _tried(self, one: Candidate, rows: Rows, w: Writing) -> Iterator[Tried]:
        action = one.case.action
        if not _of_this_kind(one, action):
            return
        if action.const is not None:
            yield from self._constant(one, action, rows, w)
            return
        place = next((each for each in action.sources if each.segment == one.own), None)
        value = unwrapped(action.wrap, one.spot.value)
        if place is None or value is None or not self._fits(one, action):
            return
        if isinstance(value, tuple) and value[0] is None and not value[1]:
            return
        if action.each == "lines":
            yield from self._lines(one, place, value, rows, w)
            return
        proposals = self._proposals(action, value, w)
        if str(place) in self.writable.bare:
            proposals = sorted(proposals, key=lambda each: any(each.parts[1:]))
        for index, proposal in enumerate(proposals):
            made = self._written(one, place, proposal, rows)
            if made is not None and (told := self._told(action, place, value, made, one, w)):
                grown = 0 if _only_named(one.spot) else made[one.own].size - rows[one.own].size
                yield Tried(told, True, self._rank(one), -grown, -one.order * 100 - index, made)

    def _constant(self, one: Candidate, action: Action, rows: Rows, w: Writing) -> Iterator[Tried]:
        wanted, there = leaves(action.const), leaves(one.spot.value)
        if wanted == there:
            made = copied(rows)
            made_to_hold(one.rule.when, made, one.own)
            if holds(one.rule.when, made, w.reading):
                yield Tried(_SCALE * there.total(), False, 0, 0, -one.order * 100, made)

    def _lines(self, one: Candidate, place: Source, value: Any, rows: Rows, w: Writing) -> Iterator[Tried]:
        """Lines of one text as repetitions."""
        if not isinstance(value, str) or rows[one.own].read(place) or (one.rule.choose and "\n" not in value and len(value) <= LONGEST_STRING):
            return
        made = copied(rows)
        for line in value.split("\n"):
            made[one.own].put(place, encoded((line,)))
        if self._chosen(one, made) and holds(one.rule.when, made, w.reading):
            yield Tried(_SCALE, True, self._rank(one), -len(value), -one.order * 100, made)

    def _proposals(self, action: Action, value: Any, w: Writing) -> Iterable[Proposal]:
        codes = self._codes(action)
        if not action.function and codes is not None:
            return by_table(value, codes)
        inverse = self._inverses.get(action.function)
        if inverse is None:
            return ()
        function = self.kit.functions.get(action.function)
        named = {name: each for name, each in action.withs if not isinstance(each, Source)}
        if codes is not None and function and "codes" in function.options:
            named["codes"] = codes
        if function and function.gives in resource_types() and isinstance(value, dict) and "resourceType" not in value:
            if value.get("type", function.gives) != function.gives:
                return ()
            value = _named(value, function.gives)
        return inverse(value, w, **named) if value != () else ()

    def _written(self, one: Candidate, place: Source, proposal: Proposal, rows: Rows) -> dict[str, Row] | None:
        """The rows with a proposal in them; None where it has no room."""
        made = copied(rows)
        targets = [(place, proposal.parts)]
        for name, parts in proposal.withs.items():
            where = dict(one.case.action.withs).get(name)
            if not isinstance(where, Source) or where.segment != one.own:
                return None
            targets.append((where, parts))
        for where, parts in targets:
            text = within(parts) if where.component else encoded(parts)
            if not text or not (self._room(where, text, made[one.own]) or self._halves(one, where, text, made[one.own])):
                return None
        return made if self._chosen(one, made) else None

    def _room(self, place: Source, text: str, row: Row) -> bool:
        """Write a text where it fits: where it stands already, where nothing does, or as one more repetition."""
        there = row.read(place)
        if text in (there.split("~") if not place.component else [there]):
            return True
        if there and (place.component or str(place) not in self.writable.repeats):
            return False
        row.put(place, text)
        return True

    def _halves(self, one: Candidate, place: Source, text: str, row: Row) -> bool:
        """Put a text beside what stands in other components of the same field: of a pair each is a value of its own."""
        function = self.kit.functions.get(one.case.action.function)
        if place.component or function is None or not function.list:
            return False
        there, new = row.read(place).split("^"), text.split("^")
        if "~" in row.read(place) or any(map(and_, map(bool, there), map(bool, new))):
            return False
        row.fields[place.field] = ["^".join(first or second for first, second in zip_longest(there, new, fillvalue=""))]
        return True

    def _chosen(self, one: Candidate, rows: Rows) -> bool:
        """Write the type that a case is for, unless another stands there."""
        if not one.rule.choose:
            return True
        there = rows[one.own].read(one.rule.choose)
        wanted = [each for each in self.writable.types if each in one.case.values]
        if there:
            return there in one.case.values
        rows[one.own].put(one.rule.choose, wanted[0])
        return True

    def _fits(self, one: Candidate, action: Action) -> bool:
        """Whether a rule gives the type that stands in an element of several."""
        function = self.kit.functions.get(action.function)
        if not one.spot.choice or one.spot.type == "Reference" or action.wrap is not None:
            return True
        return function is None or function.gives in ("*", one.spot.type)

    def _rank(self, one: Candidate) -> int:
        """How good the type is that a case writes: the first of the usual ones is best."""
        return -min((self.writable.types.index(each) for each in one.case.values if each in self.writable.types), default=0)

    def _told(self, action: Action, place: Source, value: Any, rows: dict[str, Row], one: Candidate, w: Writing) -> int:
        """How much of a value the rule reads back, what it would read besides taken off; 0 for nothing."""
        if not holds(one.rule.when, rows, w.reading):
            made_to_hold(one.rule.when, rows, one.own)
            if not holds(one.rule.when, rows, w.reading):
                return 0
        text = rows[one.own].read(place)
        text = text if place.component else text.split("~")[-1]
        there, back = leaves(value), self._read(action, text, rows, one.spot, w, value)
        said = (there & back).total()
        return max(said * _SCALE - (back - there).total(), 1) if said else 0

    def _read(self, action: Action, text: str, rows: Rows, spot: Spot, w: Writing, value: Any) -> Counter[tuple[str, str]]:
        codes = self._codes(action)
        function = self.kit.functions.get(action.function)
        if function is None:
            return leaves(_shaped(codes.get(text) or codes.get(None), value) if codes is not None else w.reading.text(text))
        named = {name: _field(each, rows) if isinstance(each, Source) else each for name, each in action.withs}
        if codes is not None and "codes" in function.options:
            named["codes"] = codes
        told = function.call(text, w.reading, **named)
        if function.gives == "*" and told is not None:
            kind, told = told
            if kind != spot.type:
                return Counter()
        if function.list and told:
            return max((leaves(each) for each in told), key=lambda each: (each & leaves(value)).total())
        return leaves((told.value, told.element) if isinstance(told, Beside) else told)

    def _codes(self, action: Action) -> Mapping[str | None, Coded] | None:
        table = self.kit.tables.get(action.codes) if action.codes else None
        if table is None:
            return None
        return {**table.codes, **({None: table.otherwise} if table.otherwise is not None else {})}


def _only_named(spot: Spot) -> bool:
    """Whether nobody knows if a person or an organization is meant: then the first rule decides, not the shortest text."""
    return spot.type == "Reference" and isinstance(spot.value, Mapping) and "resourceType" not in spot.value


def _named(reference: dict[str, Any], kind: str) -> dict[str, Any]:
    """What a Reference only names, or says the number of, as the resource that a function would have made."""
    told: dict[str, Any] = {"resourceType": kind}
    if isinstance(reference.get("identifier"), dict):
        told["identifier"] = [reference["identifier"]]
    return {**told, "_display": reference["display"]} if "display" in reference else told


def _best(tried: Iterator[Tried]) -> Tried | None:
    """Of a rule's proposals the first of those that say most; it counts as short as the shortest of them."""
    made = [*tried]
    if not made:
        return None
    most = max(each.said for each in made)
    equal = [each for each in made if each.said == most]
    return replace(equal[0], shortness=max(each.shortness for each in equal))


LONGEST_STRING = 199  # of ST; what is longer, or has lines, is TX
_SCALE = 4  # what a leaf that comes back outweighs of those that would be new


def _field(place: Source, rows: Rows) -> str:
    return rows[place.segment].read(place) if place.segment in rows else ""


def _shaped(coded: Coded | None, value: Any) -> Any:
    """What a table's entry is in the shape of a value."""
    if coded is None:
        return None
    if not isinstance(value, dict):
        return coded.code
    coding = {key: each for key, each in (("system", coded.system), ("code", coded.code), ("display", coded.display)) if each}
    return {"coding": [coding]} if "coding" in value else coding


def _of_this_kind(one: Candidate, action: Action) -> bool:
    """Whether the constants beside a value are the rule's."""
    if not action.with_each:
        return True
    holder = one.spot.holder if action.each_of else one.spot.value
    there = dict(holder) if isinstance(holder, Mapping) else {}
    if "_extension" in there:
        there["extension"] = there["_extension"]
    wanted = leaves(action.with_each)
    return (wanted & leaves({key: there.get(key) for key in action.with_each})) == wanted

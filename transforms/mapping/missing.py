"""Why an element is not there: of each resource that might have it, rule by rule.

A rule's field may be absent, or NULL, or say nothing the rule can use; its condition may not hold; an earlier rule may have
written the element; the whole resource may not have been made.  Where no rule writes the element, it is not mapped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.fhir.elements import element, resource_types
from transforms.mapping.calls import matches, plain, valued
from transforms.mapping.conditions import Condition
from transforms.mapping.conversion import NULL, Conversion
from transforms.mapping.definition import Action, Make, Rule, SegmentMap
from transforms.mapping.functions.registry import predicates
from transforms.mapping.made import segment_maps_of
from transforms.mapping.places import Source, Step
from transforms.mapping.to_fhir import Converter

WRITTEN, ABSENT, IS_NULL, FILTERED, OVERTAKEN, NOTHING = "written", "absent", "null", "filtered", "overtaken", "nothing"
NOT_MADE, NOT_MAPPED, LINKED, NO_ELEMENT = "not made", "not mapped", "linked", "no such element"

SENTENCES = {
    WRITTEN: "this rule wrote it",
    ABSENT: "the fields the rule reads are empty",
    IS_NULL: 'the sender says "" there: nothing is to be held',
    FILTERED: "the rule's condition does not hold",
    OVERTAKEN: "an earlier rule wrote the element",
    NOTHING: "what the fields say gives no value of this element",
    NOT_MADE: "it is not made: its condition does not hold, it says too little, or its segments are not there",
    NOT_MAPPED: "no rule of the map writes it",
    LINKED: "the message map ties it to another resource, which is not there",
    NO_ELEMENT: "R4 has no such element",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """What one rule (or the map) has to say about an element of one resource; `fields` are what it looked at."""

    resource: str  # `Observation at OBX[2]`
    rule: str
    file: str
    line: int
    why: str
    fields: tuple[str, ...] = ()


def reasons(traced: Converter, maps: Mapping[str, SegmentMap], conversion: Conversion, path: str) -> list[Reason]:
    """All reasons for `Type.element`, of every resource of that type that the message could make.  `traced`: what converted it."""
    kind, _, wanted = path.partition(".")
    names = tuple(each.partition("[")[0] for each in wanted.split("."))
    if kind not in resource_types() or element(kind, names[0].lstrip("_")) is None:
        return [Reason(path, "", "", 0, NO_ELEMENT)]
    return list(_Search(traced, maps, conversion, kind, names).found())


class _Search:
    """One question about one message."""

    def __init__(self, traced: Converter, maps: Mapping[str, SegmentMap], conversion: Conversion, kind: str, names: tuple[str, ...]) -> None:
        self._map, self._maps, self._conversion, self._kind, self._names = traced.map, maps, conversion, kind, names
        self._sites = {site.name: site for site in traced.module.sites}
        self._writers = {(id(holder), line.file, line.line) for holder, _, _, line, _ in conversion.trace if holder is not None}

    def found(self) -> Iterator[Reason]:
        made = False
        for index, make in enumerate(self._map.makes):
            inside = _inside(make)
            if make.type != self._kind and not (inside and self._owner(make) == self._kind):
                continue
            for step in self._conversion.plan.steps[index]:
                made = True
                yield from self._of_step(index, make, step, inside)
        if not made:
            yield Reason(self._kind, self._map.name, self._map.spot.file, 1, NOT_MADE)

    def _owner(self, make: Make) -> str:
        return next((each.type for each in self._map.makes if each.name == make.into.partition(".")[0]), "")

    def _of_step(self, index: int, make: Make, step: tuple[Any, ...], inside: str) -> Iterator[Reason]:
        """What the rules of a make say, where it happens once."""
        names = self._names
        if inside:
            if names[0] != inside.partition(".")[0]:
                return
            names = names[len(inside.split(".")) :]
        positions = self._positions(make, step)
        named = f"{make.type} at {self._place(make, positions)}"
        out = self._conversion.outs[step[0]]
        line = make.spot.place[0]
        if out is None:
            fields = self._looked_at(make.when, positions) if make.when else ()
            yield Reason(named, f"{self._map.name}/{make.name}", make.spot.file, line, NOT_MADE, fields)
            return
        rules = [(each.name, rule) for each in segment_maps_of(make, self._maps) for rule in each.rules if rule.to and _meets(rule.to, names)]
        for map_name, rule in rules:
            yield self._of_rule(named, f"{map_name}/{rule.name}", rule, positions, out)
        if any(name.partition(".")[0] == names[0] for name, _ in make.link if names):
            why = WRITTEN if names[0] in out else LINKED
            yield Reason(named, f"{self._map.name}/{make.name}", make.spot.file, line, why)
        elif not rules and not inside:
            inner = any(each.into == f"{make.name}.{names[0]}" for each in self._map.makes)
            why = WRITTEN if names[0] in out else NOT_MADE if inner else NOT_MAPPED
            yield Reason(named, f"{self._map.name}/{make.name}", make.spot.file, line, why)

    def _of_rule(self, named: str, rule_name: str, rule: Rule, positions: Mapping[str, int], out: dict[str, Any]) -> Reason:
        action = rule.cases[0].action
        if rule.when is not None and not self._holds(rule.when, positions):
            why, fields = FILTERED, self._looked_at(rule.when, positions)
        else:
            chosen = self._chosen(rule, positions)
            action = chosen or action
            fields = tuple(self._named(each, positions) for each in action.sources)
            why = self._why(action, positions, out) if chosen is not None else FILTERED
            if chosen is None and rule.choose is not None:
                fields = (self._named(rule.choose, positions),)
        return Reason(named, rule_name, action.spot.file, action.spot.place[0], why, fields)

    def _why(self, action: Action, positions: Mapping[str, int], out: dict[str, Any]) -> str:
        if self._wrote(action, out):
            return WRITTEN
        texts = [self._text(each, positions) for each in action.sources]
        if texts and not any(texts):
            return ABSENT
        if texts and all(text in ("", NULL) for text in texts):
            return IS_NULL
        return OVERTAKEN if self._is_there(out) else NOTHING

    def _wrote(self, action: Action, value: Any) -> bool:
        """Whether a rule wrote something inside a resource."""
        if isinstance(value, dict):
            if (id(value), action.spot.file, action.spot.place[0]) in self._writers:
                return True
            return any(self._wrote(action, each) for each in value.values())
        return isinstance(value, list) and any(self._wrote(action, each) for each in value)

    def _is_there(self, out: dict[str, Any]) -> bool:
        name = self._names[0]
        return any(each == name or each.startswith(name) and each[len(name) :][:1].isupper() for each in out)

    def _chosen(self, rule: Rule, positions: Mapping[str, int]) -> Action | None:
        if rule.choose is None:
            return rule.cases[0].action
        text = self._text(rule.choose, positions)
        said = plain(text, rule.choose.component, rule.choose.subcomponent, self._conversion)
        fitting = [each for each in rule.cases if said in each.values] or [each for each in rule.cases if not each.values]
        return fitting[0].action if fitting else None

    # what rules see

    def _positions(self, make: Make, step: tuple[Any, ...]) -> Mapping[str, int]:
        """Positions of the segments by name, as rules of this step see them."""
        return dict(zip(self._sites[make.name].segments, step[2:]))

    def _place(self, make: Make, positions: Mapping[str, int]) -> str:
        own = [each.segment for each in segment_maps_of(make, self._maps) if positions.get(each.segment, -1) >= 0]
        return self._conversion.plan.places[positions[own[-1]]] if own else "the message"

    def _text(self, place: Source, positions: Mapping[str, int]) -> str:
        position = positions.get(place.segment, -1)
        row = self._conversion.rows[position] if position >= 0 else []
        return row[place.field] if place.field < len(row) else ""

    def _named(self, place: Source, positions: Mapping[str, int]) -> str:
        position = positions.get(place.segment, -1)
        return self._conversion.place_of(position, place.field, 0, place.component) if position >= 0 else str(place)

    def _looked_at(self, condition: Condition, positions: Mapping[str, int]) -> tuple[str, ...]:
        found = [self._named(each.source, positions) if each.source else each.segment for each in condition.walk() if each.source or each.segment]
        return tuple(dict.fromkeys(found))

    def _holds(self, condition: Condition, positions: Mapping[str, int]) -> bool:
        """As the generated code asks it (transforms.mapping.expressions)."""
        kind, place, reading = condition.kind, condition.source, self._conversion
        if kind in ("all", "any", "not"):
            answers = [self._holds(each, positions) for each in condition.inner]
            return not answers[0] if kind == "not" else all(answers) if kind == "all" else any(answers)
        if kind == "option":
            wanted = condition.values[0]
            return getattr(reading.options, condition.segment, None) in (wanted if isinstance(wanted, list) else [wanted])
        if place is None:
            return (positions.get(condition.segment, -1) >= 0) == (kind == "valued")
        text = self._text(place, positions)
        if kind == "equals":
            return plain(text, place.component, place.subcomponent, reading) in condition.values
        if kind == "repeats":
            return reading.repetition in text
        if kind == "matches":
            return matches(predicates()[condition.values[0]], text, reading)
        there = valued(text, place.component, place.subcomponent, reading) if place.component else text not in ("", NULL)
        return there == (kind == "valued")


def _inside(make: Make) -> str:
    """The element of another make that a make fills."""
    return make.into.partition(".")[2]


def _meets(steps: tuple[Step, ...], names: tuple[str, ...]) -> bool:
    """Whether a rule's target is the element asked about, lies in it, or holds it; `value` stands for `valueQuantity`."""
    return all(step.name == name or name.startswith(step.name) and name[len(step.name) :][:1].isupper() for step, name in zip(steps, names))

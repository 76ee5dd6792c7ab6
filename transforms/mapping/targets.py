"""What a rule writes: the element of R4 its `to` names, and the form a value must have to stand there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from transforms.fhir.elements import Element, children, element, primitive_types
from transforms.mapping.calls import fill
from transforms.mapping.definition import Coded, Rule
from transforms.mapping.places import Source, Step


@dataclass(frozen=True)
class Located:
    """A target found in R4: the containers on the way, and the element written."""

    containers: tuple[tuple[Step, bool], ...]  # (step, it is a list)
    name: str
    element: Element


def locate(type_name: str, steps: tuple[Step, ...]) -> Located | str:
    """The element that `steps` name below a type; or the name that R4 does not have there."""
    containers: list[tuple[Step, bool]] = []
    for index, step in enumerate(steps):
        found = _child(type_name, step.name)
        if found is None:
            return step.name
        if index == len(steps) - 1:
            return Located(tuple(containers), step.name, found)
        containers.append((step, found.many))
        type_name = "Element" if step.name.startswith("_") else _type_below(type_name, step.name, found)
    return ""


def _child(type_name: str, name: str) -> Element | None:
    if name.startswith("_"):
        beside = element(type_name, name[1:])
        if beside is None or not set(beside.types) & primitive_types():
            return None
        return Element(beside.path, name, 0, beside.max, ("Element",))
    if type_name == "Element" and name == "extension":
        return element("Quantity", "extension")
    return element(type_name, name)


def _type_below(type_name: str, name: str, found: Element) -> str:
    if found.choice and name != found.name:
        return next(each for each in found.types if found.property_for(each) == name)
    return found.types[0]


def shaped(coded: Coded, types: tuple[str, ...]) -> Any:
    """What a table's entry is as a value of one of `types`."""
    if "CodeableConcept" in types or "Coding" in types:
        coding = {key: each for key, each in (("system", coded.system), ("code", coded.code), ("display", coded.display)) if each}
        return {"coding": [coding]} if "CodeableConcept" in types else coding
    return coded.code


def in_wrapping(value: Any, wrap: Any) -> Any:
    """A table's value in its wrapping."""
    return value if wrap is None else fill(wrap, value, _kind_of(value))


def _kind_of(value: Any) -> str:
    if isinstance(value, dict):
        return "CodeableConcept" if "coding" in value else "Coding"
    return "boolean" if isinstance(value, bool) else "code"


def wraps_pair(wrap: Any) -> bool:
    """Whether a wrapping names its value by type: `value[x]`."""
    if isinstance(wrap, dict):
        return any(key.endswith("[x]") or wraps_pair(each) for key, each in wrap.items())
    return isinstance(wrap, list) and any(map(wraps_pair, wrap))


def inner_types(types: tuple[str, ...], wrap: Any) -> tuple[str, ...]:
    """The types a table's entry should be shaped for inside `wrap`."""
    if wrap is None:
        return types
    for key, value in _pairs(wrap):
        if value == "@":
            for name in ("CodeableConcept", "Coding"):
                if key.endswith(name):
                    return (name,)
            if key == "coding":
                return ("Coding",)
    return ("code",)


def _pairs(wrap: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(wrap, dict):
        for key, value in wrap.items():
            yield key, value[0] if isinstance(value, list) and value else value
            yield from _pairs(value)
    elif isinstance(wrap, list):
        for each in wrap:
            yield from _pairs(each)


def text_type(found: Element) -> str:
    """The type that text has in an element."""
    return next((each for each in ("string", "code", "markdown") if each in found.types), found.types[0])


def const_type(value: Any, found: Element) -> str:
    """The type of a constant in a choice."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, dict):
        names = [each for each in found.types if children(each) and all(key in children(each) for key in value)]
        return names[0] if names else found.types[0]
    return text_type(found)


def constant_keys(rules: list[Rule]) -> set[str]:
    """First names of targets that only constants write."""
    keys: dict[str, bool] = {}
    for rule in rules:
        for case in rule.cases:
            if rule.to:
                keys[rule.to[0].name] = keys.get(rule.to[0].name, True) and not case.action.sources
    return {key for key, constant in keys.items() if constant}


def count_readers(rules: list[Rule]) -> dict[tuple[str, int], int]:
    """How many rules (cases count each) read a field."""
    counts: dict[tuple[str, int], int] = {}
    for rule in rules:
        for place in fields_read(rule):
            counts[place] = counts.get(place, 0) + 1
    return counts


def fields_read(rule: Rule) -> Iterator[tuple[str, int]]:
    """The fields a rule may use, once for each case and place that does."""
    for case in rule.cases:
        for place in case.action.sources:
            yield place.segment, place.field
        for _, value in case.action.withs:
            if isinstance(value, Source):
                yield value.segment, value.field
    if rule.choose is not None:
        yield rule.choose.segment, rule.choose.field
    if rule.when is not None:
        for each in rule.when.certain:
            yield each.source.segment, each.source.field
    for place in rule.drop:
        yield place.segment, place.field


def json_names(type_name: str, name: str) -> list[str]:
    """The names an element may have in JSON: several for a choice."""
    found = element(type_name, name)
    return [name] if found is None or not found.choice else [found.property_for(each) for each in found.types]


def reads_many(type_name: str, rule: Rule) -> bool:
    """Whether a rule takes all repetitions of what it reads."""
    found = locate(type_name, rule.to) if rule.to else ""
    return isinstance(found, Located) and (found.element.many or any(case.action.each in ("lines", "whole") or case.action.each_of for case in rule.cases))

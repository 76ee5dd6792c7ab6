"""Keys come from the message as received (rule 2): steps before the map may change what is said, never what it is called.

A look-up that one day gains a code, or a field that is tidied up, must not make a second result of every correction.  So where a
step changed a field that keys are made of, the message as received is converted too, and lends its ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from transforms.document import Part, ReportFact
from transforms.fhir.serialization import dumps, loads
from transforms.hl7.message import Message
from transforms.mapping.to_fhir import Converted

IDENTIFYING = {"MSH": (3, 4, 10), "ORC": (2, 3), "OBR": (2, 3, 4, 7), "OBX": (3, 4, 21), "SPM": (2,)}
"""Segments and fields that keys are made of."""

_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Fields = Mapping[str, tuple[int, ...]]
NONE: Fields = {}
Convert = Callable[[Message], Converted]


def named_as_received(converted: Converted, message: Message, received: Message, convert: Convert, keyed: Fields = NONE) -> Converted:
    """`converted`, its owned resources called what the message as received calls them.  `keyed`: what keys of the map are made of.

    Where steps left out or added segments, resources are paired in their order, type by type.
    """
    fields = IDENTIFYING if not keyed else {name: (*IDENTIFYING.get(name, ()), *keyed.get(name, ())) for name in {**IDENTIFYING, **keyed}}
    if _identifying(message, fields) == _identifying(received, fields):
        return converted
    first = convert(received)
    names = dict(_pairs(converted.bundle, first.bundle))
    if not names:
        return converted
    text = _UUID.sub(lambda found: names.get(found[0].decode(), found[0].decode()).encode(), dumps(converted.bundle))
    parts = tuple(_part(part, names) for part in converted.parts)
    return replace(converted, bundle=loads(text), parts=_keyed(parts, first.parts))


def _identifying(message: Message, fields: Fields) -> list[tuple[str, ...]]:
    """What keys are made of: of coded fields the sender's own code, text and system."""
    separator = message.delimiters.component
    return [
        tuple(_known_by(segment.raw(number), separator, segment.name, number) for number in fields[segment.name])
        for segment in message.segments
        if segment.name in fields
    ]


def _known_by(text: str, separator: str, segment: str, number: int) -> str:
    """The part of a field that a key takes: all of a number or a place."""
    return separator.join(text.split(separator)[:3]) if number in IDENTIFYING.get(segment, ()) else text


def _pairs(bundle: dict[str, Any], received: dict[str, Any]) -> list[tuple[str, str]]:
    then = _owned(received)
    return [
        (now, old) for kind, names in _owned(bundle).items() for now, old in zip(names, then.get(kind, ()), strict=False) if now != old
    ]  # fmt: skip


def _owned(bundle: dict[str, Any]) -> dict[str, list[str]]:
    """Ids of what is put by its id, by type."""
    found: dict[str, list[str]] = {}
    for entry in bundle["entry"]:
        if entry["request"]["method"] == "PUT" and "id" in entry["resource"]:
            found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"]["id"])
    return found


def _part(part: Part, names: dict[str, str]) -> Part:
    def named(ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(each, each) for each in ids)

    def known(fact: ReportFact) -> ReportFact:
        (report,) = named((fact.report,))
        lists = (named(fact.observations), named(fact.emptied), named(fact.status_only))
        return replace(fact, report=report, observations=lists[0], emptied=lists[1], status_only=lists[2])

    return replace(part, facts=tuple(map(known, part.facts)))


def _keyed(parts: tuple[Part, ...], received: tuple[Part, ...]) -> tuple[Part, ...]:
    """The register's keys as received, report by report."""
    keys = {fact.report: fact.key for part in received for fact in part.facts}

    def keyed(fact: ReportFact) -> ReportFact:
        return replace(fact, key=keys.get(fact.report, fact.key))

    return tuple(replace(part, facts=tuple(map(keyed, part.facts))) for part in parts)

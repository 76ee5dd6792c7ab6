"""What of a Bundle a message does not carry: the leaves that its conversion does not give back, as FHIR paths.

Resources are set side by side by how they hang together: patients and reports in their order, what a report refers to in the order it does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from transforms.mapping.backward.elements import NAMED, NOWHERE, Entries, Json, leaves

_LINKED = ("basedOn", "specimen", "result")
Pair = tuple[Json, Json | None]


def not_carried(given: Entries, back: Entries) -> tuple[str, ...]:
    """The paths of what does not come back, in the order of the Bundle."""
    pairs = {id(one): (one, other) for one, other in _pairs(given, back)}
    found: list[str] = []
    inside = [(one, other) for one, other in pairs.values() if id(one) not in given.places]
    for resource in given.resources:
        place = f"Bundle.entry[{given.places[id(resource)]}].resource"
        kind = resource.get("resourceType", "")
        if id(resource) in pairs:
            found += (f"{place}.{path}" for path in _missing(given, back, *pairs[id(resource)]))
        elif kind not in NAMED and kind != "MessageHeader":
            found.append(f"{place} ({kind})")
    for one, other in inside:  # contained, or no entry of its own
        found += (f"contained {one.get('resourceType', '')}.{path}" for path in _missing(given, back, one, other))
    return tuple(dict.fromkeys(found))


def _missing(given: Entries, back: Entries, one: Json, other: Json | None) -> Iterator[str]:
    wanted = leaves(given.whole(one))
    there = leaves(back.whole(other)) if other is not None else Counter()
    missing = (wanted - there).keys()
    yield from dict.fromkeys(path.strip(".").removesuffix("._link") for path, told in missing if not path.endswith("_link") or told == NOWHERE)


def _pairs(given: Entries, back: Entries) -> Iterator[Pair]:
    patients = [_patients(each) for each in (given, back)]
    yield from _zipped(*patients)
    for kind in ("RelatedPerson", "Provenance"):
        yield from _zipped(given.of_type(kind), back.of_type(kind))
    for one, other in _zipped(given.of_type("DiagnosticReport"), back.of_type("DiagnosticReport")):
        yield one, other
        for name in ("encounter", *_LINKED):
            yield from _zipped(_targets(one, name, given), _targets(other, name, back) if other is not None else [])


def _patients(entries: Entries) -> list[Json]:
    """The patients of reports, in the order of the reports."""
    found: dict[int, Any] = {}
    for report in entries.of_type("DiagnosticReport"):
        patient = entries.followed(report.get("subject"), report)
        if patient is not None:
            found.setdefault(id(patient), patient)
    return [*found.values()]


def _targets(report: Json, name: str, entries: Entries) -> list[Json]:
    told = report.get(name, ())
    listed = [told] if isinstance(told, dict) else told
    kind = {"basedOn": "ServiceRequest", "specimen": "Specimen", "result": "Observation", "encounter": "Encounter"}[name]
    found = [entries.followed(each, report) for each in listed]
    return [each for each in found if each is not None and each.get("resourceType") == kind]


def _zipped(ones: list[Json], others: list[Json]) -> Iterator[Pair]:
    for one, other in zip_longest(ones, others):
        if one is not None:
            yield one, other

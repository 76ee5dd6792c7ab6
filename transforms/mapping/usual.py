"""What things are known by where a map does not say (`identify`): the fields that number or name them in the segments they are made of.

What is a patient's or a visit's is known within it.  Types that are not here are known by an identifier of somebody's, if they have one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from transforms.mapping.definition import Make, MessageMap, SegmentMap
from transforms.mapping.keys import Declared
from transforms.mapping.places import Source, source

OF_VISIT = ("Encounter", "Patient")
OF_PATIENT = ("Patient",)
OF_NOBODY = ()
USUAL: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Condition": (("DG1-20", "DG1-3 DG1-6", "PRB-4", "PRB-3 PRB-2"), OF_VISIT),
    "Procedure": (("PR1-19", "PR1-3 PR1-5"), OF_VISIT),
    "AllergyIntolerance": (("IAM-7", "IAM-3", "AL1-3"), OF_PATIENT),
    "Coverage": (("IN1-36 IN1-3", "IN1-2 IN1-3"), OF_PATIENT),
    "Immunization": (("ORC-3", "RXA-5 RXA-3"), OF_PATIENT),
    "Goal": (("GOL-4", "GOL-3 GOL-2"), OF_PATIENT),
    "CareTeam": (("PV1-19", "PRD-7"), OF_PATIENT),
    "EpisodeOfCare": (("PV1-54", "PRB-4"), OF_PATIENT),
    "ChargeItem": (("FT1-2", "FT1-7 FT1-4"), OF_VISIT),
    "Account": (("PID-18",), OF_NOBODY),
    "Appointment": (("SCH-2", "SCH-1"), OF_NOBODY),
    "MedicationRequest": (("ORC-2", "ORC-3"), OF_NOBODY),
    "MedicationDispense": (("ORC-3 RXD-1", "ORC-2 RXD-1"), OF_NOBODY),
    "MedicationAdministration": (("ORC-3 RXA-3", "ORC-2 RXA-3"), OF_NOBODY),
    "Location": (("LOC-1", "AIL-3", "PV1-3"), OF_NOBODY),
    "MessageHeader": (("MSH-10 MSH-7",), OF_NOBODY),
}
"""Type -> alternatives (as `by` has them), and whose it is."""


def with_usual(message_map: MessageMap, maps: Mapping[str, SegmentMap]) -> MessageMap:
    """The map with what its makes are known by, where it does not say."""
    made: list[Make] = []
    for make in message_map.makes:
        known = None if make.identify or make.into or make.type not in USUAL else _usual(make, made, maps)
        made.append(replace(make, identify=known) if known else make)
    return replace(message_map, makes=tuple(made))


def _usual(make: Make, earlier: list[Make], maps: Mapping[str, SegmentMap]) -> Declared | None:
    alternatives, whose = USUAL[make.type]
    used = [maps.get(f"{name}_{make.type}") or maps.get(name) for name in make.with_]
    own = {each.segment for each in used if each is not None}
    by = tuple(tuple(map(_place, each.split())) for each in alternatives)
    by = tuple(each for each in by if each[0].segment in own or own & {place.segment for place in each})
    types = {each.name: each.type for each in earlier}
    linked = [wanted for _, wanted in make.link if types.get(wanted) in whose]
    of = tuple(sorted(linked, key=lambda name: whose.index(types[name])))
    return Declared(make.spot, by, of) if by and (of or not whose) else None


def _place(text: str) -> Source:
    found = source(text)
    assert found is not None
    return found

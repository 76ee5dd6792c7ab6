"""PRT: a person, an organization, a place or a device that took part (v2-to-FHIR, PRT[PractitionerRole], PRT[Device])."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import codeable_concept
from transforms.mapping.functions.composites import apart, components, reading
from transforms.mapping.functions.contacts import contact_point
from transforms.mapping.functions.identifiers import entity_identifier
from transforms.mapping.functions.people import organization as as_organization
from transforms.mapping.functions.people import practitioner
from transforms.mapping.functions.places import location as as_location
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.times import plain_date_time
from transforms.mapping.reading import Reading


@function("participant", gives="PractitionerRole", memo=True)
def participant(
    text: str,
    r: Reading,
    role: str = "",
    specialty: str = "",
    organization: str = "",
    location: str = "",
    telecom: str = "",
    start: str = "",
    end: str = "",
) -> dict[str, Any] | None:
    """PRT's person as PractitionerRole, with what the same segment says of role, specialty, organization, place, telephone and time."""
    person = practitioner(text, r)
    if person is None:
        return None
    made: dict[str, Any] = {"resourceType": "PractitionerRole", "practitioner": person}
    if period := _period(start, end, r):
        made["period"] = period
    if organization and (facility := apart("organization", lambda: as_organization(organization, r), r)):
        made["organization"] = facility
    if role and (said := apart("role", lambda: codeable_concept(role, r, table="0912"), r)):
        made["code"] = [said]
    if specialty and (said := apart("specialty", lambda: codeable_concept(specialty, r), r)):
        made["specialty"] = [said]
    if location and (place := apart("location", lambda: as_location(location, r), r)):
        made["location"] = [place]
    if telecom and (point := apart("telecom", lambda: contact_point(telecom, r), r)):
        made["telecom"] = [point]
    return made


def _period(start: str, end: str, r: Reading) -> dict[str, str]:
    limits = {"start": start, "end": end}
    return {name: said for name, raw in limits.items() if raw and (said := plain_date_time(raw, r))}


@function("participating_device", gives="Device", memo=True)
def participating_device(
    text: str, r: Reading, udi: str = "", made_on: str = "", expires: str = "", lot: str = "", serial: str = "", donation: str = ""
) -> dict[str, Any] | None:
    """PRT-10 as Device, with what PRT-16 to PRT-21 say of it."""
    number = entity_identifier(text, r)
    if number is None:
        return None
    device: dict[str, Any] = {"resourceType": "Device", "identifier": [number]}
    if udi:
        device["udiCarrier"] = [{"deviceIdentifier": reading(components(udi, r, 1)[0], r)}]
    for name, raw in (("manufactureDate", made_on), ("expirationDate", expires)):
        if raw and (said := plain_date_time(raw, r)):
            device[name] = said
    for name, raw in (("lotNumber", lot), ("serialNumber", serial), ("distinctIdentifier", donation)):
        if raw and (said := reading(components(raw, r, 1)[0], r)):
            device[name] = said
    return device

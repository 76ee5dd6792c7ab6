"""PRT: a person, an organization, a place or a device that took part (v2-to-FHIR, PRT[PractitionerRole], PRT[Device])."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import Codes, codeable_concept
from transforms.mapping.functions.composites import apart, components, reading
from transforms.mapping.functions.contacts import contact_point
from transforms.mapping.functions.extensions import extension
from transforms.mapping.functions.identifiers import entity_identifier, practitioner_number
from transforms.mapping.functions.people import organization as as_organization
from transforms.mapping.functions.people import practitioner
from transforms.mapping.functions.places import location as as_location
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.times import period, period_until, plain_date_time
from transforms.mapping.reading import Reading

_PREFERRED = {
    "B": ("system", "pager"), "C": ("use", "mobile"), "E": ("system", "email"),
    "F": ("system", "fax"), "H": ("use", "home"), "O": ("use", "work"),
}  # fmt: skip
"""Table 0185: what kind of contact is preferred, as the element of a ContactPoint that says so."""


@function("participant", gives="PractitionerRole", memo=True)
def participant(
    text: str,
    r: Reading,
    codes: Codes | None = None,
    role: str = "",
    specialty: str = "",
    unit: str = "",
    organization: str = "",
    location: str = "",
    start: str = "",
    end: str = "",
    address: str = "",
    telecom: str = "",
    preferred: str = "",
    number: str = "",
) -> dict[str, Any] | None:
    """PRT's person as PractitionerRole, with what the same segment says of role, specialty, organization, place, telephone and time.

    An address and another number are the person's; the telephone is the role's, `preferred` where PRT-23 says so of its kind.
    """
    person = practitioner(text, r, address=address)
    if person is None:
        return None
    made: dict[str, Any] = {"resourceType": "PractitionerRole", "practitioner": _numbered(person, number, r)}
    if limits := period(start, r, end) if start else period_until(end, r):
        made["period"] = limits
    if facility := _facility(organization, unit, r):
        made["organization"] = facility
    if role and (said := apart("role", lambda: codeable_concept(role, r, codes, table="0912"), r)):
        made["code"] = [said]
    if specialty and (said := apart("specialty", lambda: codeable_concept(specialty, r), r)):
        made["specialty"] = [said]
    if location and (place := apart("location", lambda: as_location(location, r), r)):
        made["location"] = [place]
    if point := apart("telecom", lambda: contact_point(telecom, r), r) if telecom else None:
        made["telecom"] = [_preferred(point, preferred, r)]
    elif preferred:
        r.left("preferred")
    return made


def _numbered(person: dict[str, Any], number: str, r: Reading) -> dict[str, Any]:
    """A person with the number of PRT-24 behind those XCN gives."""
    made = apart("number", lambda: practitioner_number(number, r), r) if number else None
    if made is None:
        return person
    named = {key: value for key, value in person.items() if key != "_display"}
    if "_display" in person:
        named["name"] = [{"family": person["_display"]}]
    return {**named, "identifier": [*person.get("identifier", ()), made]}


def _facility(organization: str, unit: str, r: Reading) -> dict[str, Any] | None:
    """PRT-8, with the kind of organization PRT-7 says it is."""
    facility = apart("organization", lambda: as_organization(organization, r), r) if organization else None
    kind = apart("unit", lambda: codeable_concept(unit, r, table="0406"), r) if unit and facility else None
    if facility is None or kind is None:
        if unit:
            r.left("unit")
        return facility
    named = {key: value for key, value in facility.items() if key != "_display"}
    return {**named, "type": [kind], **({"name": facility["_display"]} if "_display" in facility else {})}


def _preferred(point: dict[str, Any], code: str, r: Reading) -> dict[str, Any]:
    """The telephone or address to be used first, if PRT-23 means one of its kind."""
    if not code:
        return point
    element, value = _PREFERRED.get(reading(components(code, r, 1)[0], r), ("", ""))
    if not value or point.get(element) != value:
        r.left("preferred")
        return point
    return {**point, "extension": [*point.get("extension", ()), extension("iso21090-preferred", "Boolean", True)]}


@function("participating_device", gives="Device", memo=True)
def participating_device(
    text: str, r: Reading, udi: str = "", made_on: str = "", expires: str = "", lot: str = "", serial: str = "",
    donation: str = "", kind: str = "",
) -> dict[str, Any] | None:  # fmt: skip
    """PRT-10 as Device, with what PRT-16 to PRT-22 say of it."""
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
    if kind and (said := apart("kind", lambda: codeable_concept(kind, r), r)):
        device["type"] = said
    return device

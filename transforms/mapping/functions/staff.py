"""Staff and places of master files, providers of referrals: STF, PRA, PRD, EDU, CER (no map of the guide's is about them)."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import codeable_concept
from transforms.mapping.functions.composites import apart, components, left, reading
from transforms.mapping.functions.contacts import address as as_address
from transforms.mapping.functions.contacts import contact_point
from transforms.mapping.functions.identifiers import practitioner_number
from transforms.mapping.functions.names import human_name
from transforms.mapping.functions.people import organization as as_organization
from transforms.mapping.functions.places import location as as_location
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.times import plain_date_time
from transforms.mapping.reading import Reading


@function("active_flag", gives="boolean", memo=True)
def active_flag(text: str, r: Reading) -> bool | None:
    """A or I of table 0183 as active or not."""
    return {"A": True, "I": False}.get(reading(components(text, r, 1)[0], r).upper())


@function("active_event", gives="boolean", memo=True)
def active_event(text: str, r: Reading) -> bool | None:
    """What MFE-1, or an event of PMU, says of who or what a record is about: deleted and deactivated is not active, reactivated is."""
    said = reading(components(text, r, 1)[0], r).upper()
    return {"MDL": False, "MDC": False, "MAC": True, "B03": False, "B05": False, "B06": False}.get(said)


@function("location_event", gives="code", memo=True)
def location_event(text: str, r: Reading) -> str | None:
    """The same as a Location's status."""
    said = active_event(text, r)
    return None if said is None else "active" if said else "inactive"


@function("specialty", gives="CodeableConcept", memo=True)
def specialty(text: str, r: Reading) -> dict[str, Any] | None:
    """SPD.1, the name of a specialty; who certified it and when goes to the ledger."""
    parts = components(text, r, 4)
    left(parts, r, 2, 3, 4)
    said = reading(parts[0], r)
    return {"text": said} if said else None


@function("day_of", gives="dateTime", memo=True)
def day_of(text: str, r: Reading) -> str | None:
    """DIN.1, the day from which or until which an institution has somebody; which institution goes to the ledger."""
    parts = components(text, r, 2)
    left(parts, r, 2)
    return plain_date_time(parts[0], r) if parts[0] else None


@function("provider", gives="PractitionerRole", memo=True)
def provider(
    text: str, r: Reading, number: str = "", address: str = "", place: str = "", telecom: str = "", role: str = "",
    organization: str = "", organization_address: str = "", organization_telecom: str = "", start: str = "", end: str = "",
) -> dict[str, Any] | None:  # fmt: skip
    """PRD: a person (PRD-2, XPN) in a role at an organization, as PractitionerRole."""
    name = human_name(text, r)
    person: dict[str, Any] = {"resourceType": "Practitioner"}
    if number and (identifier := apart("number", lambda: practitioner_number(number, r), r)):
        person["identifier"] = [identifier]
    if name:
        person["name"] = [name]
    if address and (said := apart("address", lambda: as_address(address, r), r)):
        person["address"] = [said]
    if len(person) == 1:
        return None
    made: dict[str, Any] = {"resourceType": "PractitionerRole", "practitioner": person}
    limits = {"start": plain_date_time(start, r) if start else None, "end": plain_date_time(end, r) if end else None}
    if period := {key: value for key, value in limits.items() if value}:
        made["period"] = period
    others = {"organization_address": organization_address, "organization_telecom": organization_telecom}
    if organization:
        at = apart("organization", lambda: as_organization(organization, r, organization_address, organization_telecom), r)
        if at:
            made["organization"] = at
    else:
        for called, value in others.items():
            if value:
                r.left(called)
    if role and (code := apart("role", lambda: codeable_concept(role, r, table="0286"), r)):
        made["code"] = [code]
    if place and (where := apart("place", lambda: as_location(place, r), r)):
        made["location"] = [where]
    if telecom and (point := apart("telecom", lambda: contact_point(telecom, r), r)):
        made["telecom"] = [point]
    return made

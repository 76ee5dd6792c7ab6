"""ROL and its like: who plays a part for a patient, a visit or a procedure (v2-to-FHIR, ROL[Encounter-PractitionerRole])."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import Codes, codeable_concept
from transforms.mapping.functions.composites import apart, components, left, reading
from transforms.mapping.functions.contacts import address as as_address
from transforms.mapping.functions.contacts import contact_point
from transforms.mapping.functions.extensions import NOT_KNOWN
from transforms.mapping.functions.identifiers import entity_identifier
from transforms.mapping.functions.names import name_text
from transforms.mapping.functions.people import organization as as_organization
from transforms.mapping.functions.people import practitioner
from transforms.mapping.functions.places import location as as_location
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.times import period, period_until
from transforms.mapping.reading import Reading

_PERSONAL = ("N", "BDL", "F", "H", "P", "BR", "V", "")
"""XAD.7 of an address that is the person's own; any other is where the role is played."""


@function("role_holder", gives="PractitionerRole", memo=True)
def role_holder(
    text: str,
    r: Reading,
    codes: Codes | None = None,
    instance: str = "",
    role: str = "",
    provider: str = "",
    start: str = "",
    end: str = "",
    address: str = "",
    telecom: str = "",
    location: str = "",
    organization: str = "",
    unit: str = "",
) -> dict[str, Any] | None:
    """XCN as the Practitioner of a PractitionerRole, with what the same segment says of role, time, place, reach and employer."""
    person = practitioner(text, r)
    if person is None:
        return None
    made: dict[str, Any] = {"resourceType": "PractitionerRole", "practitioner": person}
    if instance and (number := apart("instance", lambda: entity_identifier(instance, r), r)):
        made["identifier"] = [number]
    if period := _period(start, end, r):
        made["period"] = period
    if office := _employer(organization, unit, r):
        made["organization"] = office
    if role and (said := apart("role", lambda: codeable_concept(role, r, codes, "0443"), r)):
        made["code"] = [said]
    if provider and (said := apart("provider", lambda: codeable_concept(provider, r, table="0182"), r)):
        made["specialty"] = [said]
    places = [place for place in (_place(location, r), _office(address, made, r)) if place]
    if places:
        made["location"] = places
    if telecom and (point := apart("telecom", lambda: contact_point(telecom, r), r)):
        made["telecom"] = [point]
    return made


def _period(start: str, end: str, r: Reading) -> dict[str, str] | None:
    """How long; an end that lies before the start is left over (R4's per-1)."""
    return period(start, r, end) if start else period_until(end, r)


def _employer(organization: str, unit: str, r: Reading) -> dict[str, Any] | None:
    """Whom the role is played for, and what kind of unit that is."""
    made = apart("organization", lambda: as_organization(organization, r), r) if organization else None
    return _of_kind(made, apart("unit", lambda: codeable_concept(unit, r, table="0406"), r) if unit else None)


def _of_kind(made: dict[str, Any] | None, kind: dict[str, Any] | None) -> dict[str, Any] | None:
    """An organization with its kind; one nobody names says that its name is not known (R4's org-1)."""
    if kind is None:
        return made
    named = dict(made or {"resourceType": "Organization"})
    if "_display" in named:
        named["name"] = named.pop("_display")
    if not ("name" in named or "identifier" in named):
        named["_name"] = NOT_KNOWN
    return {**named, "type": [kind]}


@function("employer", gives="Organization", memo=True)
def employer(text: str, r: Reading, unit: str = "") -> dict[str, Any] | None:
    """XON as the Organization somebody acts for, with the kind of unit in a field of its own."""
    return _of_kind(as_organization(text, r), apart("unit", lambda: codeable_concept(unit, r, table="0406"), r) if unit else None)


@function("unit", gives="Organization", memo=True)
def unit(text: str, r: Reading) -> dict[str, Any] | None:
    """CWE of a kind of unit, as an Organization of which nothing else is known."""
    return _of_kind(None, codeable_concept(text, r, table="0406"))


def _place(location: str, r: Reading) -> dict[str, Any] | None:
    return apart("location", lambda: as_location(location, r), r) if location else None


def _office(raw: str, made: dict[str, Any], r: Reading) -> dict[str, Any] | None:
    """An address: the person's own goes to the person; an office is a Location of the role, which comes back."""
    place = apart("address", lambda: as_address(raw, r), r) if raw else None
    if place is None:
        return None
    if reading(components(raw, r, 7)[6], r) not in _PERSONAL:
        return {"resourceType": "Location", "address": place}
    person = {key: value for key, value in made["practitioner"].items() if key != "_display"}
    if "name" not in person and "_display" in made["practitioner"]:
        person["name"] = [{"family": made["practitioner"]["_display"]}]
    made["practitioner"] = {**person, "address": [place]}
    return None


@function("reporter", gives="Reference", memo=True)
def reporter(text: str, r: Reading, relationship: str = "") -> dict[str, str] | None:
    """XPN of who reported something, as a Reference that names: the patient (SEL), somebody related, or a practitioner if nobody says."""
    called = name_text(text, r)
    kind = reading(components(relationship, r, 1)[0], r)
    if not called:
        return None
    left(components(text, r, 15), r, 6, 7, 8, 9, 10, 12, 13, 14, 15)
    return {"type": "Patient" if kind == "SEL" else "RelatedPerson" if kind else "Practitioner", "display": called}

"""Who pays: insurers, and the episodes and places that administrative segments name (v2-to-FHIR, IN1[Coverage], PV1[Encounter], EVN[Provenance])."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.composites import apart, components, reading
from transforms.mapping.functions.contacts import address as as_address
from transforms.mapping.functions.contacts import contact_point
from transforms.mapping.functions.identifiers import entity_identifier, identifier
from transforms.mapping.functions.names import human_name
from transforms.mapping.functions.people import organization, universal_identifier
from transforms.mapping.functions.places import location
from transforms.mapping.functions.registry import function
from transforms.mapping.reading import Reading


@function("insurer", gives="Organization", memo=True)
def insurer(text: str, r: Reading, number: str = "", address: str = "", contact: str = "", telecom: str = "") -> dict[str, Any] | None:
    """XON as the Organization that insures, with its number (CX), address, and whom to call there from fields of their own."""
    named = organization(text, r)
    if named is None:
        return None
    made = {key: value for key, value in named.items() if key != "_display"}
    if "name" not in made and "_display" in named:
        made["name"] = named["_display"]
    if number and (known := apart("number", lambda: identifier(number, r), r)):
        made["identifier"] = [*made.get("identifier", ()), known]
    _add_reach(made, address, contact, telecom, r)
    return named if set(made) == {"resourceType", "name"} else made


@function("insurer_of_number", gives="Organization", memo=True)
def insurer_of_number(text: str, r: Reading, address: str = "", contact: str = "", telecom: str = "") -> dict[str, Any] | None:
    """CX of an insurer nobody names, as Organization."""
    known = identifier(text, r)
    if known is None:
        return None
    made: dict[str, Any] = {"resourceType": "Organization", "identifier": [known]}
    _add_reach(made, address, contact, telecom, r)
    return made


def _add_reach(made: dict[str, Any], address: str, contact: str, telecom: str, r: Reading) -> None:
    """Address and telephones of an organization are of its office, whatever use the sender says."""
    if address and (place := apart("address", lambda: as_address(address, r), r)):
        made["address"] = [{key: value for key, value in place.items() if key != "use" or value != "home"}]
    if telecom and (point := apart("telecom", lambda: contact_point(telecom, r), r)):
        made["telecom"] = [{key: value for key, value in point.items() if key != "use" or value != "home"}]
    if contact and (person := apart("contact", lambda: human_name(contact, r), r)):
        made["contact"] = [{"name": person}]


@function("episode", gives="Reference")
def episode(text: str, r: Reading, called: str = "") -> dict[str, Any] | None:
    """CX of an episode of care as a Reference by identifier: what else the episode is, is not the visit's to say."""
    number = identifier(text, r)
    if number is None:
        return None
    made: dict[str, Any] = {"type": "EpisodeOfCare", "identifier": number}
    if called and (said := reading(components(called, r, 1)[0], r)):
        made["display"] = said
    return made


@function("numbered_reference", gives="Reference", memo=True)
def numbered_reference(text: str, r: Reading, type: str) -> dict[str, Any] | None:
    """EI as a Reference by identifier to a resource of that type, which lies elsewhere."""
    number = entity_identifier(text, r)
    return {"type": type, "identifier": number} if number else None


@function("location_of_authority", gives="Reference", memo=True)
def location_of_authority(text: str, r: Reading) -> dict[str, Any] | None:
    """HD of a facility as a Reference to a Location: called by its namespace, identified by its universal id."""
    namespace, universal, kind = (reading(part, r) for part in components(text, r, 3)[:3])
    made: dict[str, Any] = {"type": "Location"}
    if universal:
        made["identifier"] = universal_identifier(universal, kind, r)
    if namespace:
        made["display"] = namespace
    return made if len(made) > 1 else None


@function("case_manager", gives="Practitioner", memo=True)
def case_manager(text: str, r: Reading) -> dict[str, Any] | None:
    """A person written as text (ST) who is only named."""
    said = reading(components(text, r, 1)[0], r)
    return {"resourceType": "Practitioner", "_display": said} if said else None


@function("code_or_text", gives="string", memo=True)
def code_or_text(text: str, r: Reading) -> str | None:
    """CWE as one word: its code, else its text."""
    parts = components(text, r, 2)
    return reading(parts[0], r) or reading(parts[1], r) or None


@function("place_name", gives="string", memo=True)
def place_name(text: str, r: Reading) -> str | None:
    """What a PL is called: all its levels, from the largest to the bed."""
    place = location(text, r)
    return (place.get("_display") or place.get("name") or place.get("description")) if place else None

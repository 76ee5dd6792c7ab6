"""Orders and who is behind them: numbers two segments repeat, groups, parents, requesters (v2-to-FHIR, ORC[ServiceRequest], EIP)."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any

from transforms.mapping.functions.codes import Codes, codeable_concept, coding
from transforms.mapping.functions.composites import apart, components
from transforms.mapping.functions.contacts import address as as_address
from transforms.mapping.functions.contacts import contact_point
from transforms.mapping.functions.identifiers import (
    entity_identifier,
    entity_identifier_pair,
)
from transforms.mapping.functions.people import organization as as_organization
from transforms.mapping.functions.people import practitioner
from transforms.mapping.functions.quantities import simple_quantity
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.texts import joined_text
from transforms.mapping.reading import Reading

_UID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


@function("entity_identifiers", gives="Identifier", list=True)
def entity_identifiers(text: str, r: Reading, type: str = "", also: str = "") -> list[dict[str, Any]] | None:
    """EI as Identifier, and the number `also` in another field where it is not the same."""
    made = [entity_identifier(text, r, type)]
    if also and also != text:
        made.append(apart("also", lambda: entity_identifier(also, r, type), r))
    return [each for each in made if each] or None


@function("group_identifier", gives="Identifier", memo=True)
def group_identifier(text: str, r: Reading, type: str = "PGN", filler: str = "") -> dict[str, Any] | None:
    """ORC-4, EI or EIP, as the Identifier of a requisition.  `filler`: the filler's number of the group in a field of its own."""
    if r.subcomponent not in text:
        return entity_identifier(text, r, type)
    placer, fillers = components(text, r, 2)[:2]
    if fillers and filler:
        r.left(2)
    return _entity_within(placer, r, type) if placer else None


@function("group_identifier_of_filler", gives="Identifier", memo=True)
def group_identifier_of_filler(text: str, r: Reading) -> dict[str, Any] | None:
    """ORC-4, where it is an EIP: its second part, the filler's number of the group, as Identifier of type FGN."""
    part = components(text, r, 2)[1] if r.subcomponent in text else ""
    return _entity_within(part, r, "FGN") if part else None


def _entity_within(part: str, r: Reading, type: str) -> dict[str, Any] | None:
    return entity_identifier(part.replace(r.subcomponent, r.component), r, type)


@function("callback", gives="ContactPoint", memo=True)
def callback(text: str, r: Reading, also: str = "") -> dict[str, Any] | None:
    """XTN whom to call about an order as ContactPoint.  `also`: the same in another field."""
    if also and also != text:
        r.left("also")
    return contact_point(text, r)


@function("order_reference", gives="Reference", list=True, memo=True)
def order_reference(text: str, r: Reading, service: str = "", also: str = "") -> list[dict[str, Any]] | None:
    """EIP of a parent order as References by identifier: it lies elsewhere.  `service`: what was ordered there; `also`: that once more."""
    made = [{"type": "ServiceRequest", "identifier": each} for each in _pair(text, r)]
    if made and service and (said := joined_text(service, r)):
        made[0] = {**made[0], "display": said}
    if also and also != service:
        r.left("also")
    return made or None


@function("parent_service", gives="Reference", memo=True)
def parent_service(text: str, r: Reading, also: str = "") -> dict[str, Any] | None:
    """CWE of what a parent order asked for, as a Reference that only names it.  `also`: the same in another field."""
    if also and also != text:
        r.left("also")
    said = joined_text(text, r)
    return {"type": "ServiceRequest", "display": said} if said else None


@function("specimen_reference", gives="Reference", list=True, memo=True)
def specimen_reference(text: str, r: Reading) -> list[dict[str, Any]] | None:
    """EIP of a parent specimen as References by identifier."""
    return [{"type": "Specimen", "identifier": each} for each in _pair(text, r)] or None


def _pair(text: str, r: Reading) -> list[dict[str, Any]]:
    """EIP's two numbers; an EI sent in its place is one."""
    parts = components(text, r, 2)
    if r.subcomponent in text or len(parts) <= 2:
        return entity_identifier_pair(text, r) or []
    made = entity_identifier(text, r, "PLAC")
    return [made] if made else []


@function("composite_quantity_within", gives="Quantity", memo=True)
def composite_quantity_within(text: str, r: Reading) -> dict[str, Any] | None:
    """CQ inside a component (TQ.1), its parts being subcomponents; a number alone has no unit."""
    number, _, unit = text.partition(r.subcomponent)
    return simple_quantity(number, r, unit.replace(r.subcomponent, r.component))


@function("codeable_concept_within", gives="CodeableConcept", memo=True)
def codeable_concept_within(text: str, r: Reading, codes: Codes | None = None, table: str = "") -> dict[str, Any] | None:
    """CWE inside a component, its parts being subcomponents."""
    return codeable_concept(text.replace(r.subcomponent, r.component), r, codes, table)


@function("class_of_encounter", gives="Coding", memo=True)
def class_of_encounter(text: str, r: Reading, codes: Codes | None = None) -> dict[str, Any] | None:
    """PV1-2 as Coding: the guide's class, else the sender's own code; text without a code as display."""
    made = coding(text, r, codes)
    if made is None and (concept := codeable_concept(text, r)) and "text" in concept:
        return {"display": concept["text"]}
    return made


@function("requester", gives="Practitioner", memo=True)
def requester(text: str, r: Reading, also: str = "", home: str = "") -> dict[str, Any] | None:
    """XCN of who ordered, as Practitioner, with the address of ORC-24 (`home`).  `also`: the same person in another field."""
    if also and also != text:
        merged = _merged(text, also, r)
        if merged is None:
            r.left("also")
        text = merged or text
    person = practitioner(text, r)
    if person is not None and home and "_display" not in person and (place := apart("home", lambda: as_address(home, r), r)):
        return {**person, "address": [place]}
    if home:
        r.left("home")
    return person


def _merged(one: str, other: str, r: Reading) -> str | None:
    """Two fields about one person as one, None where they contradict each other."""
    pairs = list(zip_longest(components(one, r, 0), components(other, r, 0), fillvalue=""))
    if any(first and second and first != second for first, second in pairs):
        return None
    return r.component.join(first or second for first, second in pairs)


@function("requester_role", gives="PractitionerRole", memo=True)
def requester_role(
    text: str, r: Reading, organization: str, also: str = "", address: str = "", telecom: str = "", home: str = ""
) -> dict[str, Any] | None:
    """XCN of who ordered and XON of the facility it was ordered in, as a PractitionerRole of both."""
    person, facility = requester(text, r, also, home), _facility(organization, r, address, telecom)
    if person is None or facility is None:
        return None
    return {"resourceType": "PractitionerRole", "practitioner": person, "organization": facility}


def _facility(organization: str, r: Reading, address: str = "", telecom: str = "") -> dict[str, Any] | None:
    return apart("organization", lambda: as_organization(organization, r, address, telecom), r) if organization else None


@function("study_uid", gives="Identifier", memo=True)
def study_uid(text: str, r: Reading) -> dict[str, Any] | None:
    """DICOM's Study Instance UID (IPC-3) as Identifier; what is no UID, as the number it is."""
    value = components(text, r, 1)[0].strip()
    return {"system": "urn:dicom:uid", "value": f"urn:oid:{value}"} if _UID.fullmatch(value) else entity_identifier(text, r)


@function("place_of_organization", gives="Location", memo=True)
def place_of_organization(text: str, r: Reading, address: str = "", telecom: str = "") -> dict[str, Any] | None:
    """XON as the Location an organization is at, with its address (XAD) and telephone (XTN)."""
    found = as_organization(text, r, address, telecom)
    if found is None:
        return None
    called = found.get("_display") or found.get("name")
    if not (found.get("address") or found.get("telecom")):
        return {"resourceType": "Location", "_display": called} if called else None
    made: dict[str, Any] = {"resourceType": "Location", **({"name": called} if called else {})}
    if "telecom" in found:
        made["telecom"] = found["telecom"]
    return {**made, **({"address": found["address"][0]} if "address" in found else {})}

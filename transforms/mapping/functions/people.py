"""People and organizations named in a field, as resources: XCN, CNN, NDL, XON, HD.

It follows v2-to-FHIR, XCN[Practitioner], NDL[PractitionerRole], XON[Organization], CWE[Organization], HD[Organization].
A function makes the resource; whether it becomes an entry, is contained or only named is decided by its identifier (an
identifier with a system is one a server can be asked for).  XCN is a Practitioner, never a PractitionerRole.
"""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import concept_of_table, original_code, system_of
from transforms.mapping.functions.composites import apart, components, left, left_beyond, left_within, reading, subcomponents
from transforms.mapping.functions.contacts import address as as_address
from transforms.mapping.functions.contacts import contact_point
from transforms.mapping.functions.extensions import NOT_KNOWN
from transforms.mapping.functions.identifiers import add_check_digit, authority, identify, untold
from transforms.mapping.functions.names import name_in_number
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.times import period_of
from transforms.mapping.reading import Reading
from transforms.terminology.code_systems import table_uri

_LEVELS = (6, 9, 10, 3, 4, 5)
"""NDL's facility, building, floor, point of care, room, bed."""
_FACILITY = table_uri("0301")


@function("practitioner", gives="Practitioner", memo=True)
def practitioner(text: str, r: Reading, telecom: str = "", address: str = "") -> dict[str, Any] | None:
    """XCN as Practitioner; `telecom` (XTN) and `address` (XAD) of the same person from fields of their own."""
    parts = components(text, r, 23)
    made = _person(parts, r)
    if made is None:
        return None
    _add_reach(made, telecom, address, r)
    left(parts, r, 8, 14 if parts[8] else 0, 16, 22, 23)
    left_beyond(parts, r, 23)
    return made


def _person(parts: list[str], r: Reading) -> dict[str, Any] | None:
    number, name = reading(parts[0], r), name_in_number(parts, r)
    if not (number or name):
        return None
    made: dict[str, Any] = {"resourceType": "Practitioner"}
    if number:
        made["identifier"] = [_number(number, parts, r)]
    elif set(name) == {"family"}:
        return {**made, "_display": name["family"]}
    if name:
        made["name"] = [name]
    if degree := reading(parts[6].replace(r.subcomponent, " "), r):
        made["qualification"] = [{"code": concept_of_table(degree, "0360")}]
    return made


def _number(number: str, parts: list[str], r: Reading) -> dict[str, Any]:
    system, namespace = authority(parts[8], r, 9)
    facility = subcomponents(parts[13], r, 1)
    made = identify(number, system, namespace or facility[0], reading(parts[12], r))
    if not parts[8]:
        left_within(facility, r, 14, 2, 3)
    add_check_digit(made, parts[10], parts[11], r)
    return made


def _add_reach(made: dict[str, Any], telecom: str, address: str, r: Reading) -> None:
    if telecom and (point := apart("telecom", lambda: contact_point(telecom, r), r)):
        made["telecom"] = [point]
    if address and (place := apart("address", lambda: as_address(address, r), r)):
        made["address"] = [place]
    if "_display" in made and ("telecom" in made or "address" in made):  # more than a name
        made["name"] = [{"family": made.pop("_display")}]


@function("named_practitioner", gives="Practitioner", memo=True)
def named_practitioner(text: str, r: Reading) -> dict[str, Any] | None:
    """NDL as Practitioner: the person in NDL.1 (CNN); with a time or a place as PractitionerRole."""
    parts = components(text, r, 11)
    if parts[1] and not parts[1][:8].isdigit() and r.subcomponent not in parts[0]:
        return practitioner(text, r)  # XCN sent in its place: where a date is due stands a name
    person = subcomponents(parts[0], r, 11)
    if not person[0] and not any(person[1:7]):
        return None
    # CNN is XCN up to the degree; its authority stands in three subcomponents of its own
    made = _person([*map(_masked(r), person[:7]), *[""] * 16], r)
    if made and person[0]:
        namespace, universal, kind = person[8:11]
        system = r.authority(namespace, universal, kind)
        made["identifier"] = [identify(person[0], system, namespace)]
        left_within(person, r, 1, *((10, 11) if untold(system, universal, kind) else ()))
    left_within(person, r, 1, 8, *(() if person[0] else (9, 10, 11)))
    return _at_work(made, parts, r) if made and any(parts[1:]) else made


def _at_work(person: dict[str, Any], parts: list[str], r: Reading) -> dict[str, Any]:
    """NDL.2 to NDL.11: when and where the person did it."""
    role: dict[str, Any] = {"resourceType": "PractitionerRole", "practitioner": person}
    if limits := period_of("", parts[1], parts[2], r, (0, 3)):
        role["period"] = limits
    for place in _LEVELS:
        left_within(subcomponents(parts[place], r, 3), r, place + 1, 2, 3)
    levels = (subcomponents(parts[place], r, 1)[0] for place in _LEVELS)
    called, kind = " ".join(level for level in levels if level), reading(parts[8], r)
    if called and kind:
        role["location"] = [{"resourceType": "Location", "name": called, "type": [concept_of_table(kind, "0305")]}]
    elif called:
        role["location"] = [{"resourceType": "Location", "_display": called}]
    left(parts, r, 8, 0 if called else 9)
    left_beyond(parts, r, 11)
    return role if len(role) > 2 else person


def _masked(r: Reading) -> Any:
    """Text already unescaped, made safe to be read once more."""
    return lambda part: part.replace(r.escape, f"{r.escape}E{r.escape}") if r.escape and r.escape in part else part


@function("organization", gives="Organization", memo=True)
def organization(text: str, r: Reading, address: str = "", telecom: str = "") -> dict[str, Any] | None:
    """XON as Organization; `address` (XAD) and `telecom` (XTN) from fields of their own."""
    parts = components(text, r, 10)
    name, number = reading(parts[0], r), reading(parts[9] or parts[2], r)
    if not (name or number):
        return None
    made: dict[str, Any] = {"resourceType": "Organization"}
    if number:
        system, namespace = authority(parts[5], r, 6)
        made["identifier"] = [identify(number, system, namespace or subcomponents(parts[7], r, 1)[0], reading(parts[6], r))]
        add_check_digit(made["identifier"][0], parts[3], parts[4], r)
    if name:
        made["name"] = name
    _add_reach(made, telecom, address, r)
    _not_at_home(made)
    left(parts, r, 3 if parts[9] and parts[2] else 0, 8 if parts[5] else 0, 9, 2 if reading(parts[1], r) not in ("", "L", "D") else 0)
    left_beyond(parts, r, 10)
    return _named_only(made)


def _not_at_home(made: dict[str, Any]) -> None:
    """FHIR lets no organization have an address or telephone of use `home`: the sender's code stays in its place."""
    for name, table, code in (("telecom", "0201", "PRN"), ("address", "0190", "H")):
        made_so = made.get(name)
        if made_so and made_so[0].get("use") == "home":
            rest = {key: value for key, value in made_so[0].items() if key != "use"}
            made[name] = [{"_use": original_code(table, code), **rest}]


@function("organization_name", gives="string", memo=True)
def organization_name(text: str, r: Reading) -> str | None:
    """XON as a name: its name, else its number; the rest is left over."""
    parts = components(text, r, 10)
    said = next((place for place in (1, 10, 3) if reading(parts[place - 1], r)), 0)
    if not said:
        return None
    ordinary = 2 if reading(parts[1], r) in ("L", "D") else 0  # the kind of name that any name is
    left(parts, r, *(place for place in range(1, len(parts) + 1) if place not in (said, ordinary)))
    return reading(parts[said - 1], r)


@function("organization_at", gives="Organization", memo=True)
def organization_at(text: str, r: Reading) -> dict[str, Any] | None:
    """XAD of an organization nobody names, as Organization with an address; R4's org-1 wants it said that the name is not known."""
    place = as_address(text, r)
    if place is None:
        return None
    made = {"resourceType": "Organization", "_name": NOT_KNOWN, "address": [place]}
    _not_at_home(made)
    return made


@function("organization_of_code", gives="Organization", memo=True)
def organization_of_code(text: str, r: Reading) -> dict[str, Any] | None:
    """CWE naming an organization (OBX-15): its code as identifier of a known system or an authority, its text as name."""
    parts = [reading(part, r) for part in components(text, r, 9)]
    code, name, scheme = parts[0], parts[8] or parts[1], parts[2]
    if not (code or name):
        return None
    made: dict[str, Any] = {"resourceType": "Organization"}
    if code:
        made["identifier"] = [identify(code, system_of(scheme, "", r) or r.authority(scheme), scheme)]
    if name:
        made["name"] = name
    left(parts, r, 4, 5, 6)
    return _named_only(made)


@function("organization_of_authority", gives="Organization", memo=True)
def organization_of_authority(text: str, r: Reading) -> dict[str, Any] | None:
    """HD (MSH-4) as Organization: universal id and namespace as identifiers, the namespace as name."""
    namespace, universal, kind = (reading(part, r) for part in components(text, r, 3)[:3])
    if not (namespace or universal):
        return None
    made: dict[str, Any] = {"resourceType": "Organization"}
    if universal:
        made["identifier"] = [universal_identifier(universal, kind, r)]
    if namespace:
        made["name"] = namespace
    return _named_only(made)


def universal_identifier(universal: str, kind: str, r: Reading) -> dict[str, Any]:
    """A universal id of an authority as Identifier: an OID or UUID as the URI it is, another one by its kind (table 0301)."""
    uri = r.authority("", universal, kind)
    if uri.startswith("urn:"):
        return {"system": "urn:ietf:rfc:3986", "value": uri}
    kind = "".join(kind.split())
    made = {"type": {"coding": [{"system": _FACILITY, "code": kind}]}} if kind else {}
    return {**made, "value": universal}


def _named_only(made: dict[str, Any]) -> dict[str, Any]:
    """An organization of which nothing but the name is known is only named."""
    return {"resourceType": "Organization", "_display": made["name"]} if set(made) == {"resourceType", "name"} else made

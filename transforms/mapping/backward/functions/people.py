"""People and organizations as XPN, XCN, NDL, XON, CWE and HD; addresses as XAD, telephones as XTN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transforms.mapping.backward.functions.identifiers import authority_of, kind_of
from transforms.mapping.backward.functions.times import dtm
from transforms.mapping.backward.registry import Parts, Proposal, inverse, said
from transforms.mapping.backward.writing import Writing, alternate, extension_value
from transforms.terminology.concepts import concept_map

_FAMILY = ("humanname-own-prefix", "humanname-own-name", "humanname-partner-prefix", "humanname-partner-name")
_PARTS = ("contactpoint-country", "contactpoint-area", "contactpoint-local", "contactpoint-extension")
_USUAL = {"official": "L", "usual": "D", "home": "H", "work": "", "old": "BA", "temp": "C", "billing": "BI"}


def _turned(name: str, target: str | None, *usual: str) -> list[str]:
    """The v2 codes that a concept map gives a FHIR code, the usual ones first."""
    found = [code for code, each in concept_map(name).items() if each == target and target]
    return sorted(found, key=lambda code: (code not in usual, usual.index(code) if code in usual else 0))


def _family(name: dict[str, Any]) -> Parts:
    beside = name.get("_family", {})
    parts = [extension_value(beside, url) for url in _FAMILY]
    family = name.get("family", "")
    return ("" if family == " ".join(part for part in parts if part) else family, *parts)


def _limits(value: dict[str, Any]) -> tuple[str, str]:
    period = value.get("period", {})
    return dtm(period.get("start", "")), dtm(period.get("end", ""))


def _use(name: dict[str, Any]) -> str:
    own = alternate(name.get("_use", {}))
    return own or next(iter(_turned("name_use", name.get("use"), "L", "D", "M", "N", "R")), "")


def _form(name: dict[str, Any]) -> str:
    return next(iter(_turned("name_representation", extension_value(name, "iso21090-EN-representation"))), "")


def _said_name(name: dict[str, Any]) -> list[str]:
    """Given name, further ones, suffix and prefix."""
    given = name.get("given", [])
    return [*(given + ["", ""])[:1], " ".join(given[1:]), " ".join(name.get("suffix", ())), " ".join(name.get("prefix", ()))]


@inverse("human_name", "human_names")
def human_name(value: dict[str, Any], w: Writing, use: str = "") -> Iterator[Proposal]:
    """XPN."""
    start, end = _limits(value)
    order = extension_value(value, "humanname-assembly-order")
    family = _family(value) if "family" in value or "_family" in value else (value.get("text", "") if "given" not in value else "",)
    suffixes = value.get("suffix", [])
    degree, professional = (["", "", *suffixes[1:]] + ["", ""])[2:4]
    given, further, _, prefix = _said_name(value)
    told = [family, given, further, (suffixes + [""])[0], prefix, degree, _use(value), _form(value), "", "", order, start, end, professional]
    yield said(*told)


def _number(value: dict[str, Any], w: Writing) -> tuple[str, Parts, str]:
    for each in value.get("identifier", ())[:1]:
        return each.get("value", ""), authority_of(each, w), kind_of(each)
    return "", ("",), ""


@inverse("practitioner", "requester")
def practitioner(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """XCN."""
    if value.get("resourceType") != "Practitioner":
        return
    number, authority, kind = _number(value, w)
    name = next(iter(value.get("name", ())), {"family": value["_display"]} if "_display" in value else {})
    if not (number or name):
        return
    given, further, suffix, prefix = _said_name(name)
    start, end = _limits(name)
    code = next(iter(value.get("qualification", ())), {}).get("code", {})
    degree = next((each.get("code", "") for each in code.get("coding", ())), code.get("text", ""))
    digits = [extension_value(each, url) for each in value.get("identifier", ({},))[:1] for url in ("identifier-checkDigit", "namingsystem-checkDigit")]
    told: list[Any] = [number, _family(name), given, further, suffix, prefix, degree, "", authority, _use(name), *(digits or ["", ""]), kind]
    told += ["", _form(name), "", "", extension_value(name, "humanname-assembly-order"), start, end]
    for place in value.get("address", ())[:1]:
        yield said(*told, home=next(iter(address(place, w))).parts)
    yield said(*told)


@inverse("named_practitioner")
def named_practitioner(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """NDL: the person in its first component, when and where in the others."""
    role = value if value.get("resourceType") == "PractitionerRole" else {}
    person = role.get("practitioner", value)
    for each in practitioner(person, w):
        parts = [part if isinstance(part, str) else part[0] if part else "" for part in each.parts]
        namespace = [*each.parts[8], "", "", ""][:3]
        place = next(iter(role.get("location", ())), {}).get("_display", "")
        yield said([*parts[:7], "", *namespace], *_limits(role), "", "", "", place)
        yield each
        return


@inverse("requester_role")
def requester_role(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """XCN of the person, XON of the facility in its own field."""
    if value.get("resourceType") != "PractitionerRole" or not isinstance(value.get("organization"), dict):
        return
    for person in practitioner(value.get("practitioner", {}), w):
        for facility in organization(value["organization"], w):
            yield Proposal(person.parts, {**person.withs, **facility.withs, "organization": facility.parts})


@inverse("organization")
def organization(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """XON; its address and telephone in fields of their own."""
    if value.get("resourceType") != "Organization":
        return
    number, authority, kind = _number(value, w)
    withs: dict[str, Parts] = {}
    for place in value.get("address", ())[:1]:
        withs["address"] = next(iter(address(place, w))).parts
    for point in value.get("telecom", ())[:1]:
        withs["telecom"] = next(iter(contact_point(point, w))).parts
    parts = (value.get("_display") or value.get("name", ""), "", "", "", "", authority, kind, "", "", number)
    yield Proposal(parts, withs)


@inverse("organization_at")
def organization_at(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """XAD of an organization nobody names."""
    if value.get("resourceType") == "Organization" and "name" not in value:
        for place in value.get("address", ())[:1]:
            yield from address(place, w)


@inverse("organization_of_code")
def organization_of_code(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """CWE naming an organization."""
    if value.get("resourceType") != "Organization":
        return
    number, authority, _ = _number(value, w)
    name = value.get("_display") or value.get("name", "")
    scheme = next((w.system(each["system"]) for each in value.get("identifier", ()) if "system" in each), "") or authority[0]
    yield said(number, name, scheme)


@inverse("organization_of_authority")
def organization_of_authority(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """HD of a facility."""
    if value.get("resourceType") != "Organization":
        return
    name = value.get("_display") or value.get("name", "")
    for each in value.get("identifier", ())[:1]:
        uri, universal = each.get("value", ""), each.get("value", "")
        yield said(*w.authority(uri, name)) if uri.startswith("urn:") else said(name, universal, kind_of(each))
        return
    yield said(name)


@inverse("device_of_authority")
def device_of_authority(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """HD of an application, from the Reference that names it."""
    name, number = value.get("_display") or value.get("display", ""), value.get("identifier", {})
    number = number[0] if isinstance(number, list) and number else number or {}
    uri = number.get("value", "")
    parts = w.authority(uri, name) if uri.startswith("urn:") else (name, uri, kind_of(number))
    yield said(*parts)
    if len(parts) > 1 and parts[0] == parts[1]:
        yield said("", *parts[1:])


@inverse("location")
def location(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """PL: a name is the point of care's, whatever levels it was put together of."""
    if value.get("resourceType") != "Location":
        return
    told = next(iter(value.get("type", ())), {})
    kind = next((each.get("code", "") for each in told.get("coding", ())), told.get("text", ""))
    number, authority, _ = _number(value, w)
    name = value.get("_display") or value.get("name", "")
    yield said(name, "", "", "", "", kind, "", "", value.get("description", ""), (number, *authority) if number else "")


@inverse("address")
def address(value: dict[str, Any], w: Writing, use: str = "") -> Iterator[Proposal]:
    """XAD."""
    own = alternate(value.get("_use", {})) or alternate(value.get("_type", {}))
    if extension_value(value, "iso21090-AD-use") == "HV":
        own = "HV"
    purposes = [own] if own else [*_turned("address_use", value.get("use"), "H", "B", "C", "BA"), *_turned("address_type", value.get("type"), "M")] or [""]
    lines = value.get("line", [])
    street, other, third = ([*lines, "", "", ""])[:3]
    start, end = _limits(value)
    tract = extension_value(value, "iso21090-ADXP-censusTract")
    names = [value.get(name, "") for name in ("city", "state", "postalCode", "country")]
    if not lines and not any(names) and "text" in value:
        street = value["text"]
    for purpose in dict.fromkeys([*purposes, ""] if value.get("use") == use and use else purposes):
        yield said(street, other, *names, purpose, "", value.get("district", ""), tract, "", "", start, end, "", "", "", "", third)


@inverse("contact_point", "callback")
def contact_point(value: dict[str, Any], w: Writing, use: str = "") -> Iterator[Proposal]:
    """XTN: a number as it is written and, where they are told apart, its parts; mail in the place for mail."""
    system, number = value.get("system", ""), value.get("value", "")
    told = alternate(value.get("_use", {}))
    uses = [told] if told else _turned("telecom_use", value.get("use"), "PRN", "WPN") or [""]
    kinds = _turned("telecom_system", system, "PH", "FX", "Internet", "BP", "CP")
    if value.get("use") == "mobile":
        kinds = ["CP", *kinds]
    parts = [extension_value(value, url) for url in _PARTS]
    start, end = _limits(value)
    rank = str(value.get("rank", ""))
    tail = ["", "", "", "", start, end, "", "", "", rank]
    mail = system == "email"
    for code in dict.fromkeys([*uses, ""]):
        for kind in dict.fromkeys([*kinds, ""]):
            if mail:
                yield said("", code, kind, number, "", "", "", "", *tail)
                continue
            if any(parts):
                yield said("", code, kind, "", *parts, *tail)
            yield said(number, code, kind, "", *parts, *tail)
            if any(parts):
                yield said("", code, kind, "", *parts, "", "", "", number, *tail[4:])

"""Identifiers: CX, EI, EIP, DLN, PLN, ST (v2-to-FHIR, CX[Identifier], EI[Identifier-System], DLN[Identifier]).

The assigning authority becomes `system` (universal id, the site's table, the site's prefix: transforms.mapping.identity)
and its namespace the assigner's display; the guide's bare namespaces and assigners without system are not followed.
"""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import codeable_concept, concept_of_table
from transforms.mapping.functions.composites import apart, components, left, left_beyond, left_within, read_components, reading, subcomponents
from transforms.mapping.functions.extensions import extension
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.times import period_of, plain_date_time
from transforms.mapping.reading import Reading

_types: dict[str, dict[str, Any]] = {}


def identifier_type(code: str) -> dict[str, Any]:
    """A code of table 0203 as Identifier.type; a code that is not there as text.  Shared, as all values are."""
    known = _types.get(code)
    if known is None:
        known = concept_of_table(code, "0203")
        if "coding" in known:  # the table's own codes are few; what senders make up is not remembered
            _types[code] = known
    return known


def authority(raw: str, r: Reading, place: int) -> tuple[str, str]:
    """An HD held in the component `place`: the URI of the authority, and the namespace it is called by."""
    if not raw:
        return r.authority(""), ""  # the site may say whose numbers a sender's are that name nobody
    parts = subcomponents(raw, r, 3)
    namespace, universal, kind = parts[:3]
    system = r.authority(namespace, universal, kind)
    if untold(system, universal, kind):
        left_within(parts, r, place, 2, 3)
    return system, namespace


def untold(system: str, universal: str, kind: str) -> bool:
    """Whether a universal id, or its kind, says something that is not in the authority's URI."""
    return bool(universal or kind) and not (universal and system.endswith((universal, universal.lower())))


def identify(value: str, system: str, assigner: str = "", kind: str = "") -> dict[str, Any]:
    """An Identifier of its parts, empty ones left out."""
    made: dict[str, Any] = {"type": identifier_type(kind)} if kind else {}
    if system:
        made["system"] = system
    made["value"] = value
    if assigner:
        made["assigner"] = {"display": assigner}
    return made


@function("identifier", gives="Identifier")
def identifier(text: str, r: Reading, type: str = "") -> dict[str, Any] | None:
    """CX as Identifier; `type` is the code of table 0203 where CX.5 says none."""
    parts = components(text, r, 6)
    value = reading(parts[0], r)
    if not value:
        return None
    system, namespace = authority(parts[3], r, 4)
    facility = parts[5]
    made = identify(value, system, namespace or (subcomponents(facility, r, 1)[0] if facility else ""), reading(parts[4], r) or type)
    if parts[1] or parts[2]:
        add_check_digit(made, parts[1], parts[2], r)
    if namespace and facility:
        r.left(6)
    if len(parts) > 6:
        _add_validity(made, components(text, r, 10), r)
    return made


def _add_validity(made: dict[str, Any], parts: list[str], r: Reading) -> None:
    """CX.7 and CX.8; what comes after them has no place."""
    if period := period_of("", parts[6], parts[7], r, (0, 8)):
        made["period"] = period
    left(parts, r, 9, 10)
    left_beyond(parts, r, 10)


def add_check_digit(made: dict[str, Any], digit: str, scheme: str, r: Reading) -> None:
    """CX.2 and CX.3 as the extensions of HL7's that hold them."""
    said = (("identifier-checkDigit", digit), ("namingsystem-checkDigit", scheme))
    kept = [extension(name, "String", text) for name, raw in said if raw and (text := reading(raw, r))]
    if kept:
        made["extension"] = kept


@function("entity_identifier", gives="Identifier")
def entity_identifier(text: str, r: Reading, type: str = "") -> dict[str, Any] | None:
    """EI as Identifier; `type` is its code of table 0203 (`PLAC`, `FILL` …)."""
    if r.component not in text and r.escape not in text:  # a number alone, as most are
        value, system = text.strip(), r.authority("")
        made: dict[str, Any] = {"type": identifier_type(type)} if type else {}
        if system:
            made["system"] = system
        made["value"] = value
        return made if value else None
    parts = read_components(text, r, 4)
    if len(parts) > 4:
        left_beyond(parts, r, 4)
    return _entity(parts, r, type)


def _entity(parts: list[str], r: Reading, kind: str, place: int = 0) -> dict[str, Any] | None:
    """An EI of its parts; `place`: the component they stand in, where they are no components themselves."""
    value, namespace, universal, scheme = parts[:4]
    if not value:
        return None
    system = r.authority(namespace, universal, scheme)
    if untold(system, universal, scheme):
        left(parts, r, 3, 4) if not place else left_within(parts, r, place, 3, 4)
    return identify(value, system, namespace, kind)


@function("entity_identifier_pair", gives="Identifier", list=True)
def entity_identifier_pair(text: str, r: Reading, placer: str = "PLAC", filler: str = "FILL") -> list[dict[str, Any]] | None:
    """EIP as up to two Identifiers: the placer's and the filler's, typed by table 0203."""
    parts = components(text, r, 2)
    left_beyond(parts, r, 2)
    halves = ((1, parts[0], placer), (2, parts[1], filler))
    pair = [_entity(subcomponents(raw, r, 4), r, kind, place) for place, raw, kind in halves if raw]
    return [each for each in pair if each] or None


@function("licence", gives="Identifier", memo=True)
def licence(text: str, r: Reading) -> dict[str, Any] | None:
    """DLN, a driver's licence, as Identifier of type DL; the issuing state is its authority."""
    parts = components(text, r, 3)
    value, state = reading(parts[0], r), subcomponents(parts[1], r, 1)[0]
    if not value:
        return None
    made = identify(value, r.authority(state), state, "DL")
    if parts[2] and (end := plain_date_time(parts[2], r)):
        made["period"] = {"end": end}
    return made


@function("practitioner_number", gives="Identifier", memo=True)
def practitioner_number(text: str, r: Reading) -> dict[str, Any] | None:
    """PLN, a practitioner's number, as Identifier; its kind is a code of table 0338."""
    parts = components(text, r, 4)
    value = reading(parts[0], r)
    if not value:
        return None
    kind = apart(2, lambda: codeable_concept(parts[1].replace(r.subcomponent, r.component), r, table="0338"), r) if parts[1] else None
    state = reading(parts[2], r)
    made = identify(value, r.authority(state) if state else "", state)
    if kind:
        made = {"type": kind, **made}
    if parts[3] and (end := plain_date_time(parts[3], r)):
        made["period"] = {"end": end}
    return made


@function("plain_identifier", gives="Identifier", memo=True)
def plain_identifier(text: str, r: Reading, type: str = "", system: str = "") -> dict[str, Any] | None:
    """A bare number (ST) as Identifier, typed by table 0203; no system but a declared one."""
    value = reading(components(text, r, 1)[0], r)
    return identify(value, system, kind=type) if value else None


@function("identifier_value", gives="string", memo=True)
def identifier_value(text: str, r: Reading) -> str | None:
    """The number alone of CX or EI."""
    return reading(components(text, r, 1)[0], r) or None

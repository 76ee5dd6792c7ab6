"""Identifier as CX, EI, EIP, DLN and bare numbers: the system is the authority's universal id, the assigner's display its namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transforms.mapping.backward.functions.times import dtm
from transforms.mapping.backward.registry import Parts, Proposal, inverse, said
from transforms.mapping.backward.writing import Writing, extension_value


def kind_of(value: dict[str, Any]) -> str:
    """The code of table 0203 that an Identifier has, or the text in its place."""
    told = value.get("type", {})
    return next((each["code"] for each in told.get("coding", ()) if "code" in each), told.get("text", ""))


def authority_of(value: dict[str, Any], w: Writing) -> Parts:
    """HD of an Identifier."""
    return w.authority(value.get("system", ""), value.get("assigner", {}).get("display", ""))


@inverse("identifier")
def identifier(value: dict[str, Any], w: Writing, type: str = "") -> Iterator[Proposal]:
    """CX; its type only where it is not the field's."""
    if "value" not in value:
        return
    kind, authority = kind_of(value), authority_of(value, w)
    digits = extension_value(value, "identifier-checkDigit"), extension_value(value, "namingsystem-checkDigit")
    period = value.get("period", {})
    limits = dtm(period.get("start", "")), dtm(period.get("end", ""))
    for told in (kind, "") if kind == type and kind else (kind,):
        yield said(value["value"], *digits, authority, told, "", *limits)


@inverse("entity_identifier", "entity_identifiers", "group_identifier")
def entity_identifier(value: dict[str, Any], w: Writing, type: str = "") -> Iterator[Proposal]:
    """EI, of the type that the field has."""
    if "value" in value and (kind_of(value) == type or not type or not kind_of(value)):
        yield said(value["value"], *authority_of(value, w))


@inverse("entity_identifier_pair")
def entity_identifier_pair(value: dict[str, Any], w: Writing, placer: str = "PLAC", filler: str = "FILL") -> Iterator[Proposal]:
    """EIP of one number: the filler's where nobody says whose."""
    if "value" not in value:
        return
    own = (value["value"], *authority_of(value, w))
    yield said(own) if kind_of(value) == placer else said("", own)


@inverse("order_reference", "specimen_reference")
def pair_reference(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """EIP of a Reference by identifier; what was asked for there beside it, as text."""
    if isinstance(value.get("identifier"), dict):
        for each in entity_identifier_pair(value["identifier"], w):
            if "display" in value:
                yield Proposal(each.parts, {"service": ("", value["display"])})
            yield each


@inverse("parent_service")
def parent_service(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """What a parent order asked for, of which only the text is known."""
    if "display" in value and "identifier" not in value:
        yield said("", value["display"])


@inverse("plain_identifier")
def plain_identifier(value: dict[str, Any], w: Writing, type: str = "", system: str = "") -> Iterator[Proposal]:
    """The bare number of its type."""
    if kind_of(value) == type and "value" in value and "assigner" not in value:
        yield said(value["value"])


@inverse("licence")
def licence(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """DLN."""
    if kind_of(value) == "DL" and "value" in value:
        yield said(value["value"], value.get("assigner", {}).get("display", ""), dtm(value.get("period", {}).get("end", "")))


@inverse("device")
def device(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """EI of a device's number."""
    for each in value.get("identifier", ())[:1]:
        yield from entity_identifier(each, w)

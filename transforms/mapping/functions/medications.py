"""Doses, strengths, rates and the places where medicines are given (v2-to-FHIR, RXO[MedicationRequest], RXA[Immunization]).

Two fields of RXO, RXE and RXG are one dose; a strength is what one unit of the medicine holds.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from transforms.mapping.functions.composites import (
    apart,
    components,
    left,
    left_beyond,
    reading,
    subcomponents,
)
from transforms.mapping.functions.contacts import address as as_address
from transforms.mapping.functions.identifiers import entity_identifier
from transforms.mapping.functions.numbers import decimal
from transforms.mapping.functions.places import location
from transforms.mapping.functions.quantities import composite_quantity, unit_of
from transforms.mapping.functions.registry import Beside, function, predicate
from transforms.mapping.functions.texts import display, integer
from transforms.mapping.functions.times import date_time, period, plain_date_time
from transforms.mapping.reading import Reading
from transforms.terminology.code_systems import UCUM

_PER = re.compile(r"([SMHDWL])([1-9][0-9]{0,5})?")
_PER_UNIT = {"S": "s", "M": "min", "H": "h", "D": "d", "W": "wk", "L": "mo"}

UNKNOWN_AMOUNT = 999
"""What senders write in RXA-6 where nobody knows how much was given."""


@function("dose", gives="*", memo=True)
def dose(text: str, r: Reading, maximum: str = "", unit: str = "") -> tuple[str, Any] | None:
    """A minimal amount, and a maximal one, in one unit: Range where they differ, else Quantity."""
    low, high = decimal(text.strip()), decimal(maximum.strip()) if maximum else None
    if low is None:
        return None
    measured = apart("unit", lambda: unit_of(unit, r), r) if unit else {}
    if maximum and (high is None or high < low):
        r.left("maximum")
        high = None
    if high is None or high == low:
        return "Quantity", {"value": low, **measured}
    return "Range", {"low": {"value": low, **measured}, "high": {"value": high, **measured}}


@function("amount_of", gives="Quantity", memo=True)
def amount_of(text: str, r: Reading) -> dict[str, Any] | None:
    """CQ as a Quantity that may have no comparator: a dose, a volume."""
    made = composite_quantity(text, r)
    return made if made and "comparator" not in made else None


@function("strength", gives="Ratio", memo=True)
def strength(text: str, r: Reading, unit: str = "", volume: str = "", volume_unit: str = "") -> dict[str, Any] | None:
    """How much is in one unit of a medicine, or in a volume of it, as Ratio."""
    number = decimal(text.strip())
    if number is None:
        return None
    whole = decimal(volume.strip()) if volume else None
    if volume and whole is None:
        r.left("volume")
    numerator = {"value": number, **(apart("unit", lambda: unit_of(unit, r), r) if unit else {})}
    if whole is None:
        if volume_unit:
            r.left("volume_unit")
        return {"numerator": numerator, "denominator": {"value": Decimal(1)}}
    measured = apart("volume_unit", lambda: unit_of(volume_unit, r), r) if volume_unit else {}
    return {"numerator": numerator, "denominator": {"value": whole, **measured}}


@function("per_day", gives="Ratio", memo=True)
def per_day(text: str, r: Reading) -> dict[str, Any] | None:
    """CQ, the total of a day, as Ratio."""
    total = amount_of(text, r)
    return total and {"numerator": total, "denominator": {"value": Decimal(1), "unit": "day", "system": UCUM, "code": "d"}}


@function("rate", gives="*", memo=True)
def rate(text: str, r: Reading, unit: str = "") -> tuple[str, Any] | None:
    """An amount per time whose unit says both (`mL/h`), as Quantity."""
    number = decimal(text.strip())
    return None if number is None else ("Quantity", {"value": number, **(apart("unit", lambda: unit_of(unit, r), r) if unit else {})})


@function("rate_per", gives="*", memo=True)
def rate_per(text: str, r: Reading, amount: str, unit: str = "") -> tuple[str, Any] | None:
    """RXE-22 (`H1`: in one hour) with the amount that is given in that time, as Ratio."""
    match, number = _PER.fullmatch(reading(text, r)), decimal(amount.strip()) if amount else None
    if match is None or number is None:
        return None
    time = {"value": Decimal(match[2] or "1"), "unit": _PER_UNIT[match[1]], "system": UCUM, "code": _PER_UNIT[match[1]]}
    return "Ratio", {"numerator": {"value": number, **unit_of(unit, r)}, "denominator": time}


@function("refills", gives="unsignedInt", memo=True)
def refills(text: str, r: Reading) -> int | None:
    """NM, how often a thing may be had again, as a whole number of at least 0."""
    number = integer(text, r)
    return number if number is not None and number >= 0 else None


@predicate("amount")
def amount(text: str, r: Reading) -> bool:
    """Whether a text says how much: a number, and not the 999 that says nobody knows."""
    number = decimal(text.strip())
    return number is not None and number != UNKNOWN_AMOUNT


@function("administration_time", gives="*", memo=True, beside=True)
def administration_time(text: str, r: Reading, end: str = "") -> tuple[str, Any] | None:
    """RXA-3 and RXA-4 as Period; a time alone, or one that ends as it begins, as dateTime."""
    if end and end != text and plain_date_time(end, r):
        made = period(text, r, end)
        return ("Period", made) if made else None
    if end and end != text:
        r.left("end")
    said = date_time(text, r)
    return ("dateTime", said) if said else None


@function("start_time", gives="dateTime", memo=True, beside=True)
def start_time(text: str, r: Reading, end: str = "") -> str | Beside | None:
    """A start as dateTime where FHIR has no end; an `end` that says the same is read with it."""
    if end and end != text:
        r.left("end")
    return date_time(text, r)


@function("prescription_reference", gives="Reference")
def prescription_reference(text: str, r: Reading, type: str = "") -> dict[str, Any] | None:
    """EI of a prescription told elsewhere, as a Reference by identifier."""
    number = entity_identifier(text, r, type)
    return {"type": "MedicationRequest", "identifier": number} if number else None


@function("place_with_address", gives="Location", memo=True)
def place_with_address(text: str, r: Reading) -> dict[str, Any] | None:
    """LA2 and LA1 (RXA-11) as Location: what the place is called, from the facility to the bed, and where it is."""
    parts = components(text, r, 16)
    levels = [subcomponents(parts[place], r, 1)[0] for place in (3, 6, 7, 0, 1, 2)]
    called = " ".join(level for level in levels if level)
    inside = r.subcomponent in parts[8]
    raw = parts[8].replace(r.subcomponent, r.component) if inside else r.component.join(parts[8:14])
    where = apart(9, lambda: as_address(raw, r), r) if any(parts[8:14]) else None
    left(parts, r, 5, 6, 15, 16)
    left_beyond(parts, r, 16)
    if where:
        return {"resourceType": "Location", **({"name": called} if called else {}), "address": where}
    return {"resourceType": "Location", "_display": called} if called else None


@function("place_with", gives="Location", memo=True)
def place_with(text: str, r: Reading, address: str = "") -> dict[str, Any] | None:
    """PL as Location, with the address (XAD) another field gives it."""
    place = location(text, r)
    where = apart("address", lambda: as_address(address, r), r) if address else None
    if place is None or not where:
        return place
    called = {"name": place["_display"]} if "_display" in place else {}
    return {**{key: value for key, value in place.items() if key != "_display"}, **called, "address": where}


@function("place_of_code", gives="Location", memo=True)
def place_of_code(text: str, r: Reading, address: str = "") -> dict[str, Any] | None:
    """CWE naming a place (a pharmacy), with the address (XAD) another field gives it, as Location."""
    called = display(text, r)
    where = apart("address", lambda: as_address(address, r), r) if address else None
    if where:
        return {"resourceType": "Location", **({"name": called} if called else {}), "address": where}
    return {"resourceType": "Location", "_display": called} if called else None


@function("place_at", gives="Location", memo=True)
def place_at(text: str, r: Reading) -> dict[str, Any] | None:
    """XAD of a place nobody names, as Location."""
    where = as_address(text, r)
    return {"resourceType": "Location", "address": where} if where else None

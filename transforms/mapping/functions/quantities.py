"""Measured values: NM, SN, NR, CQ, MO, NA, and units (v2-to-FHIR, NM[Quantity], SN[Quantity], SN[Ratio], SN[Range], CWE[Quantity]).

A number that is none becomes text and a note, never an error and never nothing.  A unit is always the sender's text; it has
a UCUM code only where that is certain (transforms.terminology.ucum).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from transforms.mapping.functions.codes import system_of
from transforms.mapping.functions.composites import components, left, left_beyond, read_components, reading, subcomponents
from transforms.mapping.functions.numbers import compared, comparator, decimal
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.texts import text as as_text
from transforms.mapping.reading import Reading
from transforms.terminology.code_systems import UCUM
from transforms.terminology.ucum import code_of

CURRENCIES = "urn:iso:std:iso:4217"
_CURRENCY = re.compile(r"[A-Z]{3}")
_PLAIN = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?").fullmatch

Typed = tuple[str, Any]
"""An R4 type and a value of it, for elements that take several."""


NUMBERS_KEPT, SHORT = 20_000, 8
"""How many numbers are remembered, and how long they may be: what laboratories measure is mostly one of few thousand."""

_numbers: dict[str, Decimal] = {}


def _plain(text: str) -> Decimal | None:
    """A number that is written as JSON writes it; None for anything else."""
    if not _PLAIN(text):
        return None
    number = Decimal(text)
    if len(text) <= SHORT:
        if len(_numbers) >= NUMBERS_KEPT:
            _numbers.clear()
        _numbers[text] = number
    return number


UNITS_KEPT = 10_000
"""How many spellings of units are remembered; beyond that the memory starts again."""

_units: dict[tuple[str, str, str], tuple[dict[str, str], tuple[str, ...]]] = {}


def unit_of(raw: str, r: Reading) -> dict[str, str]:
    """CWE (OBX-6) as the part of a Quantity that says the unit: `unit`, and `system` and `code` where they are certain."""
    if not raw:
        return {}
    unit, lost = _units.get((raw, r.component, r.escape)) or _learn(raw, r)
    if lost:
        for place in lost:
            r.left(place)
    return unit


def _learn(raw: str, r: Reading) -> tuple[dict[str, str], tuple[str, ...]]:
    """A unit not met before; remembered unless it may lean on the site's table for this sender."""
    known = _unit(read_components(raw, r, 9), r)
    if not r.context.identity.authorities:
        if len(_units) >= UNITS_KEPT:
            _units.clear()
        _units[raw, r.component, r.escape] = known
    return known


def _unit(parts: list[str], r: Reading) -> tuple[dict[str, str], tuple[str, ...]]:
    """The unit, and the components of it that have no place: a local code beside a text, an unknown system, other triplets."""
    code, said, name = parts[0], parts[8] or parts[1], parts[2]
    uri = system_of(name, "", r) if name else ""
    declared = "UCUM" if uri == UCUM else name
    text = said or code
    rest = tuple(f"unit.{number}" for number in (4, 5, 6, 7, 8) if parts[number - 1])
    if ucum := code_of(code, declared):
        return {"unit": text, "system": UCUM, "code": ucum}, rest
    if uri and uri != UCUM and len(code.split()) == 1:
        return {"unit": text, "system": uri, "code": code}, rest
    unsaid = tuple(f"unit.{number}" for number, lost in ((1, code and code != text), (3, name)) if lost)
    if said and not name and (ucum := code_of(said)):
        return {"unit": said, "system": UCUM, "code": ucum}, (*unsaid, *rest)
    return ({"unit": text} if text else {}), (*unsaid, *rest)


@function("quantity", gives="*")
def quantity(text: str, r: Reading, unit: str = "") -> Typed | None:
    """NM as Quantity, with the comparator some senders write; anything else as string, its unit left to the ledger."""
    number = _numbers.get(text) or _plain(text)
    if number is not None:  # nearly always: the short way
        return "Quantity", {"value": number, **unit_of(unit, r)} if unit else {"value": number}
    measured = compared(text.strip())
    if measured is None:
        return _no_number(text, r, unit)
    sign, number = measured
    if sign:
        r.note("comparator_in_number", "a number with a comparator where a number alone is due")
        return "Quantity", {"value": number, "comparator": sign, **unit_of(unit, r)}
    return "Quantity", {"value": number, **unit_of(unit, r)}


@function("text_quantity", gives="Quantity")
def text_quantity(text: str, r: Reading, unit: str = "") -> dict[str, Any] | None:
    """ST or TX that is strictly a number or a comparator and a number, as Quantity; anything else is nothing."""
    measured = compared(r.text(text).strip())
    if measured is None:
        return None
    sign, number = measured
    return {"value": number, **({"comparator": sign} if sign else {}), **unit_of(unit, r)}


@function("simple_quantity", gives="Quantity", memo=True)
def simple_quantity(text: str, r: Reading, unit: str = "", code: str = "") -> dict[str, Any] | None:
    """NM as a Quantity without comparator; `unit` is a field or, with `code` of UCUM, a constant."""
    number = decimal(text.strip())
    if number is None:
        return None
    return {"value": number, "unit": unit, "system": UCUM, "code": code} if code else {"value": number, **unit_of(unit, r)}


def _no_number(text: str, r: Reading, unit: str) -> Typed | None:
    r.note("not_a_number", "a number is due here and the text is none: kept as text")
    if unit:
        r.left("unit")
    said = as_text(text, r)
    return ("string", said) if said else None


@function("structured_numeric", gives="*", memo=True)
def structured_numeric(text: str, r: Reading, unit: str = "") -> Typed | None:
    """SN: Quantity, Range (`-`), Ratio (`:`, `/`); `<>`, `+` and what does not fit as string."""
    parts = read_components(text, r, 4)
    left_beyond(parts, r, 4)
    sign, first, separator, second = parts[:4]
    value = _structured(sign, first, separator, second, unit_of(unit, r))
    if value is not None:
        return value
    if measured := compared(sign) if not (first or separator or second) else None:
        return "Quantity", {"value": measured[1], **({"comparator": measured[0]} if measured[0] else {}), **unit_of(unit, r)}
    if not any(parts):
        return None
    said = unit_of(unit, r).get("unit", "")
    return "string", " ".join(part for part in (sign, first, separator, second, said) if part) or text.strip()


def _structured(sign: str, first: str, separator: str, second: str, unit: dict[str, str]) -> Typed | None:
    one, two, comparison = decimal(first), decimal(second), comparator(sign)
    if one is None or comparison is None:
        return None
    low = {"value": one, **({"comparator": comparison} if comparison else {}), **unit}
    if not separator and not second:
        return "Quantity", low
    if two is None:
        return None
    if separator == "-" and not comparison and one <= two:
        return "Range", {"low": low, "high": {"value": two, **unit}}
    if separator in (":", "/"):
        return "Ratio", {"numerator": low, "denominator": {"value": two, **unit}}
    return None


@function("numeric_range", gives="*", memo=True)
def numeric_range(text: str, r: Reading, unit: str = "") -> Typed | None:
    """NR as Range: low and high, either may be missing; anything else as string."""
    parts = read_components(text, r, 2)
    low, high = decimal(parts[0]), decimal(parts[1])
    if any(parts[2:]) or (parts[0] and low is None) or (parts[1] and high is None) or (low is None and high is None):
        return _no_number(text, r, unit)
    said = unit_of(unit, r)
    limits = {"low": low, "high": high}
    return "Range", {name: {"value": limit, **said} for name, limit in limits.items() if limit is not None}


@function("numeric_array", gives="*", memo=True)
def numeric_array(text: str, r: Reading, unit: str = "") -> Typed | None:
    """NA: one number as Quantity; several as string, for SampledData wants a period and an origin nobody sent."""
    number = decimal(text.strip())
    if number is not None:
        return "Quantity", {"value": number, **unit_of(unit, r)}
    r.note("numeric_array", "a numeric array: SampledData wants what the message does not say, kept as text")
    said = " ".join(part for part in [*read_components(text, r, 0), unit_of(unit, r).get("unit", "")] if part)
    return ("string", said) if said else None


@function("composite_quantity", gives="Quantity", memo=True)
def composite_quantity(text: str, r: Reading, unit: str = "") -> dict[str, Any] | None:
    """CQ as Quantity: a number, and its unit as subcomponents of CQ.2."""
    parts = components(text, r, 2)
    measured = compared(reading(parts[0], r))
    if measured is None:
        return None
    sign, number = measured
    said, lost = _unit(subcomponents(parts[1], r, 9), r) if parts[1] else ({}, ())
    for place in lost:
        r.left(2, int(place.removeprefix("unit.")))
    if unit and not said:
        said = unit_of(unit, r)
    left(parts, r, *range(3, len(parts) + 1))
    return {"value": number, **({"comparator": sign} if sign else {}), **said}


@function("quantity_or_text", gives="*", memo=True)
def quantity_or_text(text: str, r: Reading, unit: str = "") -> Typed | None:
    """CQ as Quantity; what is no number as string."""
    value = composite_quantity(text, r, unit)
    return ("Quantity", value) if value is not None else _no_number(text, r, unit)


@function("money", gives="*", memo=True)
def money(text: str, r: Reading) -> Typed | None:
    """MO (and the first part of CP) as Quantity in a currency; what is no number as string."""
    parts = read_components(text, r, 2)
    number = decimal(parts[0])
    if number is None or any(parts[2:]):
        return _no_number(text, r, "")
    if _CURRENCY.fullmatch(parts[1]):
        return "Quantity", {"value": number, "unit": parts[1], "system": CURRENCIES, "code": parts[1]}
    return "Quantity", {"value": number, **({"unit": parts[1]} if parts[1] else {})}

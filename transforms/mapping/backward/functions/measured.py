"""Quantities, ranges and ratios as NM, SN, NR, CQ and the words of OBX-7; the unit goes into its own field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from transforms.mapping.backward.registry import Parts, Proposal, inverse, said
from transforms.mapping.backward.writing import Writing
from transforms.mapping.functions.demographics import CDC_RACE

_CODE_BEHIND = re.compile(r"(.+) \(([^()\s]+)\)")


def units(value: dict[str, Any], w: Writing) -> list[Parts]:
    """How OBX-6 may say the unit: as code with the name of its system, as text alone."""
    unit, code, system = value.get("unit", ""), value.get("code", ""), value.get("system", "")
    if not (unit or code):
        return []
    name = w.system(system) if system else ""
    shorter: list[Parts] = [(unit or code,)]
    return [(code, "" if unit == code else unit, name), *shorter] if code and name else shorter


def _number(value: dict[str, Any]) -> str:
    return str(value.get("value", ""))


@inverse("quantity", "simple_quantity", "text_quantity", "numeric_array", "money", "quantity_or_text")
def quantity(value: Any, w: Writing, code: str = "", unit: str = "") -> Iterator[Proposal]:
    """NM, the unit beside it.  A comparator is SN's."""
    if not isinstance(value, dict) or "value" not in value or "comparator" in value:
        return
    for each in units(value, w) if not code else ():
        yield said(_number(value), unit=each)
    yield said(_number(value))


@inverse("structured_numeric")
def structured_numeric(value: Any, w: Writing) -> Iterator[Proposal]:
    """SN of a Quantity with a comparator, of a Range, of a Ratio."""
    if not isinstance(value, dict):
        return
    first, second, separator = value, {}, ""
    if "numerator" in value:
        first, second, separator = value["numerator"], value.get("denominator", {}), ":"
    elif "low" in value and "high" in value:
        first, second, separator = value["low"], value["high"], "-"
    sign = first.get("comparator", "")
    for each in units(first, w) or [()]:
        for mark in (separator, "/") if separator == ":" else (separator,):
            parts = (sign, _number(first), mark, _number(second))
            yield said(*parts, unit=each) if each else said(*parts)


@inverse("numeric_range")
def numeric_range(value: Any, w: Writing) -> Iterator[Proposal]:
    """NR of a Range."""
    if isinstance(value, dict) and ("low" in value or "high" in value):
        low, high = value.get("low", {}), value.get("high", {})
        for each in units(low or high, w) or [()]:
            parts = (_number(low), _number(high))
            yield said(*parts, unit=each) if each else said(*parts)


@inverse("composite_quantity", "composite_quantity_within")
def composite_quantity(value: Any, w: Writing) -> Iterator[Proposal]:
    """CQ: the unit in its second part."""
    if isinstance(value, dict) and "value" in value:
        number = value.get("comparator", "") + _number(value)
        for each in units(value, w):
            yield said(number, each)
        yield said(number)


@inverse("amount_of")
def amount_of(value: Any, w: Writing) -> Iterator[Proposal]:
    """CQ of a specimen."""
    yield from composite_quantity(value, w)


@inverse("reference_range")
def reference_range(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """OBX-7: the words as they were, else made of the limits."""
    if "text" in value:
        yield said(value["text"])
        if not value["text"].strip("^"):
            return
        if "^" in value["text"]:
            yield said(*value["text"].split("^"))
        return
    low, high = _number(value.get("low", {})), _number(value.get("high", {}))
    if low and high:
        yield said(f"{low}-{high}")
    elif low or high:
        yield said(f">={low}" if low else f"<={high}")


@inverse("race", "ethnicity")
def group_of_people(value: dict[str, Any], w: Writing) -> Iterator[Proposal]:
    """CWE of US Core's extension."""
    told = {each.get("url"): each for each in value.get("extension", ())}
    coding = next((told[name]["valueCoding"] for name in ("ombCategory", "detailed") if "valueCoding" in told.get(name, {})), {})
    text = told.get("text", {}).get("valueString", "")
    name = w.system(CDC_RACE) if coding.get("system") == CDC_RACE else ""
    if coding:
        yield said(coding.get("code", ""), text or coding.get("display", ""), name)
        yield said(coding.get("code", ""), text, "HL70005")
        yield said(coding.get("code", ""))
    elif match := _CODE_BEHIND.fullmatch(text):  # as a code of nobody's stands in the text
        yield said(match[2], match[1])
    if text and not coding:
        yield said("", text)


"""Charges: prices and what is charged for (FT1)."""

from __future__ import annotations

import re
from typing import Any

from transforms.mapping.functions.codes import Codes, codeable_concept, coding
from transforms.mapping.functions.composites import apart, components, left, reading, subcomponents
from transforms.mapping.functions.numbers import decimal
from transforms.mapping.functions.registry import function
from transforms.mapping.reading import Reading

_CURRENCY = re.compile(r"[A-Z]{3}")


@function("price", gives="Money", memo=True)
def price(text: str, r: Reading) -> dict[str, Any] | None:
    """CP, or the NM or MO of older versions, as Money.  Senders write CP.1 with its currency as MO, or the currency behind it."""
    parts = components(text, r, 6)
    amount, currency = subcomponents(parts[0], r, 2)[:2]
    number = decimal(amount)
    if number is None:
        return None
    behind = reading(parts[1], r)
    if not currency and _CURRENCY.fullmatch(behind):
        currency, behind = behind, ""
    left(parts, r, 2 if behind else 0, 3, 4, 5, 6)
    return {"value": number, **({"currency": currency} if _CURRENCY.fullmatch(currency) else {})}


@function("charged_code", gives="CodeableConcept", memo=True)
def charged_code(text: str, r: Reading, also: str = "", codes: Codes | None = None) -> dict[str, Any] | None:
    """FT1-7, and the procedure in FT1-25 as a further coding of the same, if it is another."""
    made = codeable_concept(text, r, codes)
    if made is None or not also:
        return made
    other = apart("also", lambda: coding(also, r), r)
    codings = made.get("coding", [])
    if other is None or any(each.get("code") == other.get("code") for each in codings):
        return made
    return {**made, "coding": [*codings, other]}

"""OBX-7, the reference range: text always, and limits where the text is one of the forms laboratories write.

`3.5-5.0`, `3.5 - 5.0 mg/dL`, `29 to 72`, `<5`, `>=60`, and the limits as components two and three as some systems send
them.  Limits have no comparator in FHIR: `<5` is a high limit of 5, and the text keeps the `<`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from transforms.mapping.functions.composites import components, reading
from transforms.mapping.functions.numbers import decimal
from transforms.mapping.functions.quantities import unit_of
from transforms.mapping.functions.registry import function
from transforms.mapping.reading import Reading

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_UNIT = r"(?:\s+(?P<unit>(?:10[*^]|[^\s0-9<>=;:,])[^<>=;:,]{0,30})|(?P<percent>%))?"
_BETWEEN = re.compile(rf"(?P<low>{_NUMBER})\s*(?:-|\u2013|\u2014|to|bis|\.\.)\s*(?P<high>{_NUMBER}){_UNIT}", re.IGNORECASE)
_BRACKETS = (("(", ")"), ("[", "]"))
_ONE_SIDED = re.compile(rf"(?P<sign><=|>=|=<|=>|<|>|\u2264|\u2265)\s*(?P<limit>{_NUMBER}){_UNIT}")


@function("reference_range", gives="BackboneElement", memo=True)
def reference_range(text: str, r: Reading, unit: str = "") -> dict[str, Any] | None:
    """OBX-7 as referenceRange; limits take the unit written beside them, else OBX-6's."""
    said = r.text(text).strip()
    if not said:
        return None
    low, high, own = _limits(components(text, r, 3), r)
    if low is None and high is None:
        return {"text": said}
    scale = unit_of(own or unit, r)
    limits = {"low": low, "high": high}
    return {**{name: {"value": limit, **scale} for name, limit in limits.items() if limit is not None}, "text": said}


def _limits(parts: list[str], r: Reading) -> tuple[Decimal | None, Decimal | None, str]:
    """Low, high and the unit between them and the end, from the text or from components two and three."""
    low, high, own = _read(reading(parts[0], r))
    if low is None and high is None and not parts[0]:
        low, high = decimal(reading(parts[1], r)) if parts[1] else None, decimal(reading(parts[2], r)) if parts[2] else None
    if low is not None and high is not None and low > high:
        return None, None, ""
    return low, high, own


def _read(text: str) -> tuple[Decimal | None, Decimal | None, str]:
    if (text[:1], text[-1:]) in _BRACKETS:
        text = text[1:-1].strip()
    if match := _BETWEEN.fullmatch(text):
        return decimal(match["low"]), decimal(match["high"]), match["percent"] or (match["unit"] or "").strip()
    if match := _ONE_SIDED.fullmatch(text):
        limit, own = decimal(match["limit"]), match["percent"] or (match["unit"] or "").strip()
        return (None, limit, own) if match["sign"] in ("<", "<=", "=<", "\u2264") else (limit, None, own)
    return None, None, ""

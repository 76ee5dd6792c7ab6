"""OBX-5 of types FHIR's Observation has no value for, and of types nobody knows: as text, so that no value is lost."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.composites import components, reading
from transforms.mapping.functions.extensions import CORE
from transforms.mapping.functions.numbers import decimal
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.texts import text as as_text
from transforms.mapping.reading import Reading


@function("untyped", gives="string", memo=True)
def untyped(text: str, r: Reading) -> str | None:
    """A value whose type is missing or unknown, as it stands, with a note."""
    r.note("value_type", "the type of the value is missing or unknown: kept as text")
    return as_text(text, r)


@function("sub_id", gives="Extension", memo=True)
def sub_id(text: str, r: Reading) -> dict[str, Any] | None:
    """OBX-4 (ST or OG) as HL7's extension for it; group and sequence are numbers there."""
    parts = [reading(part, r) for part in components(text, r, 4)]
    kept: list[dict[str, Any]] = [{"url": "original-sub-identifier", "valueString": parts[0]}] if parts[0] else []
    for place, name in ((1, "group"), (2, "sequence")):
        number = decimal(parts[place])
        if number is not None:
            kept.append({"url": name, "valueDecimal": number})
        elif parts[place]:
            r.left(place + 1)
    if parts[3]:
        kept.append({"url": "identifier", "valueString": parts[3]})
    return {"url": CORE + "observation-v2-subid", "extension": kept} if kept else None

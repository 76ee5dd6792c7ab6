"""What a realm or a species adds to a Patient: race and ethnicity (US Core's extensions), animals (R4's patient-animal)."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import codeable_concept
from transforms.mapping.functions.composites import apart, components, left, reading
from transforms.mapping.functions.extensions import CORE
from transforms.mapping.functions.registry import function
from transforms.mapping.reading import Reading
from transforms.terminology.code_systems import uri_of

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
CDC_RACE = "urn:oid:2.16.840.1.113883.6.238"
_RACES = frozenset(("1002-5", "2028-9", "2054-5", "2076-8", "2106-3"))
_ETHNICITIES = frozenset(("2135-2", "2186-5"))
_SAID = {
    "1002-5": "American Indian or Alaska Native", "2028-9": "Asian", "2054-5": "Black or African American",
    "2076-8": "Native Hawaiian or Other Pacific Islander", "2106-3": "White",
    "2135-2": "Hispanic or Latino", "2186-5": "Not Hispanic or Latino",
    "H": "Hispanic or Latino", "N": "Not Hispanic or Latino", "U": "Unknown",
}  # fmt: skip
"""Displays of CDC's categories and of HL7 table 0189."""
_CATEGORY_OF = {"H": "2135-2", "N": "2186-5"}
_TABLES = ("", "http://terminology.hl7.org/CodeSystem/v2-0005", "http://terminology.hl7.org/CodeSystem/v2-0189", CDC_RACE)
"""Table 0005 suggests CDC's codes, so a code is CDC's where the sender says nothing, 0005 or 0189."""


@function("race", gives="Extension", memo=True)
def race(text: str, r: Reading) -> dict[str, Any] | None:
    """PID-10 as US Core's race: the category where the code is one of CDC's, always the text."""
    return _group("us-core-race", _RACES, text, r)


@function("ethnicity", gives="Extension", memo=True)
def ethnicity(text: str, r: Reading) -> dict[str, Any] | None:
    """PID-22 as US Core's ethnicity: the category where the code is CDC's or table 0189's H or N, always the text."""
    return _group("us-core-ethnicity", _ETHNICITIES, text, r)


def _group(name: str, categories: frozenset[str], text: str, r: Reading) -> dict[str, Any] | None:
    parts = [reading(part, r) for part in components(text, r, 9)]
    code, said, scheme = " ".join(parts[0].split()), parts[8] or parts[1], parts[2]
    kept: list[dict[str, Any]] = []
    known = uri_of(scheme) in _TABLES and (uri_of(scheme) or not scheme)
    category = _CATEGORY_OF.get(code, code) if known and categories is _ETHNICITIES else code
    if known and category in categories:
        kept.append({"url": "ombCategory", "valueCoding": {"system": CDC_RACE, "code": category, "display": _SAID[category]}})
    elif code and uri_of(scheme) == CDC_RACE:
        kept.append({"url": "detailed", "valueCoding": {"system": CDC_RACE, "code": code, **({"display": said} if said else {})}})
    if not (said or code):
        return None
    left(parts, r, 4, 5, 6)
    if said and code and not kept:
        said = f"{said} ({code})"
    return {"url": US_CORE + name, "extension": [*kept, {"url": "text", "valueString": said or _SAID.get(category, code)}]}


@function("animal", gives="Extension", memo=True)
def animal(text: str, r: Reading, breed: str = "") -> dict[str, Any] | None:
    """PID-35 (and PID-36, the breed) as R4's patient-animal."""
    kept = [
        {"url": name, "valueCodeableConcept": concept}
        for name, concept in (
            ("species", codeable_concept(text, r)),
            ("breed", apart("breed", lambda: codeable_concept(breed, r), r) if breed else None),
        )
        if concept
    ]
    return {"url": CORE + "patient-animal", "extension": kept} if kept else None

"""Extensions HL7 has defined and this converter writes, by their real URLs, and the few shapes they come in."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import concept_of_table

CORE = "http://hl7.org/fhir/StructureDefinition/"
ALTERNATE_CODES = CORE + "alternate-codes"


def extension(name: str, kind: str, value: Any) -> dict[str, Any]:
    """One of HL7's core extensions, by its short name, with a value of an R4 type (`String`, `Code` …)."""
    return {"url": CORE + name, f"value{kind}": value}


def original_code(table: str, code: str) -> dict[str, Any]:
    """What stands beside a FHIR code that says less than the sender's, or in its place: the code of the HL7 table."""
    return {"extension": [{"url": ALTERNATE_CODES, "valueCodeableConcept": concept_of_table(code, table)}]}

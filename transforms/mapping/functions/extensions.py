"""Extensions HL7 has defined and this converter writes, by their real URLs, and the few shapes they come in."""

from __future__ import annotations

from typing import Any


CORE = "http://hl7.org/fhir/StructureDefinition/"
ALTERNATE_CODES = CORE + "alternate-codes"
NOT_KNOWN = {"extension": [{"url": CORE + "data-absent-reason", "valueCode": "unknown"}]}
"""What stands beside a primitive that R4 requires and nobody says."""


def extension(name: str, kind: str, value: Any) -> dict[str, Any]:
    """One of HL7's core extensions, by its short name, with a value of an R4 type (`String`, `Code` …)."""
    return {"url": CORE + name, f"value{kind}": value}

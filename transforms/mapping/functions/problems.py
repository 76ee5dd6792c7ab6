"""Problems, goals and pathways (PRB, GOL, PTH): statuses whose tables are the sender's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transforms.mapping.functions.codes import codeable_concept
from transforms.mapping.functions.composites import components, reading
from transforms.mapping.functions.registry import function
from transforms.mapping.reading import Reading


@function("word_as_concept", gives="CodeableConcept", memo=True)
def word_as_concept(text: str, r: Reading, codes: Mapping[str | None, Any]) -> dict[str, Any] | None:
    """A code that is a word, in whatever case it is sent, as FHIR's with the sender's beside it; a word nobody knows gives nothing."""
    parts = components(text, r, 2)
    said = reading(parts[0], r)
    entry = codes.get(said) or codes.get(said.capitalize())
    if entry is None:
        return None
    own = (codeable_concept(text, r) or {}).get("coding", [])
    mapped = {"system": entry.system, "code": entry.code}
    return {"coding": [mapped, *own], "text": reading(parts[1], r) or said}

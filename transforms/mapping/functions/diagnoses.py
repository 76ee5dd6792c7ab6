"""Diagnoses and procedures as older versions code them: the code system and the text stand in fields of their own (DG1-2 and 4, PR1-2 and 4)."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import codeable_concept, system_of
from transforms.mapping.functions.composites import components, reading
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.texts import text as as_text
from transforms.mapping.reading import Reading


@function("coded_thing", gives="CodeableConcept", memo=True)
def coded_thing(text: str, r: Reading, method: str = "", described: str = "") -> dict[str, Any] | None:
    """CWE as CodeableConcept; `method` names the code system where the code itself does not, `described` is its text."""
    made = codeable_concept(text, r)
    if made is None:
        return _described(described, r)
    made = dict(made)
    named = reading(components(text, r, 3)[2], r)
    if method and made.get("coding") and not _add_system(made, "" if named else method, r):
        if reading(components(method, r, 1)[0], r) != named:
            r.left("method")
    said = as_text(described, r) if described else None
    if said and said != made.get("text") and said not in [each.get("display") for each in made.get("coding", ())]:
        if "text" in made:
            r.left("described")
        else:
            made["text"] = said
    return made


def _add_system(made: dict[str, Any], method: str, r: Reading) -> bool:
    """Give the first coding the system a field beside it names; whether it is one."""
    system = system_of(reading(components(method, r, 1)[0], r), "", r) if method else ""
    if system and "system" not in made["coding"][0]:
        made["coding"] = [{"system": system, **made["coding"][0]}, *made["coding"][1:]]
    return bool(system)


@function("described", gives="CodeableConcept", memo=True)
def described(text: str, r: Reading) -> dict[str, Any] | None:
    """A text (ST) as CodeableConcept."""
    return _described(text, r)


def _described(text: str, r: Reading) -> dict[str, Any] | None:
    said = as_text(text, r) if text else None
    return {"text": said} if said else None


@function("concept_or_text", gives="CodeableConcept", memo=True)
def concept_or_text(text: str, r: Reading) -> dict[str, Any] | None:
    """A field that is text (ST) and in which many send a code: CodeableConcept of its parts, or of the text alone."""
    return codeable_concept(text, r) if r.component in text else _described(text, r)

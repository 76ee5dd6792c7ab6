"""Codes whose system and text stand in fields of their own."""

from __future__ import annotations

from typing import Any


def test_the_code_system_may_stand_in_a_field_of_its_own(field: Any) -> None:
    """As 2.2 has it; what the code says itself goes first."""
    made = field("coded_thing", "K35.80", method="I10", described="Appendicitis")
    assert made == {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "K35.80"}], "text": "Appendicitis"}
    assert field("coded_thing", "K35.80^Appendicitis^I10", method="I10", described="Appendicitis")["coding"][0]["display"] == "Appendicitis"
    assert field.left == []
    assert "system" in field("coded_thing", "K35.80^Appendicitis^I10", method="SCT")["coding"][0] and field.left == ["method"]
    assert field("coded_thing", "^", described="Appendicitis") == {"text": "Appendicitis"}


def test_text_is_text_and_a_code_a_code(field: Any) -> None:
    """AL1-5 is ST, and many send CWE."""
    assert field("concept_or_text", "rash") == {"text": "rash"}
    assert field("concept_or_text", "R^Rash")["coding"] == [{"code": "R", "display": "Rash"}]

"""Segments and fields have names for people."""

from __future__ import annotations

import pytest

from transforms.hl7.names import field_name, segment_name


@pytest.mark.parametrize(
    ("segment", "field", "name"),
    [
        ("PID", 3, "Patient Identifier List"),
        ("PID", 5, "Patient Name"),
        ("PID", 6, "Mother's Maiden Name"),
        ("MSH", 10, "Message Control ID"),
        ("OBX", 5, "Observation Value"),
        ("OBX", 11, "Observation Result Status"),
        ("SPM", 4, "Specimen Type"),
        ("PID", 0, ""),
        ("PID", 999, ""),
        ("ZZZ", 1, ""),
    ],
)
def test_fields(segment: str, field: int, name: str) -> None:
    assert field_name(segment, field) == name


def test_segments() -> None:
    assert segment_name("OBX") == "Observation"
    assert segment_name("ZPI") == "Local Segment"
    assert segment_name("Q99") == ""

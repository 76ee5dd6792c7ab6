"""What MSH, MSA and ERR say for a MessageHeader and an OperationOutcome."""

from __future__ import annotations

from typing import Any

import pytest

from tests.transforms.mapping.functions.conftest import Field
from transforms.mapping.functions.registry import Beside


@pytest.mark.parametrize(
    ("text", "code", "display"),
    [("ADT^A08^ADT_A01", "A08", "ADT^A08^ADT_A01"), ("ACK", "ACK", "ACK"), ("ORU^R01", "R01", "ORU^R01")],
)
def test_events(field: Field, text: str, code: str, display: str) -> None:
    """The trigger event, or the message code where there is none."""
    coding = field("event_coding", text)
    assert (coding["code"], coding["display"]) == (code, display)
    assert coding["system"].endswith("v2-0076" if code == "ACK" else "v2-0003")


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        ("LAB^1.2.3^ISO", "urn:oid:1.2.3", "LAB"),
        ("LAB^lab.example^DNS", "urn:dns:lab.example", "LAB"),
        ("LAB^http://x.example/lab^URI", "http://x.example/lab", "LAB"),
        ("LAB^XY^L", None, "LAB - L:XY"),
        ("^XY", None, "XY"),
        ("LAB", None, "LAB"),
    ],
)
def test_addresses(field: Field, text: str, url: str | None, name: str) -> None:
    """A universal id that is a URI is an address; any other is part of the name."""
    assert field("endpoint", text) == url
    assert field("application_name", text) == name


@pytest.mark.parametrize(("text", "expected"), [("M1", "M1"), ("0A173B79-D7AC-444F-99E7-C96B4A68B188", "0A173B79-D7AC-444F-99E7-C96B4A68B188")])
def test_control_ids(field: Field, text: str, expected: str) -> None:
    """Those that FHIR's id can hold."""
    assert field("control_id", text) == expected


@pytest.mark.parametrize(("text", "extension"), [("{1}", "originalText"), ("x" * 65, "originalText"), ("  ", "data-absent-reason")])
def test_control_ids_fhir_cannot_hold(field: Field, text: str, extension: str) -> None:
    """They stand beside the id; what says nothing is said to be unknown."""
    said = field("control_id", text)
    assert isinstance(said, Beside) and said.value is None
    assert said.element["extension"][0]["url"].endswith(extension)


@pytest.mark.parametrize(
    ("text", "place"),
    [("PID^1^3^2^4^1", "PID[1]-3[2].4.1"), ("PID^1^3", "PID[1]-3"), ("PID", "PID"), ("PID^^5^^2", "PID-5.2"), ("^1^3", None)],
)
def test_places_of_errors(field: Field, text: str, place: str | None) -> None:
    """ERL as a path."""
    assert field("error_place", text) == place


def test_errors_of_old(field: Field) -> None:
    """ERR-1 up to version 2.4."""
    expected: dict[str, Any] = {"severity": "error", "code": "processing", "location": ["PID[1]-5"]}
    made = field("error_of_old", "PID^1^5^101&Required field missing&HL70357")
    assert expected.items() <= made.items() and made["details"]["coding"][0]["code"] == "101"
    assert field("error_of_old", "^^^") is None

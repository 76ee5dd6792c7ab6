"""Converting whole messages."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from transforms.document import Context, Identity
from transforms.fhir.serialization import dumps
from transforms.fhir.validation import is_valid
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions
from transforms.mapping.to_fhir import Converted

CONTEXT = Context(datetime(2026, 3, 4, tzinfo=timezone.utc), timezone="Europe/Zurich", identity=Identity(base="https://site.example/id", secret="test"))
MESSAGE = (
    "MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304120000||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||4711^^^HOSP^MR||Meier^Eva\r"
    "OBR|1||F1^LAB|24323-8^Panel^LN|||20260304|||||||||||||||20260304110000|||F\rOBX|1|ST|2345-7^Glucose^LN||{}||||||F\r"
)


def converted(message: str) -> Converted:
    return Library.load().converter("auto", MapOptions())(parse(message.encode()), CONTEXT)


def value(of: Converted) -> str:
    return next(entry["resource"]["valueString"] for entry in of.bundle["entry"] if entry["resource"]["resourceType"] == "Observation")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\x1fb", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\\X07\\b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\tb", "a\tb"),
        ("a\\X0D0A\\b", "a\r\nb"),
        ("aé\x7fb", "aé\x7fb"),
    ],
)
def test_control_characters_do_not_reach_fhir(text: str, said: str) -> None:
    """R4 strings hold no control characters but tab and line ends; what stood there is marked, and noted where it stood as such."""
    found = converted(MESSAGE.format(text))
    assert value(found) == said
    assert is_valid(found.bundle)
    assert ("control_characters" in [note.code for note in found.notes]) == (not text.isprintable() and "\t" not in text and "é" not in text)
    assert not any(each in dumps(found.bundle) for each in (b"\\u0000", b"\\u0007", b"\\u001f"))

"""The step that turns HL7 into FHIR."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from transforms.component import Resources
from transforms.document import FHIR_JSON, HL7, Context, Document, Identity, Note
from transforms.errors import ConfigurationError, MessageError
from transforms.hl7.message import parse
from transforms.mapping.options import MapOptions
from transforms.steps.map_to_fhir import MapToFhir

CONTEXT = Context(datetime(2024, 1, 15, tzinfo=timezone.utc), identity=Identity(base="https://site.example/ids", secret="s"))
MESSAGE = parse(b"MSH|^~\\&|LAB|HOSP|||20240115||ORU^R01|1|P|2.5.1\rPID|||1^^^A^MR\rOBR|1||7|X^Y|||||||||||||||||||||F\rOBX|1|ST|Z^Zed||v||||||F|||||||||||||||||||||||||||||||x\r")


def test_a_message_becomes_a_bundle() -> None:
    """With parts, what is left over, and notes beside those that were there."""
    before = Note("before", "MSH", "was there")
    document = MapToFhir().prepare(Resources())(Document(HL7, MESSAGE, CONTEXT, notes=(before,)))
    assert document.media_type == FHIR_JSON
    assert isinstance(document.body, dict) and document.body["resourceType"] == "Bundle"
    assert document.parts[0].facts
    assert document.leftover == ("OBX-42",)
    assert document.notes[0] == before and len(document.notes) > 1


def test_a_sites_maps_are_used() -> None:
    """`conf/maps` comes with the resources."""
    resources = Resources(maps={"OBX_Observation.yaml": "map: m\nextends: OBX_Observation\nrules:\n  - { to: code, const: { text: mine } }\n"})
    body = MapToFhir(map="ORU_R01", options=MapOptions(text_numbers="text")).prepare(resources)(Document(HL7, MESSAGE, CONTEXT)).body
    assert {"text": "mine"} in [each["resource"].get("code") for each in body["entry"]]


def test_what_is_wrong_is_said_before_any_message() -> None:
    """Maps that do not check, and a map nobody has."""
    with pytest.raises(ConfigurationError) as caught:
        MapToFhir(map="ORU_R1").prepare(Resources())
    assert caught.value.problems[0].code == "unknown_map"
    with pytest.raises(ConfigurationError):
        MapToFhir().prepare(Resources(maps={"OBX_Observation.yaml": "map: m\nrules:\n  - { to: nothing }\n"}))


def test_other_content_is_refused() -> None:
    """It takes parsed messages only."""
    with pytest.raises(MessageError):
        MapToFhir().prepare(Resources())(Document(FHIR_JSON, {}, CONTEXT))

"""The step that turns results in FHIR into HL7."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from transforms.component import Resources
from transforms.document import FHIR_JSON, HL7, Context, Document, Note
from transforms.errors import MessageError
from transforms.hl7.message import Message
from transforms.steps.map_to_hl7 import MapToHl7

CONTEXT = Context(datetime(2024, 1, 15, tzinfo=timezone.utc))
BUNDLE = {
    "resourceType": "Bundle", "type": "collection",
    "entry": [
        {"fullUrl": "urn:uuid:o", "resource": {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "K"}, "valueString": "v", "focus": [{"display": "x"}]}},
        {"resource": {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "R"}, "result": [{"reference": "urn:uuid:o"}]}},
    ],
}  # fmt: skip


def test_a_bundle_becomes_a_message() -> None:
    """With what is left over, and the notes that were there."""
    before = Note("before", "Bundle", "was there")
    document = MapToHl7(facility="HOSP").prepare(Resources())(Document(FHIR_JSON, BUNDLE, CONTEXT, notes=(before,)))
    assert document.media_type == HL7
    assert isinstance(document.body, Message) and document.body.get("OBX-5") == "v" and document.body.get("MSH-4") == "HOSP"
    assert document.leftover == ("Bundle.entry[0].resource.focus.display",)
    assert document.notes == (before,)


def test_a_sites_maps_are_used() -> None:
    """A rule that the site drops is not run backwards either."""
    resources = Resources(maps={"OBX_Observation.yaml": "map: m\nextends: OBX_Observation\nrules:\n  - { name: status, drop: OBX-11, why: nobody here fills it in truly }\n"})
    document = MapToHl7().prepare(resources)(Document(FHIR_JSON, BUNDLE, CONTEXT))
    assert not document.body.get("OBX-11")  # type: ignore[attr-defined]


def test_only_fhir_is_taken() -> None:
    """A message is no Bundle."""
    with pytest.raises(MessageError):
        MapToHl7().prepare(Resources())(Document("text/plain", "x", CONTEXT))

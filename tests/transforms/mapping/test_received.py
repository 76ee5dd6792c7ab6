"""Whatever a step does to a message, its results are called what the message as received calls them (rule 2)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from transforms.component import Resources
from transforms.document import HL7, Context, Document, Identity
from transforms.hl7.message import parse
from transforms.steps.map_to_fhir import MapToFhir

TEXT = (
    "MSH|^~\\&|LAB|HOSP|||20260314||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||7^^^HOSP^MR\r"
    "OBR|1||F1|GLU^Glucose^L||||||||||||||||||20260314||CH|F\rOBX|1|NM|GLU^Glucose^L||95|mg/dL|||||F\rOBX|2|NM|NA^Sodium^L||141|mmol/L|||||F\r"
)


@pytest.fixture(scope="module")
def convert():  # noqa: ANN201 - a step
    """The step over the packaged maps."""
    return MapToFhir().prepare(Resources())


def document() -> Document:
    """The message, received a moment ago."""
    return Document(HL7, parse(TEXT.encode()), Context(datetime(2026, 3, 14, tzinfo=UTC), identity=Identity("https://hosp.example", "s")))


def ids(made: Document) -> list[tuple[str, str]]:
    """Type and id of what is put by its id."""
    return [(each["resource"]["resourceType"], each["resource"]["id"]) for each in made.body["entry"] if each["request"]["method"] == "PUT"]


@pytest.mark.parametrize(("field", "text"), [("OBX[1]-3", "2345-7^Glucose^LN"), ("OBR-4", "X^Y^L"), ("OBR-3", "F2"), ("MSH-4", "OTHER")])
def test_a_changed_field_changes_no_id(convert, field: str, text: str) -> None:
    """The code of a test is set by the site: its corrections still find the Observation sent before."""
    plain = convert(document())
    before = document()
    changed = convert(before.with_body(before.body.replace(field, text, escaped=True)))
    assert ids(changed) == ids(plain)
    assert [(fact.key, fact.report, fact.observations) for fact in changed.parts[0].facts] == [
        (fact.key, fact.report, fact.observations) for fact in plain.parts[0].facts
    ]
    if field == "OBX[1]-3":
        codes = [each["resource"]["code"]["coding"][0]["code"] for each in changed.body["entry"] if each["resource"]["resourceType"] == "Observation"]
        assert codes == ["2345-7", "NA"]


def test_a_dropped_result_leaves_the_others_their_names(convert) -> None:
    """The first result is dropped by a step: the report keeps its id."""
    plain = convert(document())
    before = document()
    fewer = before.with_body(parse(TEXT.replace("OBX|2|NM|NA^Sodium^L||141|mmol/L|||||F\r", "").encode()))
    assert set(ids(convert(fewer))) < set(ids(plain))


def test_what_keys_are_not_made_of_costs_no_second_conversion(convert) -> None:
    """A unit is tidied up; nothing is converted twice, and the result is what it would be anyhow."""
    before = document()
    changed = convert(before.with_body(before.body.replace("OBX[1]-6", "g/L")))
    assert ids(changed) == ids(convert(document()))

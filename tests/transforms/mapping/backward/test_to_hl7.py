"""Results in FHIR as ORU^R01."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timezone
from typing import Any

import pytest

from transforms.document import Context
from transforms.errors import MessageError
from transforms.hl7.groups import group
from transforms.hl7.message import Message
from transforms.mapping.backward.to_hl7 import Header, ToHl7
from transforms.mapping.library import Library

CONTEXT = Context(datetime(2024, 3, 7, 8, 30, tzinfo=timezone.utc))
LIBRARY = Library.load()
WRITE = ToHl7(LIBRARY)

PATIENT = {
    "resourceType": "Patient", "id": "p", "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:oid:1.2.3", "value": "12|3"}],
    "name": [{"family": "Doe & Sons", "given": ["Jane"]}], "birthDate": "1980-01-01", "gender": "female", "photo": [{"title": "no place"}],
}  # fmt: skip
ORDER = {"resourceType": "ServiceRequest", "id": "s", "status": "unknown", "intent": "order", "subject": {"reference": "urn:uuid:p"}, "identifier": [{"type": {"coding": [{"code": "PLAC"}]}, "value": "P1"}], "requester": {"display": "House"}}  # fmt: skip
QUANTITY = {
    "resourceType": "Observation", "id": "q", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7", "display": "Glucose"}]},
    "subject": {"reference": "urn:uuid:p"}, "valueQuantity": {"value": 7.0, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
    "interpretation": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": "H", "display": "High"}]}],
    "effectiveDateTime": "2024-03-05T12:30:45+01:00", "note": [{"text": "one\ntwo"}],
}  # fmt: skip
TITRE = {**QUANTITY, "id": "t", "valueQuantity": {"value": 5, "comparator": "<"}, "note": []}
WORDS = {"resourceType": "Observation", "id": "w", "status": "preliminary", "code": {"text": "Remark"}, "valueString": "first\nsecond"}
SPECIMEN = {"resourceType": "Specimen", "id": "m", "identifier": [{"value": "S1", "type": {"coding": [{"code": "FILL"}]}}], "type": {"text": "Blood"}}
REPORT = {
    "resourceType": "DiagnosticReport", "id": "r", "status": "final", "code": {"coding": [{"code": "CHEM", "display": "Chemistry"}]},
    "subject": {"reference": "urn:uuid:p"}, "basedOn": [{"reference": "urn:uuid:s"}], "specimen": [{"reference": "urn:uuid:m"}],
    "result": [{"reference": f"urn:uuid:{each}"} for each in "qtw"],
    "identifier": [{"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "FILL"}]}, "value": "F1"}],
}  # fmt: skip


def bundle(*resources: Any, **more: Any) -> dict[str, Any]:
    """A transaction of these."""
    entries = [{"fullUrl": f"urn:uuid:{each['id']}", "resource": deepcopy(each)} for each in resources or (PATIENT, ORDER, SPECIMEN, QUANTITY, TITRE, WORDS, REPORT)]
    return {"resourceType": "Bundle", "type": "transaction", "identifier": {"value": "M1"}, "timestamp": "2024-03-06T08:00:00+01:00", "entry": entries, **more}


def lines(message: Message) -> list[str]:
    """The segments."""
    return [segment.text for segment in message.segments]


def test_a_report_with_all_that_belongs_to_it() -> None:
    """Patient, order, results with units, flags, comparators and notes, specimen; in the order of the structure, delimiters escaped."""
    assert lines(WRITE(bundle(), CONTEXT).message) == [
        "MSH|^~\\&|||||20240306080000+0100||ORU^R01^ORU_R01|M1|P|2.5.1||||||UNICODE UTF-8",
        "PID|1||12\\F\\3^^^&1.2.3&ISO^MR||Doe \\T\\ Sons^Jane||19800101|F",
        "ORC|RE|P1||||||||||^House",
        "OBR|1||F1|CHEM^Chemistry|||||||||||||||||||||F",
        "OBX|1|NM|2345-7^Glucose^LN||7.0|mmol/L^^UCUM||H|||F|||20240305123045+0100",
        "NTE|1||one",
        "NTE|2||two",
        "OBX|2|SN|2345-7^Glucose^LN||<^5|||H|||F|||20240305123045+0100",
        "OBX|3|TX|^Remark||first~second||||||P",
        "SPM|1|^S1||Blood",
    ]


def test_the_structure_is_the_one_it_says() -> None:
    """No segment stands out of its place."""
    assert not group(WRITE(bundle(), CONTEXT).message).deviations


def test_what_is_not_carried_is_listed() -> None:
    """FHIR paths, never values; nothing that did go over is among them."""
    left = WRITE(bundle(), CONTEXT).left
    assert "Bundle.entry[0].resource.photo.title" in left
    assert not [each for each in left if "value" in each.rpartition(".")[2].lower() and "Quantity" in each]


def test_the_same_bundle_gives_the_same_message() -> None:
    """Without a number of its own it gets one made of what it says; without a time, when it was received."""
    nameless = {key: value for key, value in bundle().items() if key not in ("identifier", "timestamp")}
    one, two = (WRITE(deepcopy(nameless), CONTEXT).message for _ in range(2))
    assert one.raw == two.raw
    assert len(one.get("MSH-10") or "") == 20
    assert one.get("MSH-7") == "20240307083000+0000"


def test_times_without_a_zone_get_none() -> None:
    """Where a time was kept as it was sent because its zone is not known, the header says no zone either."""
    original = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/originalText", "valueString": "20240305123045"}]}
    unzoned = {**QUANTITY, "effectiveDateTime": "2024-03-05", "_effectiveDateTime": original}
    made = {key: value for key, value in bundle(PATIENT, unzoned, {**REPORT, "result": [{"reference": "urn:uuid:q"}]}).items() if key != "timestamp"}
    message = WRITE(made, CONTEXT).message
    assert message.get("MSH-7") == "20240307083000"
    assert message.get("OBX-14") == "20240305123045"


def test_a_component_of_another_code_is_a_result_of_its_own() -> None:
    """Two pressures are never two values of one code."""
    parts = [{"code": {"coding": [{"code": code}]}, "valueQuantity": {"value": value}} for code, value in (("SYS", 120), ("DIA", 80))]
    pressure = {"resourceType": "Observation", "id": "q", "status": "final", "code": {"coding": [{"code": "BP"}]}, "component": parts}
    message = WRITE(bundle(PATIENT, pressure, {**REPORT, "result": [{"reference": "urn:uuid:q"}]}), CONTEXT).message
    assert lines(message)[-3:] == ["OBX|1||BP||||||||F", "OBX|2|NM|SYS||120||||||F", "OBX|3|NM|DIA||80||||||F"]


def test_two_patients_are_two_groups() -> None:
    """Reports stand with whose they are."""
    other = {**PATIENT, "id": "p2", "identifier": [{"value": "2"}]}
    reports = [{**REPORT, "id": f"r{index}", "subject": {"reference": f"urn:uuid:{whose}"}, "result": []} for index, whose in enumerate(("p", "p2", "p"))]
    names = [segment.name for segment in WRITE(bundle(PATIENT, other, *reports), CONTEXT).message.segments]
    assert names == ["MSH", "PID", "ORC", "OBR", "ORC", "OBR", "PID", "ORC", "OBR"]


def test_who_sends_is_said_where_the_bundle_does_not() -> None:
    """Options of the step; processing id too."""
    write = ToHl7(LIBRARY, Header("FLUE", "HOSP", "EHR", "WARD", "T"))
    assert lines(write(bundle(), CONTEXT).message)[0].startswith("MSH|^~\\&|FLUE|HOSP|EHR|WARD|20240306080000+0100||ORU^R01^ORU_R01|M1|T|")


@pytest.mark.parametrize("wrong", [{}, {"resourceType": "Patient"}, bundle(PATIENT), {**bundle(), "type": "searchset"}, {**bundle(), "entry": []}])
def test_what_is_no_result_is_refused(wrong: dict[str, Any]) -> None:
    """With a sentence, not with an empty message."""
    with pytest.raises(MessageError):
        WRITE(wrong, CONTEXT)


@pytest.mark.parametrize("change", [{"code": 5}, {"code": {"coding": "x"}}, {"effectiveDateTime": {"a": 1}}, {"identifier": {"value": 3}}, {"note": ["x"]}, {"performer": {}}])
def test_what_is_malformed_is_refused_or_left(change: dict[str, Any]) -> None:
    """An element of the wrong type raises MessageError or is listed; it never raises anything else."""
    made = bundle(PATIENT, {**QUANTITY, **change}, {**REPORT, "result": [{"reference": "urn:uuid:q"}]})
    try:
        WRITE(made, CONTEXT)
    except MessageError as error:
        assert "Glucose" not in str(error)

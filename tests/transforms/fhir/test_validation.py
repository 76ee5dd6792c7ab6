"""Whether content is valid R4, and the sentences for what is not."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.fhir.elements import resource_types
from transforms.fhir.schema import schema_of
from transforms.fhir.serialization import loads
from transforms.fhir.validation import is_valid, validate

P, O1, O2 = (f"urn:uuid:{n * 8}-1111-4111-8111-111111111111" for n in "123")


def observation(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **more}


def bundle(*resources: tuple[str, dict[str, Any]], kind: str = "collection") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"fullUrl": url, "resource": resource} for url, resource in resources]}


def condition(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, **more}


def parameters(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": "x", "resource": resource}]}


PATIENT = {"resourceType": "Patient", "active": True}
OF_O1 = {"reference": O1}
UCUM = {"system": "http://unitsofmeasure.org"}

VALID = [
    observation(),
    observation(valueQuantity={"value": Decimal("98.50"), "unit": "mg/dL", **UCUM, "code": "mg/dL"}),
    observation(_status={"extension": [{"url": "http://x.example/e", "valueCode": "F"}]}),
    {"resourceType": "Observation", "_status": {"extension": [{"url": "http://x.example/e", "valueCode": "F"}]}, "code": {"text": "x"}},
    observation(extension=[{"url": "http://x.example/e", "id": "1", "valueString": "x"}]),
    observation(extension=[{"url": "http://x.example/e", "extension": [{"url": "inner", "valueInteger": 0}]}]),
    observation(contained=[{"resourceType": "Specimen", "id": "s"}], specimen={"reference": "#s"}),
    observation(subject={"reference": "Patient/1"}),
    observation(subject={"reference": "https://server.example/fhir/Patient/1/_history/2"}),
    observation(subject={"identifier": {"system": "urn:oid:1.2.3", "value": "1"}}),
    observation(dataAbsentReason={"text": "not asked"}),
    {
        "resourceType": "Patient",
        "name": [{"given": ["Eve", None], "_given": [None, {"extension": [{"url": "http://x.example/e", "valueBoolean": True}]}]}],
    },
    {"resourceType": "Parameters", "parameter": [{"name": "x", "part": [{"name": "y", "resource": observation()}]}]},
    bundle((P, PATIENT), (O1, observation(subject={"reference": P}))),
    *(
        observation(effectiveDateTime=text)
        for text in ("2024", "2024-02", "2024-02-29", "2024-02-29T23:59:60Z", "2024-02-29T10:00:00.120+13:00")
    ),
    *(
        observation(valueQuantity={"value": 1, **UCUM, "code": code})
        for code in ("1", "%", "10*3/uL", "/[HPF]", "mmol/mol{creat}", "m[H2O].s-1", "mL/min/{1.73_m2}")
    ),
]


@pytest.mark.parametrize("content", VALID)
def test_valid_content_is_accepted(content: dict[str, Any]) -> None:
    """What R4 allows passes, quickly and in words."""
    assert validate(content) == [] and is_valid(content)


INVALID = [
    (observation(status="bogus"), "code-invalid", "Observation.status", "is none of amended, cancelled"),
    ({"resourceType": "Observation", "status": "final"}, "required", "Observation", "lacks code"),
    ({"resourceType": "Observation", "code": {"text": "x"}}, "required", "Observation", "lacks status"),
    (observation(valueString=""), "structure", "Observation.valueString", "is empty"),
    (observation(subject={}), "structure", "Observation.subject", "is empty"),
    (observation(category=[]), "structure", "Observation.category", "is empty"),
    (observation(category={"text": "x"}), "structure", "Observation.category", "may repeat, so it is a list"),
    (observation(subject=[{"reference": "Patient/1"}]), "structure", "Observation.subject", "it is one object"),
    (observation(issued="2024-01-02T03:04:05"), "value", "Observation.issued", "has not the form of an instant"),
    (observation(effectiveDateTime="2024-01-02T03:04"), "value", "Observation.effectiveDateTime", "has not the form of a dateTime"),
    (observation(valueInteger=2**31), "value", "Observation.valueInteger", "has not the form of an integer"),
    (observation(valueInteger=1, valueString="x"), "invariant", "Observation", "has more than one value[x]"),
    (observation(wrong=1), "structure", "Observation", "has an element that R4 does not know: wrong"),
    (observation(valueQuantity={"value": "ninety"}), "structure", "Observation.valueQuantity.value", "is no decimal"),
    (observation(valueQuantity={"value": 1, "code": "mg"}), "invariant", "Observation.valueQuantity", "needs a system (qty-3)"),
    (observation(valueQuantity={"value": 1, **UCUM, "code": "mg//dL"}), "value", "Observation.valueQuantity.code", "no form of UCUM"),
    (observation(referenceRange=[{"age": {"low": {"value": 1}}}]), "invariant", "Observation.referenceRange[0]", "(obs-3)"),
    (observation(valueString="x", dataAbsentReason={"text": "x"}), "invariant", "Observation", "(obs-6)"),
    (
        observation(code={"coding": [{"code": "a"}]}, valueString="x", component=[{"code": {"coding": [{"code": "a"}]}}]),
        "invariant",
        "Observation.component[0]",
        "(obs-7)",
    ),
    (observation(subject={"reference": "#nope"}), "not-found", "Observation.subject", "(ref-1)"),
    (observation(subject={"reference": "Organization/1"}), "value", "Observation.subject", "an Organization, which is none of Device"),
    (observation(contained=[{"resourceType": "Specimen", "id": "s"}]), "invariant", "Observation.contained[0]", "(dom-3)"),
    (observation(contained=[{"resourceType": "Nothing"}]), "structure", "Observation.contained[0]", "is no resource of R4"),
    (observation(identifier=[{"system": "urn:oid:1.2.x"}]), "value", "Observation.identifier[0].system", "has not the form of a uri"),
    (observation(extension=[{"url": "http://x.example/e"}]), "invariant", "Observation.extension[0]", "(ext-1)"),
    (
        observation(extension=[{"url": "http://x.example/e", "valueString": "x", "valueCode": "y"}]),
        "invariant",
        "Observation.extension[0]",
        "(ext-1)",
    ),
    ({"resourceType": "Patient", "contact": [{"gender": "male"}]}, "invariant", "Patient.contact[0]", "(pat-1)"),
    ({"resourceType": "Organization", "active": True}, "invariant", "Organization", "(org-1)"),
    ({"resourceType": "Binary", "contentType": "text/plain", "data": "###"}, "value", "Binary.data", "has not the form of a base64Binary"),
    (condition(clinicalStatus={"coding": [{"code": "active"}]}), "invariant", "Condition.clinicalStatus.coding", "has no code of"),
    (bundle((P, PATIENT), (P, PATIENT)), "duplicate", "Bundle.entry[1]", "(bdl-7)"),
    (bundle((P, PATIENT), kind="transaction"), "invariant", "Bundle.entry[0]", "(bdl-3)"),
    (bundle((O1, observation(subject={"reference": P}))), "not-found", "Bundle.entry[0].resource.subject", "that the bundle does not have"),
    (bundle((O1, observation()), (O2, observation(subject=OF_O1))), "value", "Bundle.entry[1].resource.subject", "an Observation"),
    (bundle((O1, observation(status="x"))), "code-invalid", "Bundle.entry[0].resource.status", "is none of"),
    (bundle((O1, {"resourceType": "Nothing"})), "structure", "Bundle.entry[0].resource", "is no resource of R4"),
    (parameters(observation(status="x")), "code-invalid", "Parameters.parameter[0].resource.status", ""),
    ({}, "structure", "Resource", "is no resource of R4"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "code", "place", "sentence"), INVALID)
def test_faults_are_found_and_named(content: dict[str, Any], code: str, place: str, sentence: str) -> None:
    """Every kind of fault has a code, a place and a sentence."""
    issues = validate(content)
    assert any((issue.code, issue.place) == (code, place) and sentence in issue.text for issue in issues), issues
    assert not is_valid(content)


def test_no_sentence_quotes_a_value() -> None:
    """What may be about a patient is never repeated."""
    secret = "EVERYMAN SECRET"
    content = observation(
        status=secret,
        issued=secret,
        subject={"reference": 5, "display": [secret]},
        valueQuantity={"value": secret, "code": [secret]},
        note=secret,
    )
    issues = validate(content)
    assert len(issues) >= 5 and secret not in " ".join(map(str, issues))


@pytest.mark.parametrize("content", [None, 5, "x", [], [observation()]])
def test_what_is_no_object_is_said_to_be_none(content: object) -> None:
    """JSON that is no object is invalid, not an exception."""
    assert [issue.code for issue in validate(content)] == ["structure"]


def test_a_bundle_of_outcomes_is_looked_into() -> None:
    """A response's outcome is a resource like others."""
    content = {
        "resourceType": "Bundle",
        "type": "batch-response",
        "entry": [{"response": {"status": "400", "outcome": {"resourceType": "OperationOutcome"}}}],
    }
    assert [issue.place for issue in validate(content)] == ["Bundle.entry[0].response.outcome"]
    assert not is_valid(content)


@pytest.mark.parametrize("type_name", sorted(resource_types()))
def test_every_resource_type_has_a_schema_that_compiles(type_name: str) -> None:
    """Whatever is sent through can be checked: an empty resource is either valid or lacks something."""
    assert f"#/$defs/{type_name}" == schema_of(type_name)["$ref"]
    assert is_valid({"resourceType": type_name, "id": "1"}) == (not validate({"resourceType": type_name, "id": "1"}))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["#a", P, O1, "Patient/1"]),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["reference", "coding", "id", "extension", "url", "resourceType"]), below, max_size=3)
    ),
    max_leaves=8,
)


@given(data=st.data())
def test_mutated_content_never_breaks_the_validator(data: st.DataObject) -> None:
    """Whatever stands where, the two answers agree and nothing is raised."""
    content = copy.deepcopy(
        bundle((P, PATIENT), (O1, observation(subject={"reference": P}, category=[{"text": "x"}], contained=[copy.deepcopy(PATIENT)])))
    )
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = content
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and data.draw(st.booleans()):
                node = node[key]
                continue
            node[key] = data.draw(anything)
            break
    assert is_valid(content) == (not validate(content))


@pytest.mark.shared
def test_known_faults_are_found(shared: Path) -> None:
    """All 23 faults of the set that official and other validators were measured with; the valid one is accepted."""
    faults = sorted((shared / "peers" / "invalid_r4").glob("*.json"))
    found = {file.stem for file in faults if validate(loads(file.read_bytes()))}
    assert {file.stem for file in faults} - found == {"ok"}
    assert all(is_valid(json.loads(file.read_text())) == (file.stem == "ok") for file in faults)
    print(f"{len(found)} of {len(faults) - 1} faults found")

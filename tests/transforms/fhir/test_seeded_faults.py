"""Faults of every kind, put one at a time into a bundle that a map made: each is found, quickly and in words, at its place."""

from __future__ import annotations

import copy
import random
from decimal import Decimal
from typing import Any

import pytest

from bench import handwritten, load
from transforms.fhir.validation import is_valid, validate

Resource = dict[str, Any]
CODES = "http://terminology.hl7.org/CodeSystem/"
PATIENT = {"reference": "Patient/1"}
NOW, LATER = "2024-01-15T10:30:00Z", "2024-01-15T11:30:00Z"


def coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": CODES + system, "code": code}]}


MORE: dict[str, Resource] = {
    "AllergyIntolerance": {"clinicalStatus": coded("allergyintolerance-clinical", "active"), "patient": PATIENT},
    "Appointment": {"status": "booked", "start": NOW, "end": LATER, "participant": [{"actor": PATIENT, "status": "accepted"}]},
    "Condition": {
        "clinicalStatus": coded("condition-clinical", "resolved"),
        "subject": PATIENT,
        "abatementDateTime": "2024",
        "evidence": [{"code": [{"text": "x"}]}],
    },
    "Consent": {"status": "active", "scope": {"text": "x"}, "category": [{"text": "x"}], "policyRule": {"text": "x"}},
    "DocumentReference": {"status": "current", "content": [{"attachment": {"contentType": "text/plain", "data": "eA=="}}]},
    "Goal": {
        "lifecycleStatus": "active",
        "description": {"text": "x"},
        "subject": PATIENT,
        "target": [{"measure": {"text": "x"}, "detailString": "y"}],
    },
    "Encounter": {"status": "finished", "class": {"code": "AMB"}, "period": {"start": "2024-01-01", "end": "2024-01-02"}},
    "MedicationAdministration": {
        "status": "completed",
        "medicationCodeableConcept": {"text": "x"},
        "subject": PATIENT,
        "effectiveDateTime": "2024",
        "dosage": {"dose": {"value": 1, "unit": "mg"}},
    },
    "MedicationDispense": {"status": "completed", "medicationCodeableConcept": {"text": "x"}, "whenPrepared": NOW, "whenHandedOver": LATER},
    "Organization": {"name": "x", "telecom": [{"system": "phone", "value": "1", "use": "work"}], "address": [{"city": "x", "use": "work"}]},
    "ServiceRequest": {
        "status": "active",
        "intent": "order",
        "subject": PATIENT,
        "code": {"text": "x"},
        "orderDetail": [{"text": "y"}],
        "occurrenceTiming": {
            "repeat": {"duration": 1, "durationUnit": "h", "period": 1, "periodMax": 2, "periodUnit": "d", "when": ["AC"], "offset": 5}
        },
        "quantityRange": {"low": {"value": 1, "unit": "x"}, "high": {"value": 2, "unit": "x"}},
    },
    "Specimen": {"collection": {"quantity": {"value": 1}, "duration": {"value": 1, "system": "http://unitsofmeasure.org", "code": "h"}}},
    "Immunization": {
        "status": "completed",
        "vaccineCode": {"text": "x"},
        "patient": PATIENT,
        "occurrenceDateTime": "2024",
        "education": [{"documentType": "x"}],
    },
    "Observation": {
        "status": "final",
        "code": {"coding": [{"code": "a"}]},
        "valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 2}},
    },
}


def made() -> Resource:
    """What becomes of the reference message (by hand as by the map, as another test has it), and behind it a resource of each of `MORE`."""
    bundle = copy.deepcopy(handwritten.convert(load.message("CTL1", random.Random(1), observations=2))[1])
    for number, (kind, more) in enumerate(MORE.items()):
        resource = {"resourceType": kind, **copy.deepcopy(more)}
        url = f"urn:uuid:00000000-0000-4000-8000-0000000000{number:02}"
        bundle["entry"].append({"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": kind}})
    return bundle


BUNDLE = made()


def index_of(bundle: Resource, kind: str) -> int:
    """The entry of a type: the last one, for those the map made come before those of `MORE`; `first X` the first."""
    found = [number for number, entry in enumerate(bundle["entry"]) if entry["resource"]["resourceType"] == kind.removeprefix("first ")]
    return found[0] if kind.startswith("first ") else found[-1]


def spoil(bundle: Resource, kind: str, path: str, value: Any) -> str:
    """Put something wrong into a bundle; gives where what holds it stands."""
    index = -1 if kind == "Bundle" else index_of(bundle, kind)
    holder: Any = bundle if index < 0 else bundle["entry"][index]["resource"]
    *way, last = [int(each) if each.isdigit() else each for each in path.split(".")]
    for each in way:
        holder = holder[each]
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value
    return "Bundle" if index < 0 else f"Bundle.entry[{index}].resource"


GONE = object()


FAULTS: list[tuple[str, str, Any, str]] = [
    # type, place, what to put there, what the sentence says
    # structure
    ("first Patient", "wrong", 1, "does not know: wrong"),
    ("first Patient", "name", {"family": "x"}, "may repeat"),
    ("first Patient", "birthDate", ["2024"], "is no date"),
    ("first Patient", "name.0", {}, "empty"),
    ("first Patient", "name.0.family", "", "empty"),
    ("first Patient", "name.0.given", [], "empty"),
    ("first Patient", "active", "true", "boolean"),
    ("first Observation", "code", {"coding": "x"}, "may repeat"),
    ("first Observation", "resourceType", "Observatio", "no resource of R4"),
    ("Bundle", "entry.0", {}, "empty"),
    # cardinality
    ("first Observation", "status", GONE, "lacks status"),
    ("first Observation", "code", GONE, "lacks code"),
    ("first DiagnosticReport", "code", GONE, "lacks code"),
    ("first Provenance", "agent", GONE, "lacks agent"),
    ("first Provenance", "recorded", GONE, "lacks recorded"),
    ("Bundle", "type", GONE, "lacks type"),
    ("Bundle", "entry.0.request.url", GONE, "lacks url"),
    ("Encounter", "class", GONE, "lacks class"),
    ("Appointment", "participant.0.status", GONE, "lacks status"),
    # choice elements
    ("first Observation", "valueString", "x", "more than one value[x]"),
    ("first Observation", "effectivePeriod", {"start": "2024"}, "more than one effective[x]"),
    ("first Patient", "deceased", True, "does not know: deceased"),
    ("MedicationAdministration", "effectiveDateTime", GONE, "needs one effective[x]"),
    ("first Observation", "valueAttachment", {"title": "x"}, "does not know: valueAttachment"),
    # references
    ("first Observation", "subject.reference", "Organization/1", "which is none of"),
    ("first Observation", "subject.reference", "urn:uuid:11111111-1111-4111-8111-111111111111", "the bundle does not have"),
    ("first Observation", "subject.reference", "#nobody", "(ref-1)"),
    ("Condition", "subject.reference", "http://server.example/fhir/Device/1", "which is none of"),
    # required codes
    ("first Observation", "status", "done", "is none of"),
    ("first Patient", "gender", "F", "is none of"),
    ("first Patient", "telecom.0.system", "telephone", "is none of"),
    ("first Patient", "address.0.use", "house", "is none of"),
    ("Condition", "clinicalStatus", {"coding": [{"system": CODES + "condition-clinical", "code": "gone"}]}, "has no code of"),
    ("Bundle", "type", "transactions", "is none of"),
    ("Bundle", "entry.0.request.method", "UPSERT", "is none of"),
    # primitives
    ("first Patient", "birthDate", "19800102", "the form of a date"),
    ("first Observation", "effectiveDateTime", "2024-01-15T10:30", "the form of a dateTime"),
    ("first Observation", "issued", "2024-01-15T10:30:00", "the form of an instant"),
    ("first Observation", "id", "an id with blanks", "the form of an id"),
    ("first Observation", "valueQuantity.value", "7.0", "decimal"),
    ("first Observation", "valueQuantity.system", "units of measure", "the form of a uri"),
    ("first Observation", "valueQuantity.code", "mg//dL", "UCUM"),
    ("first Patient", "identifier.0.system", "urn:oid:1.2.", "the form of a uri"),
    ("DocumentReference", "content.0.attachment.data", "not base64!", "the form of a base64Binary"),
    ("Appointment", "priority", -1, "the form of an unsignedInt"),
    # invariants
    ("first Observation", "dataAbsentReason", {"text": "x"}, "(obs-6)"),
    ("Observation", "component", [{"code": {"coding": [{"code": "a"}]}}], "(obs-7)"),
    ("first Observation", "referenceRange", [{"age": {"low": {"value": 1}}}], "(obs-3)"),
    ("first Observation", "referenceRange.0.low.comparator", "<", "(sqty-1)"),
    ("first Observation", "valueQuantity.system", GONE, "(qty-3)"),
    ("first Patient", "contact", [{"gender": "male"}], "(pat-1)"),
    ("first Patient", "identifier.0.period", {"start": "2024-02", "end": "2024-01-31"}, "(per-1)"),
    ("first Patient", "telecom.0.system", GONE, "(cpt-2)"),
    ("first Patient", "extension", [{"url": "http://x.example/e"}], "(ext-1)"),
    ("first Patient", "extension", [{"url": "http://x.example/e", "id": "x"}], "(ext-1)"),
    (
        "first Patient",
        "extension",
        [{"url": "http://x.example/e", "valueString": "x", "extension": [{"url": "y", "valueString": "z"}]}],
        "(ext-1)",
    ),
    ("first DiagnosticReport", "contained.0.id", "another", "(dom-3)"),
    ("first DiagnosticReport", "contained.0.contained", [{"resourceType": "Device", "id": "d"}], "(dom-2)"),
    ("first DiagnosticReport", "contained.0.meta", {"versionId": "1"}, "(dom-4)"),
    ("first DiagnosticReport", "contained.0.meta", {"security": [{"code": "R"}]}, "(dom-5)"),
    ("Encounter", "period.end", "2023", "(per-1)"),
    ("Organization", "name", GONE, "(org-1)"),
    ("Organization", "address.0.use", "home", "(org-2)"),
    ("Organization", "telecom.0.use", "home", "(org-3)"),
    ("ServiceRequest", "code", GONE, "(prr-1)"),
    ("ServiceRequest", "quantityRange.low.value", Decimal("2.5"), "(rng-2)"),
    ("ServiceRequest", "occurrenceTiming.repeat.durationUnit", GONE, "(tim-1)"),
    ("ServiceRequest", "occurrenceTiming.repeat.periodUnit", GONE, "(tim-2)"),
    ("ServiceRequest", "occurrenceTiming.repeat.duration", -1, "(tim-4)"),
    ("ServiceRequest", "occurrenceTiming.repeat.period", -1, "(tim-5)"),
    ("ServiceRequest", "occurrenceTiming.repeat.period", GONE, "(tim-6)"),
    ("ServiceRequest", "occurrenceTiming.repeat.countMax", 2, "(tim-8)"),
    ("ServiceRequest", "occurrenceTiming.repeat.when", ["C"], "(tim-9)"),
    ("ServiceRequest", "occurrenceTiming.repeat.timeOfDay", ["10:00:00"], "(tim-10)"),
    ("Specimen", "collection.quantity.comparator", "<", "(sqty-1)"),
    ("Specimen", "collection.duration.value", GONE, "(drt-1)"),
    ("DocumentReference", "content.0.attachment.contentType", GONE, "(att-1)"),
    ("AllergyIntolerance", "clinicalStatus", GONE, "(ait-1)"),
    ("AllergyIntolerance", "verificationStatus", coded("allergyintolerance-verification", "entered-in-error"), "(ait-2)"),
    ("Appointment", "participant.0.actor", GONE, "(app-1)"),
    ("Appointment", "end", GONE, "(app-2)"),
    ("Appointment", "cancelationReason", {"text": "x"}, "(app-4)"),
    ("Condition", "clinicalStatus", coded("condition-clinical", "active"), "(con-4)"),
    ("Condition", "verificationStatus", coded("condition-ver-status", "entered-in-error"), "(con-5)"),
    ("Condition", "evidence.0", {"id": "x"}, "(con-2)"),
    ("Consent", "policyRule", GONE, "(ppc-1)"),
    ("Goal", "target.0.measure", GONE, "(gol-1)"),
    ("Immunization", "education.0.documentType", GONE, "empty"),
    ("MedicationAdministration", "dosage.dose", GONE, "empty"),
    ("MedicationAdministration", "dosage", {"text": "x"}, "(mad-1)"),
    ("MedicationDispense", "whenHandedOver", "2024-01-15T12:00:00+02:00", "(mdd-1)"),
    ("Observation", "valueRatio.denominator", GONE, "(rat-1)"),
    # the bundle
    ("Bundle", "entry.0.request", GONE, "(bdl-3)"),
    ("Bundle", "entry.1.request", GONE, "(bdl-3)"),
    ("Bundle", "entry.1.response", {"status": "200"}, "(bdl-4)"),
    ("Bundle", "entry.1.search", {"mode": "match"}, "(bdl-2)"),
    ("Bundle", "total", 3, "(bdl-1)"),
    ("Bundle", "entry.2.fullUrl", BUNDLE["entry"][1]["fullUrl"], "(bdl-7)"),
    ("Bundle", "entry.0.fullUrl", "http://server.example/Patient/1/_history/1", "(bdl-8)"),
    ("Bundle", "type", "collection", "(bdl-3)"),
    ("Bundle", "type", "document", "(bdl-10)"),
    ("Bundle", "type", "document", "(bdl-11)"),
    ("Bundle", "type", "message", "(bdl-12)"),
    ("Bundle", "type", "batch-response", "(bdl-4)"),
]


def test_the_bundle_is_valid_before() -> None:
    """So that what is found is what was put there; and there are faults enough, of all kinds."""
    assert validate(BUNDLE) == [] and is_valid(BUNDLE)
    assert len(FAULTS) >= 50


@pytest.mark.parametrize(("kind", "path", "value", "said"), FAULTS)
def test_a_fault_is_found_at_its_place(kind: str, path: str, value: Any, said: str) -> None:
    """`is_valid` says no, and an issue names the rule and a place in the resource at fault."""
    bundle = copy.deepcopy(BUNDLE)
    place = spoil(bundle, kind, path, value)
    issues = validate(bundle)
    assert not is_valid(bundle)
    assert [issue for issue in issues if said in issue.text and issue.place.startswith(place)], issues


def test_a_document_needs_more() -> None:
    """An identifier with a system and a value; a Composition first; a date."""
    document = {"resourceType": "Bundle", "type": "document", "entry": [{"resource": {"resourceType": "Patient", "active": True}}]}
    assert sorted(issue.text.rpartition("(")[2] for issue in validate(document)) == ["bdl-10)", "bdl-11)", "bdl-9)"]
    assert not is_valid(document)

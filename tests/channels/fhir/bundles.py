"""Pure bundles for tests: a patient, a practitioner, orders, reports with results.  All made up."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from transforms.fhir.serialization import loads

Entry = dict[str, Any]
SITE = "https://site.example"


def uuid(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


def to(name: str) -> dict[str, str]:
    return {"reference": f"urn:uuid:{uuid(name)}"}


def shared(type_name: str, name: str, /, **elements: Any) -> Entry:
    """A resource to be created if there is none with its identifier."""
    resource = {"resourceType": type_name, "identifier": [{"system": f"{SITE}/{type_name}", "value": name}], **elements}
    condition = f"identifier=https%3A%2F%2Fsite.example%2F{type_name}%7C{name}"
    return {
        "fullUrl": f"urn:uuid:{uuid(name)}",
        "resource": resource,
        "request": {"method": "POST", "url": type_name, "ifNoneExist": condition},
    }


def updated(type_name: str, name: str, /, **elements: Any) -> Entry:
    """A shared resource that is overwritten."""
    entry = shared(type_name, name, **elements)
    return {**entry, "request": {"method": "PUT", "url": f"{type_name}?{entry['request']['ifNoneExist']}"}}


def admission(patient: str = "patient", name: str = "Doe", conditions: int = 1, **elements: Any) -> dict[str, Any]:
    """The bundle of an ADT: patient and visit are updated, and point at each other's company."""
    names = [f"condition {number}" for number in range(conditions)]
    ward = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    visit = {"status": "in-progress", "class": ward, "subject": to(patient), "diagnosis": [{"condition": to(each)} for each in names]}
    return transaction(
        updated("Patient", patient, name=[{"family": name}], **elements),
        updated("Encounter", "visit", **visit),
        shared("Practitioner", "practitioner"),
        *(owned("Condition", each, subject=to(patient), encounter=to("visit"), recorder=to("practitioner")) for each in names),
    )


def owned(type_name: str, name: str, **elements: Any) -> Entry:
    """A resource put under our own id."""
    id = uuid(name)
    resource = {"resourceType": type_name, "id": id, **elements}
    return {"fullUrl": f"urn:uuid:{id}", "resource": resource, "request": {"method": "PUT", "url": f"{type_name}/{id}"}}


def observation(name: str, patient: str = "patient", value: str = "98.50", **elements: Any) -> Entry:
    quantity = loads(b'{"value":%b,"unit":"mg/dL"}' % value.encode())
    return owned(
        "Observation", name, **{"status": "final", "code": {"text": name}, "subject": to(patient), "valueQuantity": quantity, **elements}
    )


def report(name: str, results: list[str], patient: str = "patient", order: str = "order", **elements: Any) -> Entry:
    more = {"status": "final", "code": {"text": name}, "subject": to(patient), "basedOn": [to(order)], **elements}
    return owned("DiagnosticReport", name, **more, result=[to(result) for result in results])


def transaction(*entries: Entry, control_id: str = "MSG1") -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "identifier": {"system": f"{SITE}/messages", "value": control_id},
        "entry": list(entries),
    }


def context(patient: str = "patient", order: str = "order") -> list[Entry]:
    """What a laboratory message says beside its results: three shared resources, the order pointing at the others."""
    return [
        shared("Patient", patient, gender="male"),
        shared("Practitioner", "practitioner"),
        shared("ServiceRequest", order, status="active", intent="order", subject=to(patient), requester=to("practitioner")),
    ]


def laboratory(results: int = 3, patient: str = "patient", name: str = "report", value: str = "98.50") -> dict[str, Any]:
    """The bundle of one report."""
    names = [f"{name} result {number}" for number in range(results)]
    return transaction(
        *context(patient, f"order of {name}"),
        report(name, names, patient, f"order of {name}"),
        *(observation(each, patient, value) for each in names),
    )

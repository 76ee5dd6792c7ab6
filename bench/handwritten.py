"""The reference load's conversion, written by hand: what a compiled map is measured against.

Gives the same Bundle as the packaged ORU_R01 map does for the messages of `bench.load` (a test compares them), and knows nothing
else: no repetitions, escapes, null values, other segments or types.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha1
from urllib.parse import quote
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import msgspec

BASE = "https://bench.example/id"
SPACE = uuid5(UUID("6f2a9a0e-3c1b-5f0d-9d5c-1f1e0c6b7a11"), "bench").bytes
V2 = "http://terminology.hl7.org/CodeSystem/v2-"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
ZONE = ZoneInfo("America/New_York")
OBSERVATION_STATUS = {"F": "final", "P": "preliminary", "C": "corrected", "D": "entered-in-error"}
REPORT_STATUS = {"F": "final", "P": "preliminary", "C": "corrected"}
INTERPRETATION = {"H": "High", "L": "Low", "N": "Normal", "A": "Abnormal"}
GENDER = {"F": "female", "M": "male"}
CLASS = {"I": ("IMP", "inpatient encounter"), "O": ("AMB", "ambulatory")}
MARITAL = {"S": "Never Married", "M": "Married"}
LABORATORY = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}
VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

encode = msgspec.json.Encoder(decimal_format="number").encode


def name(key: str) -> str:
    """A UUIDv5."""
    digits = sha1(SPACE + key.encode(), usedforsecurity=False).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"


def coded(system: str, code: str, display: str = "") -> dict:
    """A Coding in a CodeableConcept."""
    return {"coding": [{"system": system, "code": code, "display": display} if display else {"system": system, "code": code}]}


@lru_cache(4096)
def moment(text: str) -> str:
    """A dateTime: times without an offset are in the channel's zone."""
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=ZONE).isoformat()


def day(text: str) -> str:
    """A date."""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"


def convert(content: bytes) -> tuple[list[str], dict, str]:
    """(MSH fields, Bundle, patient number)."""
    msh, pid, pv1, orc, obr, *obx = (line.split("|") for line in content.decode().split("\r") if line)
    number, _, _, authority, kind = pid[3].split("^")
    system = f"{BASE}/{msh[3]}/{authority}"
    patient = "urn:uuid:" + name(f"{system}|{number}")
    report_key = f"{msh[3]}|{obr[3]}|{obr[4]}"
    report_id, subject = name(report_key), {"reference": patient}
    based_on = [{"type": "ServiceRequest", "identifier": {"value": obr[2]}}]
    issued = moment(obr[22])
    category = [LABORATORY, coded(V2 + "0074", obr[24], "Laboratory")]
    observations = [observation(line, report_key, subject, based_on, category, issued) for line in obx]
    entries = [
        {"fullUrl": patient, "resource": person(pid, system, number, kind, authority),
         "request": {"method": "POST", "url": "Patient", "ifNoneExist": f"identifier={quote(system, safe='')}%7C{quote(number, safe='')}"}},
        owned(report(obr, orc, pv1, report_id, subject, category, observations)),
        *map(owned, observations),
        owned(provenance(msh, report_id)),
    ]  # fmt: skip
    identifier = {"system": f"{BASE}/message-control-id", "value": msh[9]}
    return msh, {"resourceType": "Bundle", "type": "transaction", "identifier": identifier, "entry": entries}, number


def owned(resource: dict) -> dict:
    """An entry put by its id."""
    kind, id = resource["resourceType"], resource["id"]
    return {"fullUrl": f"urn:uuid:{id}", "resource": resource, "request": {"method": "PUT", "url": f"{kind}/{id}"}}


def person(pid: list[str], system: str, number: str, kind: str, authority: str) -> dict:
    """PID as a Patient."""
    family, first, middle = pid[5].split("^")
    line, _, city, state, code, country = pid[11].split("^")
    return {
        "resourceType": "Patient",
        "identifier": [
            {"type": coded(V2 + "0203", kind), "system": system, "value": number, "assigner": {"display": authority}},
            {"type": coded(V2 + "0203", "AN"), "value": pid[18]},
        ],
        "name": [{"family": family, "given": [first, middle]}],
        "birthDate": day(pid[7]),
        "gender": GENDER[pid[8]],
        "address": [{"line": [line], "city": city, "state": state, "postalCode": code, "country": country}],
        "telecom": [{"system": "phone", "value": pid[13], "use": "home"}],
        "maritalStatus": {"coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": pid[16], "display": MARITAL[pid[16]]},
            {"system": V2 + "0002", "code": pid[16]},
        ]},
    }


def report(obr: list[str], orc: list[str], pv1: list[str], id: str, subject: dict, category: list, observations: list[dict]) -> dict:
    """OBR as a DiagnosticReport that contains what has no identifier of its own: practitioner, encounter, order."""
    code, display, _ = obr[4].split("^")
    number, family, first, _, _, prefix = orc[12].split("^")
    numbers = [{"type": coded(V2 + "0203", "PLAC"), "value": obr[2]}, {"type": coded(V2 + "0203", "FILL"), "value": obr[3]}]
    doctor = {"resourceType": "Practitioner", "id": "c" + name(orc[12])[:12], "identifier": [{"value": number}],
              "name": [{"family": family, "given": [first], "prefix": [prefix]}]}  # fmt: skip
    at = {"reference": f"#{doctor['id']}"}
    klass, klass_name = CLASS[pv1[2]]
    encounter = {
        "resourceType": "Encounter", "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": klass, "display": klass_name},
        "participant": [{"type": [coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "REF", "referrer")], "individual": at}],
        "location": [{"location": {"type": "Location", "display": pv1[3].replace("^", " ")}, "status": "active"}],
        "subject": subject, "id": "encounter-1",
    }  # fmt: skip
    order = {"resourceType": "ServiceRequest", "identifier": numbers, "status": "completed", "requester": at, "intent": "order",
             "code": coded(LOINC, code, display), "subject": subject, "id": "order-2"}  # fmt: skip
    return {
        "resourceType": "DiagnosticReport", "id": id, "identifier": [{"system": f"{BASE}/result-key", "value": id}, *numbers],
        "status": REPORT_STATUS[obr[25]], "category": category[1:], "code": coded(LOINC, code, display),
        "effectiveDateTime": moment(obr[7]), "issued": moment(obr[22]),
        "subject": subject, "contained": [doctor, encounter, order], "encounter": {"reference": "#encounter-1"},
        "basedOn": [{"reference": "#order-2"}], "result": [{"reference": f"urn:uuid:{each['id']}"} for each in observations],
    }  # fmt: skip


def observation(obx: list[str], report_key: str, subject: dict, based_on: list, category: list, issued: str) -> dict:
    """OBX as an Observation."""
    code, display, _ = obx[3].split("^")
    id, unit = name(f"{report_key}|{obx[3]}|{obx[4]}"), obx[6]
    low, high = obx[7].split("-")
    made = {
        "resourceType": "Observation", "id": id, "identifier": [{"system": f"{BASE}/result-key", "value": id}],
        "status": OBSERVATION_STATUS[obx[11]], "category": category, "code": coded(LOINC, code, display),
        "valueQuantity": quantity(obx[5], unit),
    }  # fmt: skip
    if obx[8]:
        made["interpretation"] = [coded("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", obx[8], INTERPRETATION[obx[8]])]
    made["referenceRange"] = [{"low": quantity(low, unit), "high": quantity(high, unit), "text": obx[7]}]
    made["effectiveDateTime"], made["issued"] = moment(obx[14]), issued
    made["subject"], made["basedOn"] = subject, based_on
    return made


def quantity(value: str, unit: str) -> dict:
    """A Quantity in UCUM."""
    return {"value": Decimal(value), "unit": unit, "system": UCUM, "code": unit}


def provenance(msh: list[str], report_id: str) -> dict:
    """MSH as a Provenance."""
    id = name(f"{msh[9]}|{report_id}")
    kind = coded("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "author")
    return {
        "resourceType": "Provenance", "id": id, "recorded": moment(msh[6]), "occurredDateTime": moment(msh[6]),
        "agent": [{"who": {"type": "Organization", "display": msh[3]}, "type": kind}, {"who": {"type": "Device", "display": msh[2]}}],
        "entity": [{"role": "source", "what": {"identifier": {"value": msh[9]}}}],
        "target": [{"reference": f"urn:uuid:{report_id}"}],
    }  # fmt: skip

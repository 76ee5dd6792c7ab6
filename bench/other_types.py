"""Admissions, vaccinations and appointments: made-up messages of each, and their conversion by hand, to measure maps against.

As `handwritten` does for results: the same Bundles as the packaged maps give for these very messages (a test compares them), and
nothing else is known: no repetitions, escapes, null values, other segments or codes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from urllib.parse import quote

from bench.handwritten import BASE, GENDER, V2, coded, day, moment, name, owned, quantity

PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
PROVENANCE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
ALTERNATE = "http://hl7.org/fhir/StructureDefinition/alternate-codes"
CLASS = {"I": ("IMP", "inpatient encounter"), "O": ("AMB", "ambulatory")}
MARITAL = {"S": "Never Married", "M": "Married"}
KIN = {"SPO": ("SPS", "spouse")}
ALLERGY = {"DA": ("allergy", "medication"), "FA": ("allergy", "food")}
SEVERITY = {"SV": ("high", "severe")}
USE = {"A": ("AD", "Admission Diagnosis")}
ROUTE = {"IM": "Injection, intramuscular"}
REASON = {"ROUTINE": ("3780001", "Routine patient disposition, no follow-up planned")}
MINUTES = {"min": 1, "h": 60}

_PID = "PID|1||{n}^^^1.2.3.4.5^MR||DOE^JANE^A||19800102|F|||12 MAIN ST^^SPRINGFIELD^IL^62701^USA||5551234567"
_PV1 = "PV1|1|I|WARD1^101^A||||1234^SMITH^JOHN^^^DR" + "|" * 12 + "V{n}^^^1.2.3.4.6^VN" + "|" * 25 + "20240115100000"
MESSAGES = {
    "ADT_A01": (
        "MSH|^~\\&|ADTSYS|GENHOSP|EHR|CLINIC|20240115103000||ADT^A01^ADT_A01|{id}|P|2.5.1",
        "EVN|A01|20240115102900",
        _PID + "|||S",
        "NK1|1|DOE^JOHN|SPO^Spouse^HL70063|12 MAIN ST^^SPRINGFIELD^IL^62701^USA|5557654321",
        _PV1,
        "AL1|1|DA|70618^Penicillin^RxNorm|SV|Rash",
        "DG1|1||I10^Essential hypertension^I10|||A",
    ),
    "VXU_V04": (
        "MSH|^~\\&|EHRSYS|CLINIC|IIS|STATE|20240115103000||VXU^V04^VXU_V04|{id}|P|2.5.1",
        _PID,
        "ORC|RE|ORD{n}^EHRSYS|FIL{n}^EHRSYS",
        "RXA|0|1|20240115093000||08^Hep B, adolescent or pediatric^CVX|0.5|mL^^UCUM||00^New immunization^NIP001|1234^SMITH^JOHN^^^DR"
        "|^^^GENHOSP||||LOT{n}|20251231|MSD^Merck^MVX|||CP|A",
        "RXR|IM^Intramuscular^HL70162|LD^Left deltoid^HL70163",
    ),
    "SIU_S12": (
        "MSH|^~\\&|SCHEDSYS|GENHOSP|EHR|CLINIC|20240115103000||SIU^S12^SIU_S12|{id}|P|2.5.1",
        "SCH|APT{n}^SCHEDSYS|FIL{n}^SCHEDSYS|||||ROUTINE^Routine^HL70276|NORMAL^Normal^HL70277|30|min^^UCUM|^^^20240301090000^20240301093000",
        _PID,
        "RGS|1|A",
        "AIS|1|A|CONS^Consultation^HL70276",
        "AIL|1|A|ROOM1^^^GENHOSP",
        "AIP|1|A|1234^SMITH^JOHN^^^DR",
    ),
}


def message(structure: str, control_id: str, chance: random.Random) -> bytes:
    """A message of that structure, CR-separated, without its frame; everyone in it is made up."""
    number = chance.randint(1_000_000, 9_999_999)
    return "\r".join(MESSAGES[structure]).format(id=control_id, n=number).encode() + b"\r"


def segments(content: bytes) -> list[list[str]]:
    """The fields of each segment."""
    return [line.split("|") for line in content.decode().split("\r") if line]


# what all of them have


def bundled(msh: list[str], entries: list[dict]) -> dict:
    """The transaction around the entries."""
    identifier = {"system": f"{BASE}/message-control-id", "value": msh[9]}
    return {"resourceType": "Bundle", "type": "transaction", "identifier": identifier, "entry": entries}


def numbered(text: str, sender: str) -> dict:
    """A CX as an Identifier."""
    value, _, _, authority, kind = text.split("^")
    system = f"{BASE}/{sender}/{authority}"
    return {"type": coded(V2 + "0203", kind), "system": system, "value": value, "assigner": {"display": authority}}


def placed(text: str, sender: str, kind: str) -> dict:
    """An EI as the Identifier of a placer or filler."""
    value, authority = text.split("^")
    return {"type": coded(V2 + "0203", kind), "system": f"{BASE}/{sender}/{authority}", "value": value, "assigner": {"display": authority}}


def shared(resource: dict, identifier: dict, verb: str = "PUT") -> dict:
    """An entry of what others know by that identifier, too."""
    kind, system, value = resource["resourceType"], identifier["system"], identifier["value"]
    criterion = f"identifier={quote(system, safe='')}%7C{quote(value, safe='')}"
    request = (
        {"method": "PUT", "url": f"{kind}?{criterion}"} if verb == "PUT" else {"method": "POST", "url": kind, "ifNoneExist": criterion}
    )
    return {"fullUrl": f"urn:uuid:{name(f'{kind}|{system}|{value}')}", "resource": resource, "request": request}


def address(text: str) -> dict:
    """An XAD."""
    line, _, city, state, code, country = text.split("^")
    return {"line": [line], "city": city, "state": state, "postalCode": code, "country": country}


def person(pid: list[str], sender: str) -> dict:
    """PID as an entry."""
    family, first, middle = pid[5].split("^")
    identifier = numbered(pid[3], sender)
    made = {
        "resourceType": "Patient",
        "identifier": [identifier],
        "name": [{"family": family, "given": [first, middle]}],
        "birthDate": day(pid[7]),
        "gender": GENDER[pid[8]],
        "address": [address(pid[11])],
        "telecom": [{"system": "phone", "value": pid[13], "use": "home"}],
    }
    return shared(made, identifier)


def doctor(text: str) -> dict:
    """An XCN without an authority, to be contained."""
    number, family, first, _, _, prefix = text.split("^")
    return {
        "resourceType": "Practitioner",
        "id": "c" + name(text)[:12],
        "identifier": [{"value": number}],
        "name": [{"family": family, "given": [first], "prefix": [prefix]}],
    }


def keyed(kind: str, key: str, *identifiers: dict) -> dict:
    """A resource with an id of ours, which is its identifier too."""
    id = name(f"{kind}|{key}")
    return {"resourceType": kind, "id": id, "identifier": [{"system": f"{BASE}/result-key", "value": id}, *identifiers]}


def provenance(msh: list[str], targets: list[dict], **more: object) -> dict:
    """MSH as an entry."""
    author = (
        {"coding": [{"system": PROVENANCE, "code": "author", "display": "Author"}]} if "activity" in more else coded(PROVENANCE, "author")
    )
    made = {
        "resourceType": "Provenance",
        "id": name(f"Provenance|{msh[9]}"),
        "agent": [{"who": {"type": "Organization", "display": msh[3]}, "type": author}, {"who": {"type": "Device", "display": msh[2]}}],
        "entity": [{"role": "source", "what": {"identifier": {"value": msh[9]}}}],
        "target": targets,
        **more,
    }
    return owned(made)


def to(entry: dict) -> dict:
    """A reference to an entry."""
    return {"reference": entry["fullUrl"]}


def alternate(system: str, code: str) -> dict:
    """The sender's own code, beside the one it became."""
    return {"extension": [{"url": ALTERNATE, "valueCodeableConcept": coded(V2 + system, code)}]}


# admissions


def admission(content: bytes) -> dict:
    """ADT^A01."""
    msh, evn, pid, nk1, pv1, al1, dg1 = segments(content)
    patient = person(pid, msh[3])
    code = pid[16]
    system = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
    status = [{"system": system, "code": code, "display": MARITAL[code]}, {"system": V2 + "0002", "code": code}]
    patient["resource"] |= {"maritalStatus": {"coding": status}, "contact": [kin(nk1)]}
    visit = encounter(pv1, msh[3], to(patient))
    subject, key = to(patient), pid[3]
    problem = owned(condition(dg1, key, subject, to(visit)))
    visit["resource"]["diagnosis"] = [diagnosis(dg1, to(problem))]
    reaction = owned(allergy(al1, key, subject))
    activity = coded(V2 + "0003", evn[1])
    said = provenance(msh, [subject, to(visit)], recorded=moment(evn[2]), activity=activity)
    return bundled(msh, [patient, visit, problem, reaction, said])


def kin(nk1: list[str]) -> dict:
    """NK1 as a Patient.contact."""
    family, first = nk1[2].split("^")
    code, display, _ = nk1[3].split("^")
    role, called = KIN[code]
    relationship = {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": role, "display": called},
            {"system": V2 + "0063", "code": code, "display": display},
        ]
    }
    telecom = [{"system": "phone", "value": nk1[5]}]
    return {"relationship": [relationship], "name": {"family": family, "given": [first]}, "telecom": telecom, "address": address(nk1[4])}


def encounter(pv1: list[str], sender: str, subject: dict) -> dict:
    """PV1 as an entry."""
    code, display = CLASS[pv1[2]]
    attending, identifier = doctor(pv1[7]), numbered(pv1[19], sender)
    kind = {"coding": [{"system": PARTICIPATION, "code": "ATND", "display": "attender"}]}
    made = {
        "resourceType": "Encounter",
        "status": "in-progress",
        "identifier": [identifier],
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code, "display": display},
        "period": {"start": moment(pv1[44])},
        "contained": [attending],
        "participant": [{"type": [kind], "individual": {"reference": f"#{attending['id']}"}}],
        "location": [{"location": {"type": "Location", "display": pv1[3].replace("^", " ")}, "status": "active"}],
        "subject": subject,
    }
    return shared(made, identifier)


def condition(dg1: list[str], key: str, subject: dict, visit: dict) -> dict:
    """DG1 as a Condition."""
    code, display, _ = dg1[3].split("^")
    system = "http://terminology.hl7.org/CodeSystem/condition-category"
    category = [{"coding": [{"system": system, "code": "encounter-diagnosis", "display": "Encounter Diagnosis"}]}]
    made = keyed("Condition", f"{key}|{dg1[3]}")
    return made | {
        "category": category,
        "code": coded("http://hl7.org/fhir/sid/icd-10", code, display),
        "subject": subject,
        "encounter": visit,
    }


def diagnosis(dg1: list[str], problem: dict) -> dict:
    """DG1 as an Encounter.diagnosis."""
    code, display = USE[dg1[6]]
    system = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
    return {
        "use": {"coding": [{"system": system, "code": code, "display": display}, {"system": V2 + "0052", "code": dg1[6]}]},
        "condition": problem,
    }


def allergy(al1: list[str], key: str, subject: dict) -> dict:
    """AL1 as an AllergyIntolerance."""
    code, display, _ = al1[3].split("^")
    kind, category = ALLERGY[al1[2]]
    criticality, severity = SEVERITY[al1[4]]
    system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
    return keyed("AllergyIntolerance", f"{key}|{al1[3]}") | {
        "clinicalStatus": {"coding": [{"system": system, "code": "active", "display": "Active"}]},
        "type": kind,
        "category": [category],
        "_category": [alternate("0127", al1[2])],
        "code": coded("http://www.nlm.nih.gov/research/umls/rxnorm", code, display),
        "criticality": criticality,
        "_criticality": alternate("0128", al1[4]),
        "reaction": [{"manifestation": [{"text": al1[5]}], "severity": severity}],
        "patient": subject,
    }


# vaccinations


def vaccination(content: bytes) -> dict:
    """VXU^V04."""
    msh, pid, orc, rxa, rxr = segments(content)
    patient = person(pid, msh[3])
    maker, called, _ = rxa[17].split("^")
    known = {"system": "http://terminology.hl7.org/CodeSystem/MVX", "value": maker, "assigner": {"display": "MVX"}}
    manufacturer = shared({"resourceType": "Organization", "identifier": [known], "name": called}, known, "POST")
    given = owned(immunization(msh, orc, rxa, rxr, to(patient), to(manufacturer)))
    said = provenance(msh, [to(patient), to(given)], recorded=moment(msh[6]), occurredDateTime=moment(msh[6]))
    return bundled(msh, [patient, said, manufacturer, given])


def immunization(msh: list[str], orc: list[str], rxa: list[str], rxr: list[str], patient: dict, manufacturer: dict) -> dict:
    """ORC, RXA and RXR as an Immunization."""
    code, display, _ = rxa[5].split("^")
    route, routed, _ = rxr[1].split("^")
    site, sited, _ = rxr[2].split("^")
    giver = doctor(rxa[10])
    ways = [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration", "code": route, "display": ROUTE[route]},
        {"system": V2 + "0162", "code": route, "display": routed},
    ]
    return keyed("Immunization", orc[3], placed(orc[2], msh[3], "PLAC"), placed(orc[3], msh[3], "FILL")) | {
        "status": "completed",
        "vaccineCode": coded("http://hl7.org/fhir/sid/cvx", code, display),
        "occurrenceDateTime": moment(rxa[3]),
        "primarySource": True,
        "doseQuantity": quantity(rxa[6], rxa[7].partition("^")[0]),
        "contained": [giver],
        "performer": [{"function": coded(V2 + "0443", "AP"), "actor": {"reference": f"#{giver['id']}"}}],
        "location": {"type": "Location", "display": rxa[11].strip("^")},
        "lotNumber": rxa[15],
        "expirationDate": day(rxa[16]),
        "manufacturer": manufacturer,
        "route": {"coding": ways},
        "site": coded(V2 + "0163", site, sited),
        "patient": patient,
    }


# appointments


def appointment(content: bytes) -> dict:
    """SIU^S12."""
    msh, sch, pid, _, ais, ail, aip = segments(content)
    patient = person(pid, msh[3])
    booked = owned(booking(msh[3], sch, to(patient), ais, ail, aip))
    said = provenance(msh, [to(booked)], recorded=moment(msh[6]), occurredDateTime=moment(msh[6]))
    return bundled(msh, [patient, booked, said])


def booking(sender: str, sch: list[str], patient: dict, ais: list[str], ail: list[str], aip: list[str]) -> dict:
    """SCH and the resources it books as an Appointment."""
    reason, reasoned, _ = sch[7].split("^")
    kind, called, _ = sch[8].split("^")
    service, served, _ = ais[3].split("^")
    _, _, _, start, end = sch[11].split("^")
    code, display = REASON[reason]
    person = doctor(aip[3])
    room, _, _, house = ail[3].split("^")
    reasons = [
        {"system": "http://snomed.info/sct", "code": code, "display": display},
        {"system": V2 + "0276", "code": reason, "display": reasoned},
    ]
    return keyed("Appointment", sch[2], placed(sch[1], sender, "PLAC"), placed(sch[2], sender, "FILL")) | {
        "status": "booked",
        "appointmentType": coded(V2 + "0277", kind, called),
        "reasonCode": [{"coding": reasons}],
        "start": moment(start),
        "end": moment(end),
        "minutesDuration": int(sch[9]) * MINUTES[sch[10].partition("^")[0]],
        "participant": [
            {"status": "accepted", "actor": patient},
            {"actor": {"type": "Location", "display": f"{house} {room}"}, "status": "accepted"},
            {"actor": {"reference": f"#{person['id']}"}, "status": "accepted"},
        ],
        "serviceType": [coded(V2 + "0276", service, served)],
        "contained": [person],
    }


BY_HAND: dict[str, Callable[[bytes], dict]] = {"ADT_A01": admission, "VXU_V04": vaccination, "SIU_S12": appointment}

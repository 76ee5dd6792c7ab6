"""Messages beside results, admissions and orders: what they become, what keeps its name, what is said honestly to be left over."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.transforms.mapping.conftest import Lab
from transforms.fhir.validation import validate
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.to_fhir import Converted

PID = "PID|1||1^^^MRN^MR||Doe^Jo|||||||||||||A1^^^MRN"


def send(kind: str, *lines: str, number: str = "1", version: str = "2.5.1") -> Converted:
    """A message of that type; what becomes of it is valid R4, always."""
    header = f"MSH|^~\\&|APP|HOSP|EHR|CLINIC|202603011200+0100||{kind}|{number}|P|{version}"
    converted = Lab().convert(*lines, header=header)
    assert validate(converted.bundle) == []
    return converted


def kinds(converted: Converted) -> list[str]:
    return [each["resource"]["resourceType"] for each in converted.bundle["entry"]]


def one(converted: Converted, kind: str) -> dict[str, Any]:
    (found,) = Lab.of(converted, kind)
    return found


# appointments

STATUSES = [
    ("S12", "", "booked"), ("S12", "Pending", "pending"), ("S12", "COMPLETE^Complete^HL70278", "fulfilled"), ("S12", "local", "booked"),
    ("S15", "Booked", "cancelled"), ("S16", "Booked", "cancelled"), ("S17", "Booked", "entered-in-error"), ("S26", "Booked", "noshow"),
    ("S14", "Started", "checked-in"), ("S19", "", "booked"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "sent", "status"), STATUSES)
def test_the_status_of_an_appointment(event: str, sent: str, status: str) -> None:
    """An event that ends an appointment decides; else SCH-25, else the event. What was sent stands beside it."""
    converted = send(f"SIU^{event}^SIU_S12", f"SCH|1^S|2^S|||||||||^^^202603021000|{'|' * 13}{sent}", PID)
    made = one(converted, "Appointment")
    assert made["status"] == status
    assert ("_status" in made) is bool(sent)


def test_an_appointment_keeps_its_name() -> None:
    """Booked, moved, cancelled: one thing by its number; another occurrence is another."""
    booked = send("SIU^S12^SIU_S12", "SCH|1^S|2^S", PID)
    moved = send("SIU^S13^SIU_S12", "SCH|1^S|2^S|||||||||^^^202603031000", PID, number="2")
    second = send("SIU^S12^SIU_S12", "SCH|1^S|2^S|2", PID, number="3")
    urls = [Lab.urls(each, "Appointment") for each in (booked, moved, second)]
    assert urls[0] == urls[1] != urls[2]


def test_a_resource_taken_off_is_no_participant() -> None:
    """AIP-2 D: the appointment goes on without; the segment is left over."""
    converted = send("SIU^S18^SIU_S12", "SCH|1", PID, "RGS|1", "AIP|1|A|^STAYS", "AIP|2|D|^GOES")
    names = [each["actor"].get("display") for each in one(converted, "Appointment")["participant"]]
    assert names == [None, "STAYS"] and "AIP[2]-3" in converted.leftover


def test_a_request_to_change_an_appointment_changes_nothing() -> None:
    """SRM S01 proposes one; S04 asks to cancel one, which the scheduler has not done."""
    asked = send("SRM^S01^SRM_S01", "ARQ|1^E", PID, "RGS|1", "AIS|1|A|CONSULT^Consult")
    assert one(asked, "Appointment")["status"] == "proposed"
    cancelled = send("SRM^S04^SRM_S01", "ARQ|1^E", PID)
    assert "Appointment" not in kinds(cancelled) and "DocumentReference" in kinds(cancelled)


# documents


def document(*lines: str, event: str = "T02", number: str = "1") -> dict[str, Any]:
    converted = send(f"MDM^{event}", "EVN|T02", PID, "PV1|1|I", *lines, number=number)
    made = one(converted, "DocumentReference")
    binaries = {each["id"]: each for each in Lab.of(converted, "Binary")}
    for content in made["content"]:
        attachment = content["attachment"]
        if own := next((binaries[key] for key in binaries if key in attachment.get("url", "")), None):
            attachment["text"] = b64decode(own["data"]).decode()
    return made


def test_lines_are_one_text_and_parts_stand_in_order() -> None:
    """Consecutive lines of one name are one content; another name begins another."""
    made = document(
        "TXA|1|CN^Consult|||||||||||D1^DOC", "OBX|1|TX|A^First|1|one||||||F", "OBX|2|TX|A^First|2|two~three||||||F", "OBX|3|FT|B^Second||four||||||F"
    )
    assert [each["attachment"]["text"] for each in made["content"]] == ["one\ntwo\nthree", "four"]
    assert [each["attachment"]["title"] for each in made["content"]] == ["First", "Second"]


@pytest.mark.parametrize(
    ("event", "code"), [("T06", "appends"), ("T05", "appends"), ("T10", "replaces"), ("T09", "replaces"), ("T02", None), ("T08", None)]
)
def test_relations(event: str, code: str | None) -> None:
    """An addendum appends to its parent, a replacement replaces it; the parent lies elsewhere."""
    made = document("TXA|1|CN||||||||||D2^DOC|D1^DOC", "OBX|1|TX|A||one||||||F", event=event)
    relations = made.get("relatesTo", [])
    assert [each["code"] for each in relations] == ([code] if code else [])
    assert [each["target"]["identifier"]["value"] for each in relations] == (["D1"] if code else [])


def test_a_cancelled_document_is_the_same_document() -> None:
    """T11: entered in error, under the name it had."""
    lines = ("TXA|1|CN||||||||||D1^DOC",)
    made = [document(*lines, event=event, number=event) for event in ("T01", "T11")]
    assert made[0]["id"] == made[1]["id"]
    assert [each["status"] for each in made] == ["current", "entered-in-error"]


# money


def test_only_charges_are_charge_items() -> None:
    """A payment is left over, and told."""
    converted = send("DFT^P03", "EVN|P03", PID, "FT1|1|T1||20260301||CG|X^Thing||||10^EUR", "FT1|2|T2||20260301||PY|||||10^EUR")
    assert one(converted, "ChargeItem")["priceOverride"]["currency"] == "EUR"
    assert "FT1[2]-6" in converted.leftover
    assert one(converted, "ChargeItem")["account"][0]["reference"] == Lab.urls(converted, "Account")[0]


@pytest.mark.parametrize(("event", "status"), [("P01", "active"), ("P05", "active"), ("P06", "inactive")])
def test_accounts_end(event: str, status: str) -> None:
    assert one(send(f"BAR^{event}^BAR_{event}", f"EVN|{event}", PID, "PV1|1|I"), "Account")["status"] == status


# staff, answers


def test_staff_without_an_authority_is_known_by_its_sender() -> None:
    """Its number is no criterion: it is put under a key of ours; with an authority it is updated by it."""
    own = send("MFN^M02^MFN_M02", "MFI|STF|UPD", "MFE|MAD|1||K1|CE", "STF|K1||Doe^Jo")
    shared = send("MFN^M02^MFN_M02", "MFI|STF|UPD", "MFE|MAD|1||K1|CE", "STF|K1|S1^^^MRN|Doe^Jo")
    requests = [each["request"] for converted in (own, shared) for each in converted.bundle["entry"] if each["resource"]["resourceType"] == "Practitioner"]
    assert "result-key" in requests[0]["url"] and requests[1]["url"].endswith("%2FMRN%7CS1")
    assert {each["method"] for each in requests} == {"PUT"}


@pytest.mark.parametrize(
    ("code", "response", "severity"), [("AA", "ok", "information"), ("AE", "fatal-error", "error"), ("AR", "transient-error", "error"), ("CA", "ok", "information")]
)
def test_acknowledgments(code: str, response: str, severity: str) -> None:
    """A MessageHeader that answers, holding the OperationOutcome."""
    made = one(send("ACK", f"MSA|{code}|M1|words"), "MessageHeader")
    assert (made["response"]["code"], made["response"]["identifier"]) == (response, "M1")
    assert made["contained"][0]["issue"][0]["severity"] == severity


def test_an_answer_that_found_nobody() -> None:
    """RSP without a patient says so."""
    made = one(send("RSP^K23^RSP_K23", "MSA|AA|Q1", "QAK|T1|NF", "QPD|Q^Query|T1|1^^^MRN"), "MessageHeader")
    assert [each["code"] for each in made["contained"][0]["issue"]] == ["informational", "not-found"]


def test_a_problem_entered_in_error_has_no_clinical_status() -> None:
    """PC3 and PRB-1 DE (con-5)."""
    made = one(send("PPR^PC3", PID, "PRB|DE||I10^Hypertension^I10|P1^EHR||||||||||ACTIVE"), "Condition")
    assert "clinicalStatus" not in made and made["verificationStatus"]["coding"][0]["code"] == "entered-in-error"


# the corpus

CORPUS = ("siu", "mdm", "dft", "bar", "ref", "ppr", "mfn", "qbp", "rsp", "ack", "other")
UNREADABLE = {"monai__2.6-001.hl7"}
"""A header alone of a type that has a map: refused, with a place."""


@pytest.mark.shared
def test_every_message_of_the_corpus(shared: Path) -> None:
    """Valid R4, each of these folders."""
    for folder in CORPUS:
        for path in sorted((shared / "corpus" / folder).glob("*.hl7")):
            if path.name in UNREADABLE:
                continue
            converted = Library.load().converter()(parse(path.read_bytes()), Lab.CONTEXT)
            assert [f"{issue.place}: {issue.text}" for issue in validate(converted.bundle)] == [], path.name
            assert kinds(converted), path.name

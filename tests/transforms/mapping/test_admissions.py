"""What an administrative event does: to the visit, to two records of one patient, to what hangs on them."""

from __future__ import annotations

from typing import Any

import pytest

from transforms.fhir.validation import validate
from transforms.hl7.groups import group
from transforms.hl7.message import parse
from transforms.mapping.admissions import arrange_admissions
from transforms.mapping.arrangement import Branch
from transforms.mapping.library import Library

PID = "PID|1||1^^^HOSP^MR||Doe^Jo"
PV1 = "PV1|1|I|WARD||||||||||||||||V1^^^HOSP"
EVN = "EVN||20240305122900+0100||||20240305120000+0100"


def header(event: str, structure: str = "") -> str:
    """The header of an event; its structure is not said, as older versions do not."""
    return f"MSH|^~\\&|ADT|HOSP|EHR|CLINIC|20240305123000+0100||ADT^{event}{structure and '^' + structure}|77|P|2.5.1"


def one(lab: Any, converted: Any, kind: str) -> dict[str, Any]:
    """The only resource of a type."""
    (found,) = lab.of(converted, kind)
    return found


def shape(branch: Branch) -> Any:
    """A tree as names: its own segments, then its groups."""
    return [*(name for name, _ in branch.segments), *({each.name: shape(each)} for each in branch.branches)]


def tree_of(event: str, *lines: str) -> Any:
    """The tree of a message of these segments."""
    return shape(arrange_admissions(group(parse(("\r".join([header(event), *lines]) + "\r").encode())), "auto"))


# the tree


def test_a_role_is_played_for_what_stands_before_it() -> None:
    """The patient, the visit, the procedure, the insurance: ROL itself does not say."""
    lines = [EVN, PID, "ROL|1", PV1, "ROL|2", "PR1|1", "ROL|3", "IN1|1", "ROL|4"]
    assert tree_of("A01", *lines) == [
        "MSH", "EVN",
        {"PATIENT": ["PID", "ROL", {"VISIT": ["PV1", "ROL"]}, {"PROCEDURE": ["PR1", "ROL"]}, {"INSURANCE": ["IN1", "ROL"]}]},
    ]  # fmt: skip


def test_two_patients_of_a_swap_are_two_parts_and_two_of_a_link_are_one() -> None:
    """A17 moves two patients who have nothing to do with each other; A24 says that two are one."""
    two = [EVN, PID, PV1, PID.replace("1^^^HOSP", "2^^^HOSP"), PV1]
    assert [[*each][0] for each in tree_of("A17", *two)[2:]] == ["PATIENT", "PATIENT"]
    assert [[*each][0] for each in tree_of("A24", *two)[2:]] == ["PATIENT", "LINKED"]


def test_every_visit_that_moves_has_what_it_was_before() -> None:
    """In A45 each MRG begins a visit."""
    assert tree_of("A45", EVN, PID, "MRG|2", PV1, "MRG|3", PV1)[2] == {"PATIENT": ["PID", {"VISIT": ["MRG", "PV1"]}, {"VISIT": ["MRG", "PV1"]}]}


def test_details_of_a_visit_find_it_wherever_they_stand() -> None:
    """PV2 after the diagnoses is the visit's all the same."""
    assert tree_of("A01", EVN, PID, PV1, "DG1|1", "PV2|1")[2] == {"PATIENT": ["PID", "DG1", {"VISIT": ["PV1", "PV2"]}]}


# what events do to a visit


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("A01", "in-progress"), ("A02", "in-progress"), ("A03", "finished"), ("A04", "in-progress"), ("A05", "planned"), ("A06", "in-progress"),
        ("A07", "in-progress"), ("A08", "in-progress"), ("A11", "cancelled"), ("A12", "in-progress"), ("A13", "in-progress"), ("A14", "planned"),
        ("A16", "in-progress"), ("A21", "onleave"), ("A22", "in-progress"), ("A23", "entered-in-error"), ("A27", "cancelled"), ("A38", "cancelled"),
        ("A52", "in-progress"), ("A53", "onleave"), ("A54", "in-progress"),
    ],
)  # fmt: skip
def test_the_event_says_what_becomes_of_the_visit(lab: Any, event: str, status: str) -> None:
    """What it does not say, the patient class does."""
    converted = lab.convert(EVN, PID, PV1, header=header(event))
    assert one(lab, converted, "Encounter")["status"] == status
    assert [*validate(converted.bundle)] == []


def test_a_visit_is_updated_by_its_number_and_so_is_the_patient(lab: Any) -> None:
    """Rule 6: from ADT, Patient and Encounter are written whether there are any or not."""
    converted = lab.convert(EVN, PID, PV1, header=header("A08"))
    requests = {each["resource"]["resourceType"]: each["request"] for each in converted.bundle["entry"]}
    assert requests["Patient"] == {"method": "PUT", "url": "Patient?identifier=https%3A%2F%2Fsite.example%2Fids%2FHOSP%2FHOSP%7C1"}
    assert requests["Encounter"] == {"method": "PUT", "url": "Encounter?identifier=https%3A%2F%2Fsite.example%2Fids%2FHOSP%2FHOSP%7CV1"}


def test_a_cancelled_discharge_has_no_end(lab: Any) -> None:
    """Even if the sender still says when it would have been."""
    discharged = PV1 + "|" * 25 + "20240301|20240305"
    assert one(lab, lab.convert(EVN, PID, discharged, header=header("A03")), "Encounter")["period"] == {"start": "2024-03-01", "end": "2024-03-05"}
    assert one(lab, lab.convert(EVN, PID, discharged, header=header("A13")), "Encounter")["period"] == {"start": "2024-03-01"}


def test_a_visit_that_ends_before_it_begins_has_no_end(lab: Any) -> None:
    """R4 does not allow it: the end is left over, and told."""
    converted = lab.convert(EVN, PID, PV1 + "|" * 25 + "20240305|20240301", header=header("A03"))
    assert one(lab, converted, "Encounter")["period"] == {"start": "2024-03-05"}
    assert "PV1-45" in converted.leftover and "period_backwards" in [each.code for each in converted.notes]


def test_a_visit_without_a_number_is_kept_where_the_event_is_told(lab: Any) -> None:
    """Rule 7: no entry of its own, and nothing lost."""
    converted = lab.convert(EVN, PID, "PV1|1|E|BED", header=header("A04"))
    assert lab.of(converted, "Encounter") == []
    (visit,) = [each for each in one(lab, converted, "Provenance")["contained"] if each["resourceType"] == "Encounter"]
    assert visit["class"]["code"] == "EMER" and converted.leftover == ()


def test_a_message_about_a_person_makes_no_visit(lab: Any) -> None:
    """A28 has a PV1 only because the structure wants one."""
    for lines in ([EVN, PID], [EVN, PID, "PV1|1|N"]):
        converted = lab.convert(*lines, header=header("A28"))
        assert lab.of(converted, "Encounter") == [] and "contained" not in one(lab, converted, "Provenance")


def test_a_deleted_person_is_not_active(lab: Any) -> None:
    """A29."""
    assert one(lab, lab.convert(EVN, PID, PV1, header=header("A29")), "Patient")["active"] is False


# keys


def test_the_same_diagnosis_sent_again_is_the_same_resource(lab: Any) -> None:
    """Known by its number, else by its code and type within the visit."""
    first = lab.convert(EVN, PID, PV1, "DG1|1||I10^Hypertension^I10|||A", header=header("A01"))
    again = lab.convert(EVN, PID, PV1, "DG1|2||I10^High blood pressure^I10|||A", header=header("A08"))
    other = lab.convert(EVN, PID, PV1.replace("V1^", "V2^"), "DG1|1||I10^Hypertension^I10|||A", header=header("A01"))
    ids = [one(lab, each, "Condition")["id"] for each in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]


def test_a_diagnosis_taken_back_is_an_error_and_not_the_visits(lab: Any) -> None:
    """DG1-21 D."""
    converted = lab.convert(EVN, PID, PV1, "DG1|1||I10^Hypertension^I10|||A" + "|" * 15 + "D", header=header("A08"))
    assert one(lab, converted, "Condition")["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "diagnosis" not in one(lab, converted, "Encounter")


def test_an_allergy_belongs_to_the_patient_whatever_the_visit(lab: Any) -> None:
    """The key of AL1 is made of the patient and the substance."""
    found = [lab.convert(EVN, PID, PV1.replace("V1^", visit), "AL1|1|DA|P1^Penicillin|SV|rash", header=header("A01")) for visit in ("V1^", "V2^")]
    assert len({one(lab, each, "AllergyIntolerance")["id"] for each in found}) == 1


def test_an_account_is_no_number_of_the_patient(lab: Any) -> None:
    """PID-18 is an Account, which the visit refers to."""
    converted = lab.convert(EVN, PID + "|" * 13 + "A1^^^HOSP", PV1, header=header("A01"))
    (entry,) = [each for each in converted.bundle["entry"] if each["resource"]["resourceType"] == "Account"]
    assert [each["value"] for each in one(lab, converted, "Patient")["identifier"]] == ["1"]
    assert one(lab, converted, "Encounter")["account"] == [{"reference": entry["fullUrl"]}]


def test_what_an_adt_observes_is_no_laboratorys(lab: Any) -> None:
    """Height and weight have no order: no category is made up for them."""
    converted = lab.convert(EVN, PID, PV1, "OBX|1|NM|8302-2^Height^LN||180|cm|||||F", header=header("A01"))
    found = one(lab, converted, "Observation")
    assert "category" not in found and "encounter" in found and "subject" in found


# two records of one patient


def merged(lab: Any, event: str, *mrg: str) -> Any:
    """A message about PID's patient and what MRG says."""
    return lab.convert(EVN, PID, *mrg, header=header(event))


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"])
def test_who_is_merged_is_not_active_and_replaced(lab: Any, event: str) -> None:
    """Rule 8: both are linked, and the old number is not copied."""
    converted = merged(lab, event, "MRG|2^^^HOSP^MR||||||Do^Joe")
    remains, gone = lab.of(converted, "Patient")
    urls = lab.urls(converted, "Patient")
    assert remains["link"] == [{"type": "replaces", "other": {"reference": urls[1]}}] and "active" not in remains
    assert gone["link"] == [{"type": "replaced-by", "other": {"reference": urls[0]}}] and gone["active"] is False
    assert [each["value"] for each in remains["identifier"]] == ["1"] and [each["value"] for each in gone["identifier"]] == ["2"]
    assert len(converted.parts) == 1 and [*validate(converted.bundle)] == []


@pytest.mark.parametrize("event", ["A35", "A41", "A42", "A43", "A44", "A45", "A49", "A50", "A51"])
def test_what_concerns_accounts_and_visits_leaves_the_other_patient_alone(lab: Any, event: str) -> None:
    """MRG-1 says whose they were: that patient goes on."""
    converted = lab.convert(EVN, PID, "MRG|2^^^HOSP^MR||A2^^^HOSP||V2^^^HOSP", PV1, header=header(event))
    assert [each["identifier"][0]["value"] for each in lab.of(converted, "Patient")] == ["1"]
    assert [*validate(converted.bundle)] == []


def test_the_number_that_is_gone_is_not_copied_to_who_remains(lab: Any) -> None:
    """Even if PID-3 lists it: two records would be found by it, for ever (rule 8)."""
    converted = lab.convert(EVN, PID.replace("1^^^HOSP^MR", "1^^^HOSP^MR~2^^^HOSP^MR"), "MRG|2^^^HOSP^MR", header=header("A40"))
    assert [[number["value"] for number in each["identifier"]] for each in lab.of(converted, "Patient")] == [["1"], ["2"]]
    assert "prior_number" in [each.code for each in converted.notes]


def test_a_number_that_is_the_same_merges_nothing(lab: Any) -> None:
    """MRG-1 repeats PID-3 where only an account changes."""
    converted = merged(lab, "A40", "MRG|1^^^HOSP^MR")
    assert "link" not in one(lab, converted, "Patient") and converted.leftover == ()


@pytest.mark.parametrize("event", ["A06", "A07", "A42", "A45", "A50", "A51"])
def test_a_visit_that_is_another_now_was_an_error(lab: Any, event: str) -> None:
    """It points at what it became part of."""
    converted = lab.convert(EVN, PID, "MRG|1^^^HOSP^MR||||V2^^^HOSP", PV1, header=header(event))
    now, was = lab.of(converted, "Encounter")
    assert now["identifier"][0]["value"] == "V1" and "partOf" not in now
    assert was["status"] == "entered-in-error" and was["partOf"] == {"reference": lab.urls(converted, "Encounter")[0]}


def test_a_visit_that_moves_with_its_number_is_one(lab: Any) -> None:
    """Its patient is PID's; nothing refers to itself."""
    converted = lab.convert(EVN, PID, "MRG|2^^^HOSP^MR||||V1^^^HOSP", PV1, header=header("A45", "ADT_A45"))
    visit = one(lab, converted, "Encounter")
    assert "partOf" not in visit and visit["subject"] == {"reference": lab.urls(converted, "Patient")[0]}


def test_two_records_are_linked_and_parted(lab: Any) -> None:
    """A24 links both ways; A37 sends both without a link."""
    other = PID.replace("1^^^HOSP", "2^^^HOSP")
    linked, parted = (lab.convert(EVN, PID, other, header=header(event)) for event in ("A24", "A37"))
    assert [each["link"][0]["type"] for each in lab.of(linked, "Patient")] == ["seealso", "seealso"]
    assert [each.get("link") for each in lab.of(parted, "Patient")] == [None, None]
    assert len(linked.parts) == 1


def test_patients_who_change_beds_are_sent_one_by_one(lab: Any) -> None:
    """One's failure does not repeat the other."""
    converted = lab.convert(EVN, PID, PV1, PID.replace("1^^^HOSP", "2^^^HOSP"), PV1.replace("V1^", "V2^"), header=header("A17"))
    assert len(converted.parts) == 2 and len(lab.of(converted, "Encounter")) == 2


def test_several_merges_of_a_message_are_sent_one_by_one(lab: Any) -> None:
    """A40 may have many."""
    lines = [line for old in "23" for line in (PID.replace("1^^^HOSP", f"{old}0^^^HOSP"), f"MRG|{old}^^^HOSP")]
    converted = lab.convert(EVN, *lines, header=header("A40", "ADT_A39"))
    assert len(converted.parts) == 2 and [each.get("active") for each in lab.of(converted, "Patient")].count(False) == 2


def test_every_structure_of_adt_has_a_map() -> None:
    """Whatever ADT message comes, the fallback is not needed."""
    library = Library.load()
    known = {name for found in library.message_maps.values() for name in found.messages}
    assert {name for name in library.structures.names() if name.startswith("ADT")} <= known

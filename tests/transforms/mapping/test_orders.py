"""Orders (rule 6): whose they are, what a control code makes of them, and what is never theirs."""

from __future__ import annotations

import pytest

from tests.transforms.mapping.conftest import Lab
from transforms.fhir.validation import validate

OML = "MSH|^~\\&|CPOE|HOSP|LAB|HOSP|20240115103000+0100||OML^O21^OML_O21|77|P|2.5.1"
RAS = OML.replace("OML^O21^OML_O21", "RAS^O17^RAS_O17")
VXU = OML.replace("OML^O21^OML_O21", "VXU^V04^VXU_V04")


def request_of(converted, kind: str) -> dict[str, str]:
    """How the first of a type is sent."""
    return next(each["request"] for each in converted.bundle["entry"] if each["resource"]["resourceType"] == kind)


def test_the_placer_s_message_updates_its_order_and_a_result_does_not(lab: Lab) -> None:
    """Both know it by the same number."""
    order = lab.convert(lab.PID, "ORC|NW|P1^CPOE", "OBR|1|P1^CPOE||CBC^Count^L", header=OML)
    header = lab.HEADER.replace("|LAB|", "|CPOE|")
    result = lab.convert(lab.PID, "ORC|RE|P1^CPOE|F1^LAB", "OBR|1|P1^CPOE|F1^LAB|CBC^Count^L", lab.obx(), header=header)
    updating, creating = request_of(order, "ServiceRequest"), request_of(result, "ServiceRequest")
    assert updating["method"] == "PUT" and creating["method"] == "POST"
    assert updating["url"].partition("?")[2] == creating["ifNoneExist"]
    assert lab.urls(order, "ServiceRequest") == lab.urls(result, "ServiceRequest")


def test_a_number_nobody_answers_for_becomes_one_of_ours(lab: Lab) -> None:
    """The same in every message of its sender, and not the sender's bare number."""
    first = lab.convert(lab.PID, "ORC|NW|4711", "OBR|1|4711||CBC^Count^L", header=OML)
    later = lab.convert(lab.PID, "ORC|OC|4711", "OBR|1|4711||CBC^Count^L", header=OML.replace("|77|", "|78|"))
    (order,), (cancelled,) = lab.of(first, "ServiceRequest"), lab.of(later, "ServiceRequest")
    assert (order["status"], cancelled["status"]) == ("active", "revoked")
    assert request_of(first, "ServiceRequest") == request_of(later, "ServiceRequest")
    assert "result-key" in request_of(first, "ServiceRequest")["url"] and "id" not in order
    assert order["identifier"][0] == cancelled["identifier"][0]


@pytest.mark.parametrize(
    ("control", "status", "said"),
    [
        ("NW", "", "active"), ("CA", "", "active"), ("OC", "", "revoked"), ("DC", "", "revoked"), ("HD", "", "active"),
        ("OH", "", "on-hold"), ("RL", "", "active"), ("SC", "CM", "completed"),
        ("SC", "HD", "on-hold"), ("NW", "CA", "revoked"), ("ZZ", "", "unknown"),
    ],
)  # fmt: skip
def test_what_becomes_of_an_order(lab: Lab, control: str, status: str, said: str) -> None:
    """ORC-5 where it says something, else ORC-1 as the guide's table has it: who asks to cancel has not yet cancelled."""
    converted = lab.convert(lab.PID, f"ORC|{control}|P1^CPOE|||{status}", "OBR|1|P1^CPOE||CBC^Count^L", header=OML)
    assert lab.of(converted, "ServiceRequest")[0]["status"] == said


def test_two_tests_under_one_number_are_not_one_test(lab: Lab) -> None:
    """The second is left over, and nothing of it is mixed into the first."""
    segments = ("ORC|NW|P1^CPOE", "OBR|1|P1^CPOE||CBC^Count^L", "ORC|NW|P1^CPOE", "OBR|2|P1^CPOE||HBA1C^Sugar^L")
    converted = lab.convert(lab.PID, *segments, header=OML)
    (order,) = lab.of(converted, "ServiceRequest")
    assert order["code"]["coding"][0]["code"] == "CBC"
    assert "OBR[2]-4" in converted.leftover


def test_a_second_obr_has_no_part_in_the_orc_of_the_first(lab: Lab) -> None:
    """Rule 12: its status and requester are its own."""
    converted = lab.convert(lab.PID, "ORC|OC|P1^CPOE||||||||||^SMITH", "OBR|1|P1^CPOE||A^A^L", "OBR|2|P2^CPOE||B^B^L", header=OML)
    one, two = lab.of(converted, "ServiceRequest")
    assert (one["status"], two["status"]) == ("revoked", "unknown")
    assert "requester" in one and "requester" not in two


def test_an_answer_at_order_entry_is_no_result(lab: Lab) -> None:
    """It supports the order; there is no report, and none is told to the register."""
    converted = lab.convert(lab.PID, "ORC|NW|P1^CPOE", "OBR|1|P1^CPOE||CBC^Count^L", lab.obx("FAST", "Y", "ST"), header=OML)
    (order,), (answer,) = lab.of(converted, "ServiceRequest"), lab.of(converted, "Observation")
    assert order["supportingInfo"] == [{"reference": lab.urls(converted, "Observation")[0]}]
    assert "basedOn" not in answer
    assert not any(fact.observations for part in converted.parts for fact in part.facts)
    assert lab.of(converted, "DiagnosticReport") == []


def test_results_from_before_keep_away_from_the_laboratory_s_own(lab: Lab) -> None:
    """Whoever tells of them in an order does not overwrite what the laboratory sent."""
    prior = ("PID|||1^^^MRN^MR", "ORC|PR|P1^PLACER|F1^FILLER", lab.OBR, lab.obx())
    told = lab.convert(lab.PID, "ORC|NW|P9^CPOE", "OBR|1|P9^CPOE||X^X^L", *prior, header=OML)
    sent = lab.convert(lab.PID, "ORC|RE|P1^PLACER|F1^FILLER", lab.OBR, lab.obx())
    assert len(lab.of(told, "DiagnosticReport")) == len(lab.of(told, "Observation")) == 1
    assert set(lab.urls(told, "Observation")).isdisjoint(lab.urls(sent, "Observation"))
    assert "basedOn" not in lab.of(told, "DiagnosticReport")[0]


def test_a_specimen_around_orders_is_each_one_s(lab: Lab) -> None:
    """OML_O33: one Specimen, and both orders name it."""
    header = OML.replace("OML^O21^OML_O21", "OML^O33^OML_O33")
    orders = ("ORC|NW|P1^CPOE", "OBR|1|P1^CPOE||A^A^L", "ORC|NW|P2^CPOE", "OBR|2|P2^CPOE||B^B^L")
    converted = lab.convert(lab.PID, "SPM|1|S1&CPOE||SER", *orders, header=header)
    (url,) = lab.urls(converted, "Specimen")
    assert [each["specimen"] for each in lab.of(converted, "ServiceRequest")] == [[{"reference": url}]] * 2


@pytest.mark.parametrize(
    ("completion", "action", "refusal", "said"),
    [
        ("CP", "A", "", "completed"), ("PA", "A", "", "completed"), ("RE", "A", "R", "not-done"), ("NA", "A", "", "not-done"),
        ("", "", "", "completed"), ("", "", "R", "not-done"), ("CP", "D", "", "entered-in-error"), ("RE", "D", "R", "entered-in-error"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("header", "kind"), [(VXU, "Immunization"), (RAS, "MedicationAdministration")])
def test_whether_a_dose_was_given(lab: Lab, header: str, kind: str, completion: str, action: str, refusal: str, said: str) -> None:
    """RXA-20 and RXA-18, unless RXA-21 takes it all back."""
    dose = f"RXA|0|1|20240115||141^Influenza^CVX|0.5|mL|||||||||||{refusal}||{completion}|{action}"
    converted = lab.convert(lab.PID, "ORC|RE||F1^EHR", dose, header=header)
    assert lab.of(converted, kind)[0]["status"] == said
    assert validate(converted.bundle) == []


def test_vaccinations_without_a_number_of_their_own_stay_apart(lab: Lab) -> None:
    """9999 is no number: the vaccine, the day and the patient say which it was."""
    def dose(code: str) -> str:
        return f"RXA|0|1|20190101||{code}^V^CVX|999|||01^Historical^NIP001"

    first = lab.convert(lab.PID, "ORC|RE||9999^EHR", dose("03"), "ORC|RE||9999^EHR", dose("21"), header=VXU)
    again = lab.convert(lab.PID, "ORC|RE||9999^EHR", dose("21"), header=VXU.replace("|77|", "|78|"))
    assert len(set(lab.urls(first, "Immunization"))) == 2
    assert lab.urls(again, "Immunization") == lab.urls(first, "Immunization")[1:]


def test_a_vaccination_corrected_is_the_same_vaccination(lab: Lab) -> None:
    """Known by the number in ORC-3, whatever else changes."""
    given = "RXA|0|1|20240115||141^Influenza^CVX|0.5|mL^^UCUM|||||||||||||CP|A"
    corrected = "RXA|0|1|20240116||150^Influenza^CVX|1|mL|||||||||||||CP|U"
    first, later = (lab.convert(lab.PID, "ORC|RE||F1^EHR", each, header=VXU) for each in (given, corrected))
    assert lab.urls(first, "Immunization") == lab.urls(later, "Immunization")


def test_a_dispensing_never_overwrites_the_prescription(lab: Lab) -> None:
    """It is made only where the receiver has none; a prescription of the prescriber's own message is updated."""
    segments = ("ORC|RE|P1^CPOE|F1^PHARM", "RXE||723^Amoxicillin^NDC|1||TAB", "RXD|1|723^Amoxicillin^NDC|20240115|30|TAB")
    dispensed = lab.convert(lab.PID, *segments, header=OML.replace("OML^O21^OML_O21", "RDS^O13^RDS_O13"))
    prescribed = lab.convert(lab.PID, *segments[:2], header=OML.replace("OML^O21^OML_O21", "RDE^O11^RDE_O11"))
    assert request_of(dispensed, "MedicationRequest")["method"] == "POST"
    assert request_of(prescribed, "MedicationRequest")["method"] == "PUT"
    (url,) = lab.urls(prescribed, "MedicationRequest")
    assert lab.of(dispensed, "MedicationDispense")[0]["authorizingPrescription"] == [{"reference": url}]


def test_a_time_and_a_timing_of_one_order_are_not_both_written(lab: Lab) -> None:
    """What the order says of its timing stands; the blood product's time, which came second, is left over."""
    header = OML.replace("OML^O21^OML_O21", "OMB^O27^OMB_O27")
    converted = lab.convert(
        lab.PID, "ORC|NW|P1^CPOE|||||^BID^^20240301^20240302", "BPO|1|RBC^Red cells^L|||||20240201|", header=header
    )
    (order,) = lab.of(converted, "ServiceRequest")
    assert "occurrenceTiming" in order and "occurrenceDateTime" not in order
    assert validate(converted.bundle) == [] and any(place.startswith("BPO-7") for place in converted.leftover)

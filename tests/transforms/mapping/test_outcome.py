"""Parts, lanes, holds; what the result register learns (rules 2 to 4, 8, 12, 17)."""

from __future__ import annotations


def test_one_patient_is_one_part(lab) -> None:
    """Its lane is the patient's identity, its facts are the reports."""
    found = lab.convert(lab.PID, lab.OBR, lab.obx(), lab.obx("K"), lab.OBR.replace("F1", "F2").replace("|F", "|P"), lab.obx())
    (part,) = found.parts
    patient = lab.urls(found, "Patient")[0].removeprefix("urn:uuid:")
    assert (part.lane, part.hold, part.entries) == (patient, "", None)
    first, second = part.facts
    observations = [each["id"] for each in lab.of(found, "Observation")]
    assert first.observations == tuple(observations[:2]) and second.observations == tuple(observations[2:])
    assert [each.key for each in part.facts] == [each.report for each in part.facts] == [each["id"] for each in lab.of(found, "DiagnosticReport")]
    assert {each.patient for each in part.facts} == {patient}
    assert first.rank > second.rank > 0
    assert first.time == "2024-01-15T10:25:00.000000Z"


def test_without_a_time_of_its_own_a_report_has_the_messages(lab) -> None:
    """OBR-22, else MSH-7; in UTC."""
    found = lab.convert(lab.PID, "OBR|1||F1^A|CBC^C^L", lab.obx(), header=lab.HEADER.replace("103000|", "103000+0100|"))
    assert found.parts[0].facts[0].time == "2024-01-15T09:30:00.000000Z"


def test_two_patients_are_two_parts(lab) -> None:
    """Each with its own entries; what both refer to belongs to both."""
    order = lab.OBR.replace("P1^PLACER|", "|") + "|||||||12^Lab^Head^^^^^^ORG"
    found = lab.convert(
        lab.PID, order, lab.obx() + "||||||",
        "PID|||2^^^MRN^MR||Roe^Al", order.replace("F1", "F2"), lab.obx(),
    )  # fmt: skip
    assert len(found.parts) == 2
    entries = [[found.bundle["entry"][index] for index in part.entries] for part in found.parts]
    for own in entries:
        kinds = sorted(each["resource"]["resourceType"] for each in own)
        assert kinds == ["DiagnosticReport", "Observation", "Patient", "Practitioner", "Provenance"]
    shared = {each["fullUrl"] for each in entries[0]} & {each["fullUrl"] for each in entries[1]}
    assert shared == set(lab.urls(found, "Practitioner"))
    assert {index for part in found.parts for index in part.entries} == set(range(len(found.bundle["entry"])))


def test_one_patients_missing_number_does_not_hold_the_other(lab) -> None:
    """Rule 8: held alone."""
    found = lab.convert(lab.PID, lab.OBR, lab.obx(), "PID|||2||Roe^Al", lab.OBR.replace("F1", "F2"), lab.obx())
    assert [each.hold for each in found.parts] == ["", "no_patient_id"]


def test_a_change_of_status_alone_is_told(lab) -> None:
    """OBX-11 U; and a final result that lost its value."""
    found = lab.convert(lab.PID, lab.OBR, lab.obx(), lab.obx("U", status="U"), lab.obx("E", value=""), lab.obx("N", value='""'), lab.obx("P", value="", status="P"))
    ids = [each["id"] for each in lab.of(found, "Observation")]
    (fact,) = found.parts[0].facts
    assert fact.observations == tuple(ids)
    assert fact.status_only == (ids[1],)
    assert fact.emptied == (ids[2],)


def test_a_value_in_components_is_not_lost(lab) -> None:
    """The Observation has no value of its own, and yet is not emptied."""
    found = lab.convert(lab.PID, lab.OBR, lab.obx("X", "a~b", "ST"))
    assert found.parts[0].facts[0].emptied == ()


def test_a_cancelled_order_without_results_is_a_fact(lab) -> None:
    """The register leaves its Observations untouched."""
    found = lab.convert(lab.PID, lab.OBR.rpartition("|")[0] + "|X")
    assert lab.of(found, "DiagnosticReport")[0]["status"] == "cancelled"
    assert found.parts[0].facts[0].observations == ()


def test_a_childs_results_derive_from_the_parents(lab) -> None:
    """OBR-26 and OBR-29: the Observation with that code and sub-id in the parent order (rule 17)."""
    child = "OBR|2|P2^A|F2^A|SUS^S^L" + "|" * 21 + "|ORG&Organism&L^2^Coli|||P1&PLACER^F1&FILLER"
    found = lab.convert(
        lab.PID, lab.OBR, lab.obx("ORG", "A", "ST", sub="1"), lab.obx("ORG", "B", "ST", sub="2"), child.replace("|" * 22 + "ORG", "|" * 22 + "ORG"), lab.obx("AMP", "S", "ST")
    )
    one, two, ampicillin = lab.of(found, "Observation")
    assert ampicillin["derivedFrom"] == [{"reference": f"urn:uuid:{two['id']}"}]
    assert "derivedFrom" not in one and "hasMember" not in two
    assert not [each for each in found.leftover if each in ("OBR[2]-26", "OBR[2]-29")]


def test_a_parent_that_is_not_there_is_not_guessed(lab) -> None:
    """Nor one of two alike."""
    child = "OBR|2|P2^A|F2^A|SUS^S^L" + "|" * 22 + "ORG&Organism&L^2|||P9&PLACER^F9&FILLER"
    found = lab.convert(lab.PID, lab.OBR, lab.obx("ORG", "A", "ST", sub="2"), child, lab.obx("AMP", "S", "ST"))
    assert "derivedFrom" not in lab.of(found, "Observation")[1]
    assert "OBR[2]-26" in found.leftover


def test_a_document_stands_once(lab) -> None:
    """In a Binary that the DocumentReference and the report point at (rule 18)."""
    found = lab.convert(lab.PID, lab.OBR, lab.obx(), "OBX|2|ED|PDF^Report^L||^application^pdf^Base64^JVBERi0xLjQ=||||||F")
    (url,) = lab.urls(found, "Binary")
    (binary,) = lab.of(found, "Binary")
    assert (binary["contentType"], binary["data"]) == ("application/pdf", "JVBERi0xLjQ=")
    (document,) = lab.of(found, "DocumentReference")
    (report,) = lab.of(found, "DiagnosticReport")
    assert document["content"][0]["attachment"]["url"] == report["presentedForm"][0]["url"] == url
    assert "data" not in document["content"][0]["attachment"]
    assert document["context"]["related"] == [{"reference": f"urn:uuid:{report['id']}"}]
    assert len(lab.of(found, "Observation")) == len(report["result"]) == 1


def test_a_result_may_name_its_specimen(lab) -> None:
    """OBX-33 among several (rule 16); one that is not there is left over."""
    named = lab.obx() + "|" * 22
    found = lab.convert(lab.PID, lab.OBR, named + "S2&A", lab.obx("K") + "|" * 22 + "S9&A", "SPM|1|S1&A^T1&B||SER", "SPM|2|S2&A^T2&B||URI")
    first, second = lab.of(found, "Observation")
    assert first["specimen"]["reference"] == lab.urls(found, "Specimen")[1]
    assert "specimen" not in second
    assert [each for each in found.leftover if each.endswith("-33")] == ["OBX[2]-33"]

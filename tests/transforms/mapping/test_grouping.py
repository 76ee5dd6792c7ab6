"""Whose result an OBX is, whatever structure it came in (rule 12)."""

from __future__ import annotations

import pytest

from transforms.hl7.groups import group
from transforms.hl7.message import parse
from transforms.mapping.arrangement import Branch
from transforms.mapping.grouping import arrange_results


def shape(branch: Branch) -> object:
    """A tree as nested text: `ORDER_OBSERVATION(OBR OBSERVATION(OBX))`."""
    inside = [name for name, _ in branch.segments] + [shape(each) for each in branch.branches]
    return f"{branch.name}({' '.join(map(str, inside))})"


def arranged(event: str, names: str, option: str = "auto") -> str:
    lines = [f"MSH|^~\\&|L|H|||2024||{event}|1|P|2.5.1", *(f"{name}|1" for name in names.split())]
    tree = arrange_results(group(parse(("\r".join(lines) + "\r").encode())), option)
    results = [shape(each) for each in tree.branches]
    return " ".join(str(each) for each in results).replace("ORDER_OBSERVATION", "ORDER").replace("SPECIMEN_OBSERVATION", "ABOUT")


@pytest.mark.parametrize(
    ("event", "names", "wanted"),
    [
        ("ORU^R01", "PID PV1 ORC OBR NTE OBX NTE OBX", "PATIENT_RESULT(PATIENT(PID VISIT(PV1)) ORDER(ORC OBR NTE OBSERVATION(OBX NTE) OBSERVATION(OBX)))"),
        ("ORU^R01", "PID OBR OBX OBR OBX", "PATIENT_RESULT(PATIENT(PID) ORDER(OBR OBSERVATION(OBX)) ORDER(OBR OBSERVATION(OBX)))"),
        ("ORU^R01", "PID OBR OBX PID OBR OBX", "PATIENT_RESULT(PATIENT(PID) ORDER(OBR OBSERVATION(OBX))) PATIENT_RESULT(PATIENT(PID) ORDER(OBR OBSERVATION(OBX)))"),
        ("ORU^R01", "PID OBR SPM OBX OBX", "PATIENT_RESULT(PATIENT(PID) ORDER(OBR SPECIMEN(SPM OBSERVATION(OBX) OBSERVATION(OBX))))"),
        ("ORU^R01", "PID OBR OBX SPM OBX", "PATIENT_RESULT(PATIENT(PID) ORDER(OBR OBSERVATION(OBX) SPECIMEN(SPM ABOUT(OBX))))"),
        ("ORU^R30", "PID PV1 ORC OBR OBX NTE OBX", "PATIENT_RESULT(PATIENT(PID VISIT(PV1)) ORDER(ORC OBR OBSERVATION(OBX NTE) OBSERVATION(OBX)))"),
        ("OUL^R21", "PID PV1 OBR OBX OBX", "PATIENT_RESULT(PATIENT(PID VISIT(PV1)) ORDER(OBR OBSERVATION(OBX) OBSERVATION(OBX)))"),
        (
            "OUL^R22",
            "PID SPM OBX OBR ORC OBX NTE OBR OBX",
            "PATIENT_RESULT(PATIENT(PID) ORDER(OBR ORC OBSERVATION(OBX NTE) SPECIMEN(SPM ABOUT(OBX))) ORDER(OBR OBSERVATION(OBX) SPECIMEN(SPM)))",
        ),
        ("OUL^R23", "PID SPM SAC OBR OBX", "PATIENT_RESULT(PATIENT(PID) ORDER(OBR OBSERVATION(OBX) SPECIMEN(SPM SAC)))"),
        ("OUL^R24", "PID OBR ORC SPM OBX", "PATIENT_RESULT(PATIENT(PID) ORDER(OBR ORC SPECIMEN(SPM OBSERVATION(OBX))))"),
        ("ORU^R01", "OBR OBX", "PATIENT_RESULT(ORDER(OBR OBSERVATION(OBX)))"),
    ],
)
def test_every_structure_comes_out_in_one_shape(event: str, names: str, wanted: str) -> None:
    """One order for every OBR, the OBX under it, the specimen beside them."""
    assert arranged(event, names) == wanted


@pytest.mark.parametrize(("option", "name"), [("result", "OBSERVATION"), ("specimen", "ABOUT")])
def test_a_site_may_say_whose_results_follow_a_specimen(option: str, name: str) -> None:
    """Whatever else the order has."""
    for names in ("PID OBR OBX SPM OBX", "PID OBR SPM OBX"):
        assert f"SPECIMEN(SPM {name}(OBX))" in arranged("ORU^R01", names, option)


def test_no_segment_is_lost(lab) -> None:
    """Odd ones stay where the structure's recovery put them: they are in the ledger at least."""
    found = lab.convert("ZA1|a", lab.PID, "ZA2|b", lab.OBR, "ZA3|c", lab.obx(), "ZA4|d")
    assert [each for each in found.leftover if each.startswith("Z")] == ["ZA1-1", "ZA2-1", "ZA3-1", "ZA4-1"]


def test_results_behind_the_specimen_are_the_reports(lab) -> None:
    """They must not vanish from it; their specimen is the one they follow."""
    found = lab.convert(lab.PID, lab.OBR, "SPM|1|S1&A^S1&B||SER", lab.obx(), "SPM|2|S2&A^S2&B||URI", lab.obx("K"))
    assert [each["reference"] for each in lab.of(found, "DiagnosticReport")[0]["result"]] == lab.urls(found, "Observation")
    assert [each["specimen"]["reference"] for each in lab.of(found, "Observation")] == lab.urls(found, "Specimen")
    about = lab.convert(lab.PID, lab.OBR, "SPM|1|S1&A^S1&B||SER", lab.obx(), obx_after_spm="specimen")
    assert "result" not in lab.of(about, "DiagnosticReport")[0]
    assert lab.of(about, "Observation")[0]["specimen"]["reference"] == lab.urls(about, "Specimen")[0]


def test_an_order_does_not_inherit_another_orders_fields(lab) -> None:
    """ORC of the first OBR is not the second one's; nor is its specimen."""
    found = lab.convert(lab.PID, "ORC|RE|P1^A|F1^A", "OBR|1|||CBC^C^L", lab.obx(), "SPM|1|S1&A^S1&B||SER", "OBR|2||F2^A|SUS^S^L", lab.obx("K"))
    first, second = lab.of(found, "DiagnosticReport")
    assert ("basedOn" in first, "basedOn" in second) == (True, False)
    assert ("specimen" in first, "specimen" in second) == (True, False)
    assert "specimen" not in lab.of(found, "Observation")[1]


def test_two_patients_do_not_see_each_other(lab) -> None:
    """Not even where one of them is missing."""
    found = lab.convert(lab.PID, lab.OBR, lab.obx(), lab.PID.replace("1^^^", "2^^^"), lab.OBR.replace("F1", "F2"), lab.obx())
    assert [each["subject"]["reference"] for each in lab.of(found, "Observation")] == lab.urls(found, "Patient")

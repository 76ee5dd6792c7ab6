"""Segments stand in the groups their structure says; what is out of place is bound and told, never lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.hl7.groups import Group, group
from transforms.hl7.message import Message, parse
from transforms.hl7.structures import names

VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.2", "2.9", "")


def message(segments: str, kind: str = "ORU^R01", version: str = "2.5.1") -> Message:
    lines = [f"MSH|^~\\&|A|B|C|D|2024||{kind}|1|P|{version}", *(f"{name}|1" for name in segments.split())]
    return parse("\r".join(lines).encode() + b"\r")


def shown(part: Group) -> str:
    inner = (child.name if not isinstance(child, Group) else shown(child) for child in part.children)
    return f"{part.name}({' '.join(inner)})"


RESULT = "ORU_R01(MSH PATIENT_RESULT({}))"


@pytest.mark.parametrize("version", VERSIONS)
def test_groups_have_the_same_names_in_every_version(version: str) -> None:
    """One path for a map, whatever MSH-12 says."""
    tree = group(message("PID NTE PV1 ORC OBR NTE OBX NTE OBX", version=version))
    assert shown(tree) == RESULT.format("PATIENT(PID NTE VISIT(PV1)) ORDER_OBSERVATION(ORC OBR NTE OBSERVATION(OBX NTE) OBSERVATION(OBX))")
    assert tree.deviations == []


@pytest.mark.parametrize(
    ("segments", "inner"),
    [
        ("PID OBR OBX", "PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX))"),
        ("OBR OBX", "ORDER_OBSERVATION(OBR OBSERVATION(OBX))"),
        # one report for every OBR, with or without ORC
        ("PID OBR OBX OBR OBX", "PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX)) ORDER_OBSERVATION(OBR OBSERVATION(OBX))"),
        ("PID ORC OBR ORC OBR", "PATIENT(PID) ORDER_OBSERVATION(ORC OBR) ORDER_OBSERVATION(ORC OBR)"),
        ("PID ORC OBR OBX OBR", "PATIENT(PID) ORDER_OBSERVATION(ORC OBR OBSERVATION(OBX)) ORDER_OBSERVATION(OBR)"),
        ("PID OBR OBX SPM OBX OBX", "PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX) SPECIMEN(SPM OBX OBX))"),
        ("PID OBR SPM OBX SPM OBR", "PATIENT(PID) ORDER_OBSERVATION(OBR SPECIMEN(SPM OBX) SPECIMEN(SPM)) ORDER_OBSERVATION(OBR)"),
        (
            "PID OBR TQ1 TQ2 TQ1 CTD OBX PRT NTE OBX FT1 CTI",
            "PATIENT(PID) ORDER_OBSERVATION(OBR TIMING_QTY(TQ1 TQ2) TIMING_QTY(TQ1) CTD OBSERVATION(OBX PRT NTE) OBSERVATION(OBX) FT1 CTI)",
        ),
        ("PID PD1 NTE NK1 NK1 PV1 PV2 OBR", "PATIENT(PID PD1 NTE NK1 NK1 VISIT(PV1 PV2)) ORDER_OBSERVATION(OBR)"),
        ("PID OBX OBR OBX", "PATIENT(PID PATIENT_OBSERVATION(OBX)) ORDER_OBSERVATION(OBR OBSERVATION(OBX))"),
        ("PID ORC PRT OBX TXA OBR OBX", "PATIENT(PID) ORDER_OBSERVATION(ORC PRT ORDER_DOCUMENT(OBX TXA) OBR OBSERVATION(OBX))"),
        ("PID OBR OBX ZZZ NTE", "PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX ZZZ NTE))"),
        ("PID PD1 NK1 NTE OBR", "PATIENT(PID PD1 NK1 NTE) ORDER_OBSERVATION(OBR)"),  # the order of 2.3.1
    ],
)
def test_legal_orders(segments: str, inner: str) -> None:
    tree = group(message(segments))
    assert shown(tree) == RESULT.format(inner)
    assert tree.deviations == []


def test_several_patients() -> None:
    tree = group(message("PID OBR OBX PID PV1 OBR OBX DSC"))
    first = "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX)))"
    assert shown(tree) == f"ORU_R01(MSH {first} {first.replace('PID', 'PID VISIT(PV1)')} DSC)"


@pytest.mark.parametrize(
    ("segments", "inner", "notes"),
    [
        (
            "PID OBR OBX PV1 OBX",
            "PATIENT(PID VISIT(PV1)) ORDER_OBSERVATION(OBR OBSERVATION(OBX) OBSERVATION(OBX))",
            ["segment_out_of_place PV1"],
        ),
        (
            "PID OBR OBX PV1 PV2 NTE OBX NTE",
            "PATIENT(PID VISIT(PV1 PV2 NTE)) ORDER_OBSERVATION(OBR OBSERVATION(OBX) OBSERVATION(OBX NTE))",
            ["segment_out_of_place PV1", "segment_out_of_place PV2", "segment_out_of_place NTE"],
        ),
        ("PV1 PID OBR", "PATIENT(VISIT(PV1) PID) ORDER_OBSERVATION(OBR)", ["segment_missing PV1", "segment_out_of_place PID"]),
        ("PID OBR ORC OBX", "PATIENT(PID) ORDER_OBSERVATION(OBR ORC OBSERVATION(OBX))", ["segment_out_of_place ORC"]),
        (
            "PID OBR NTE ORC OBX OBX",
            "PATIENT(PID) ORDER_OBSERVATION(OBR NTE ORC OBSERVATION(OBX) OBSERVATION(OBX))",
            ["segment_out_of_place ORC"],
        ),
        ("PID ORC OBX OBX", "PATIENT(PID) ORDER_OBSERVATION(ORC OBSERVATION(OBX) OBSERVATION(OBX))", ["segment_missing OBX"]),
        (
            "PID ORC OBX OBR OBX",
            "PATIENT(PID) ORDER_OBSERVATION(ORC OBSERVATION(OBX) OBR OBSERVATION(OBX))",
            ["segment_missing OBX", "segment_out_of_place OBR"],
        ),
        (
            "PID OBR OBX TQ1 OBX",
            "PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX) TIMING_QTY(TQ1) OBSERVATION(OBX))",
            ["segment_out_of_place TQ1"],
        ),
        ("PID OBR SPM NTE", "PATIENT(PID) ORDER_OBSERVATION(OBR SPECIMEN(SPM NTE))", ["segment_out_of_place NTE"]),
        (
            "PID OBR OBX ABC NTE OBX",
            "PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX ABC NTE) OBSERVATION(OBX))",
            ["segment_unknown ABC"],
        ),
        ("PID NTE PD1 OBR", "PATIENT(PID NTE PD1) ORDER_OBSERVATION(OBR)", ["segment_out_of_place PD1"]),
        (
            "PID ORC OBX ORC OBX OBR OBR",
            "PATIENT(PID) ORDER_OBSERVATION(ORC OBSERVATION(OBX)) ORDER_OBSERVATION(ORC OBSERVATION(OBX) OBR) ORDER_OBSERVATION(OBR)",
            ["segment_missing OBX", "segment_missing OBX[2]", "segment_out_of_place OBR"],
        ),
        ("PID ORC ORC OBR", "PATIENT(PID) ORDER_OBSERVATION(ORC) ORDER_OBSERVATION(ORC OBR)", []),
    ],
)
def test_recovery(segments: str, inner: str, notes: list[str]) -> None:
    tree = group(message(segments))
    assert shown(tree) == RESULT.format(inner)
    assert [f"{note.code} {note.place}" for note in tree.deviations] == notes


def test_after_the_end() -> None:
    """What comes after the last segment of the structure goes back to the last group that may hold it."""
    tree = group(message("PID OBR OBX DSC OBX"))
    assert shown(tree) == "ORU_R01(MSH PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX) OBSERVATION(OBX))) DSC)"
    assert [note.place for note in tree.deviations] == ["OBX[2]"]


@pytest.mark.parametrize(
    ("kind", "segments", "expected"),
    [
        (
            "OUL^R21",
            "PID PV1 SAC OBR OBX NTE OBX OBR OBX",
            "OUL_R21(MSH PATIENT(PID VISIT(PV1)) ORDER_OBSERVATION(CONTAINER(SAC) OBR OBSERVATION(OBX NTE) OBSERVATION(OBX))"
            " ORDER_OBSERVATION(OBR OBSERVATION(OBX)))",
        ),
        (
            "OUL^R22",
            "PID SPM OBX SAC INV OBR ORC NTE OBX NTE OBR ORC OBX",
            "OUL_R22(MSH PATIENT(PID) SPECIMEN(SPM OBX CONTAINER(SAC INV) ORDER(OBR ORC NTE RESULT(OBX NTE)) ORDER(OBR ORC RESULT(OBX))))",
        ),
        ("OUL^R22", "PID OBR OBX SPM OBX", "OUL_R22(MSH PATIENT(PID) SPECIMEN(ORDER(OBR RESULT(OBX) RESULT(OBX)) SPM))"),
        (
            "OUL^R23",
            "PID SPM SAC OBR ORC OBX SAC OBR OBX",
            "OUL_R23(MSH PATIENT(PID) SPECIMEN(SPM CONTAINER(SAC ORDER(OBR ORC RESULT(OBX))) CONTAINER(SAC ORDER(OBR RESULT(OBX)))))",
        ),
        (
            "OUL^R24",
            "PID PV1 OBR ORC SPM SAC OBX OBR",
            "OUL_R24(MSH PATIENT(PID VISIT(PV1)) ORDER(OBR ORC SPECIMEN(SPM CONTAINER(SAC)) RESULT(OBX)) ORDER(OBR))",
        ),
        ("OUL^R24", "PID OBR ORC OBX", "OUL_R24(MSH PATIENT(PID) ORDER(OBR ORC RESULT(OBX)))"),
        (
            "OML^O21",
            "PID PV1 ORC TQ1 OBR OBX SPM ORC OBR",
            "OML_O21(MSH PATIENT(PID PATIENT_VISIT(PV1)) ORDER(ORC TIMING(TQ1) OBSERVATION_REQUEST(OBR OBSERVATION(OBX) SPECIMEN(SPM)))"
            " ORDER(ORC OBSERVATION_REQUEST(OBR)))",
        ),
        (
            "ORM^O01",
            "PID PV1 ORC OBR NTE OBX ORC RXO",
            "ORM_O01(MSH PATIENT(PID PATIENT_VISIT(PV1)) ORDER(ORC ORDER_DETAIL(OBR NTE OBSERVATION(OBX))) ORDER(ORC ORDER_DETAIL(RXO)))",
        ),
        (
            "DOC^T12",
            "MSA QRD EVN PID PV1 TXA OBX EVN PID PV1 TXA",
            "DOC_T12(MSH MSA QRD RESULT(EVN PID PV1 TXA OBX) RESULT(EVN PID PV1 TXA))",
        ),
        (
            "ADT^A08",
            "EVN PID NK1 NK1 PV1 OBX AL1 DG1 IN1 IN2 IN1",
            "ADT_A01(MSH EVN PID NK1 NK1 PV1 OBX AL1 DG1 INSURANCE(IN1 IN2) INSURANCE(IN1))",
        ),
    ],
)
def test_other_structures(kind: str, segments: str, expected: str) -> None:
    assert shown(group(message(segments, kind))) == expected


def test_looking_into_a_tree() -> None:
    tree = group(message("PID OBR OBX OBX OBR OBX NTE"))
    orders = tree.find("PATIENT_RESULT.ORDER_OBSERVATION")
    assert [len(order.groups("OBSERVATION")) for order in orders] == [2, 1]
    assert tree.find("") == [tree]
    assert orders[1].segment("OBR").occurrence == 2
    assert orders[1].segment("ORC") is None and orders[1].group("SPECIMEN") is None
    assert orders[1].group("OBSERVATION").segments("NTE")[0].name == "NTE"
    assert [segment.name for segment in orders[1].segments()] == ["OBR"]
    assert [each.name for each in tree.groups()] == ["PATIENT_RESULT"]
    assert [segment.position for segment in tree.walk()] == list(range(7 + 1))


def test_a_structure_nobody_knows() -> None:
    tree = group(message("PID OBX", "ABC^XYZ"))
    assert shown(tree) == "ABC_XYZ(MSH PID OBX)"
    assert [note.code for note in tree.deviations] == ["structure_unknown"]


def test_a_structure_may_be_named() -> None:
    assert group(message("PID OBR", "ABC^XYZ"), "ORU_R01").name == "ORU_R01"


SEGMENTS = st.lists(
    st.sampled_from(
        ["PID", "PD1", "NK1", "PV1", "PV2", "ORC", "OBR", "NTE", "OBX", "SPM", "TQ1", "SAC", "TXA", "PRT", "DSC", "ZZZ", "ABC"]
        + ["MSA", "AL1", "IN1", "RXO", "EVN", "CTD"]
    ),
    max_size=25,
)


@given(
    SEGMENTS,
    st.sampled_from(["ORU^R01", "OUL^R21", "OUL^R22", "OUL^R23", "OUL^R24", "OML^O21", "ADT^A01", "ORM^O01", "VXU^V04", "ABC^D", ""]),
)
def test_no_segment_is_lost_or_doubled(segments: list[str], kind: str) -> None:
    """In whatever order they come, and under whatever structure, and the same again the second time."""
    read = message(" ".join(segments), kind)
    tree = group(read)
    assert sorted(segment.position for segment in tree.walk()) == list(range(len(read.segments)))
    assert shown(group(read)) == shown(tree)
    assert all(inner.children for inner in groups_of(tree))


def groups_of(part: Group) -> list[Group]:
    return [part] + [each for inner in part.groups() for each in groups_of(inner)]


@given(st.sampled_from(names()), SEGMENTS)
def test_every_structure_holds_everything(name: str, segments: list[str]) -> None:
    read = message(" ".join(segments))
    assert sorted(segment.position for segment in group(read, name).walk()) == list(range(len(read.segments)))

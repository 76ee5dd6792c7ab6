"""What belongs to an order, whatever order message it came in (rule 12)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.transforms.mapping.messages_of import messages_of
from transforms.hl7.groups import group
from transforms.hl7.message import parse
from transforms.mapping.arrangement import Branch
from transforms.mapping.ordering import arrange_orders


def shape(branch: Branch) -> str:
    """A tree as nested text: `ORDER(ORC OBR OBSERVATION(OBX))`."""
    inside = [name for name, _ in branch.segments] + [shape(each) for each in branch.branches]
    return f"{branch.name}({' '.join(inside)})"


def arranged(event: str, names: str) -> str:
    lines = [f"MSH|^~\\&|L|H|||2024||{event}|1|P|2.5.1", *(f"{name}|1" for name in names.split())]
    tree = arrange_orders(group(parse(("\r".join(lines) + "\r").encode())), "auto")
    return " ".join(map(shape, tree.branches))


@pytest.mark.parametrize(
    ("event", "names", "wanted"),
    [
        ("OML^O21", "PID PV1 ORC TQ1 OBR NTE DG1 OBX NTE", "PATIENT(PID VISIT(PV1)) ORDER(ORC TQ1 OBR NTE DG1 OBSERVATION(OBX NTE))"),
        (
            "OML^O21",
            "PID ORC OBR OBX SPM OBX ORC OBR",
            "PATIENT(PID) ORDER(ORC OBR OBSERVATION(OBX) SPECIMEN(SPM SPECIMEN_OBSERVATION(OBX))) ORDER(ORC OBR)",
        ),
        ("OML^O21", "PID ORC OBR OBR", "PATIENT(PID) ORDER(ORC OBR) ORDER(OBR)"),
        ("OML^O33", "PID SPM SAC ORC OBR ORC OBR", "PATIENT(PID) ORDER(ORC OBR SPECIMEN(SPM SAC)) ORDER(ORC OBR SPECIMEN(SPM SAC))"),
        (
            "OML^O33",
            "PID SPM OBX ORC OBR ORC OBR",
            "PATIENT(PID) ORDER(ORC OBR SPECIMEN(SPM SPECIMEN_OBSERVATION(OBX))) ORDER(ORC OBR SPECIMEN(SPM))",
        ),
        ("OML^O35", "PID SPM SAC ORC OBR", "PATIENT(PID) ORDER(ORC OBR SPECIMEN(SPM SAC))"),
        ("OML^O39", "PID SPM ORC OBR", "PATIENT(PID) ORDER(OBR ORC SPECIMEN(SPM))"),
        (
            "OML^O21",
            "PID ORC OBR PID ORC OBR OBX NTE OBX",
            "PATIENT(PID) ORDER(ORC OBR PRIOR(PID PRIOR_ORDER(ORC OBR PRIOR_OBSERVATION(OBX NTE) PRIOR_OBSERVATION(OBX))))",
        ),
        ("ORM^O01", "PID ORC RXO RXR OBX", "PATIENT(PID) ORDER(ORC PRESCRIPTION(RXO RXR OBSERVATION(OBX)))"),
        (
            "RDE^O11",
            "PID ORC TQ1 RXO RXR RXC RXE TQ1 TQ1 RXR OBX",
            "PATIENT(PID) ORDER(ORC TQ1 PRESCRIPTION(RXE TQ1 RXR ASKED(RXO RXR COMPONENT(RXC)) FURTHER_TIMING(TQ1) OBSERVATION(OBX)))",
        ),
        ("RDS^O13", "PID ORC RXE RXR RXD RXR", "PATIENT(PID) ORDER(ORC PRESCRIPTION(RXE RXR) DISPENSE(RXD RXR))"),
        ("RAS^O17", "PID ORC RXA RXA RXR", "PATIENT(PID) ORDER(ORC ADMINISTRATION(RXA RXR) ADMINISTRATION(RXA RXR))"),
        ("RGV^O15", "PID ORC RXG TQ1 RXR OBX", "PATIENT(PID) ORDER(ORC GIVE(RXG TQ1 RXR OBSERVATION(OBX)))"),
        ("VXU^V04", "PID OBX ORC RXA RXR OBX", "PATIENT(PID OBSERVATION(OBX)) ORDER(ORC ADMINISTRATION(RXA RXR OBSERVATION(OBX)))"),
        ("VXU^V04", "PID RXA RXR RXA", "PATIENT(PID) ORDER(ADMINISTRATION(RXA RXR)) ORDER(ADMINISTRATION(RXA))"),
        ("ORL^O22", "MSA PID ORC OBR", "PATIENT(PID) ORDER(ORC OBR)"),
        ("OMD^O03", "PID ORC ODS ODS ORC ODT", "PATIENT(PID) ORDER(ORC ODS ODS) ORDER(ORC ODT)"),
    ],
)
def test_every_structure_comes_out_in_one_shape(event: str, names: str, wanted: str) -> None:
    """One order for every ORC; what was prescribed, dispensed and given apart; the specimen beside its orders."""
    assert arranged(event, names) == wanted


@pytest.mark.parametrize("structure", ["OML_O21", "OML_O35", "ORM_O01", "RDE_O11", "RAS_O17", "VXU_V04", "ORL_O22"])
def test_no_segment_is_lost(structure: str) -> None:
    """Each stands in the tree, whatever the message is made of."""

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(raw=messages_of(structure))
    def stands(raw: bytes) -> None:
        message = parse(raw)
        tree = arrange_orders(group(message), "auto")
        assert {position for branch in tree.walk() for _, position in branch.segments} == set(range(len(message.segments)))

    stands()

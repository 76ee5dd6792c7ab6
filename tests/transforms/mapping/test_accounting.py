"""What became of every text of a message."""

from __future__ import annotations

from transforms.hl7.message import parse
from transforms.mapping.accounting import Account
from transforms.mapping.library import Library


def account(lab, *lines: str) -> Account:
    return Library.load().explain().account(parse(lab.message(*lines)), lab.CONTEXT)


def test_each_text_is_mapped_dropped_or_left_over(lab) -> None:
    """With the rule that read or drops it."""
    found = {each.atom.path: (each.fate, each.rule) for each in account(lab, lab.PID, lab.OBR, lab.obx() + "||SECRET").fates}
    assert found["PID-5.1"] == ("mapped", "PID_Patient/name")
    assert found["OBX-1"][0] == "dropped" and found["OBX-1"][1].startswith("OBX_Observation/drop")
    assert found["MSH-2"] == ("dropped", "how the message is read") and found["MSH-12"] == ("dropped", "ORU_R01")
    assert found["MSH-10"] == ("mapped", "ORU_R01")
    assert found["OBX-13"] == ("left over", "")


def test_what_a_function_did_not_use_is_left_over_by_its_parts(lab) -> None:
    """Repetition, component, subcomponent; the rest of the field is mapped."""
    pid = "PID|||1^^^MRN^MR~2^^^MRN&example.org&DNS^PI^^^^J||Doe^Jo"
    found = account(lab, pid, lab.OBR, lab.obx())
    left = [each.atom.path for each in found.fates if each.fate == "left over" and each.atom.path.startswith("PID")]
    assert left == ["PID-3[2].4.2", "PID-3[2].4.3", "PID-3[2].9"] and set(left) <= set(found.leftover)
    assert {each.fate for each in found.fates if each.atom.path in ("PID-3[2].1", "PID-3[2].4.1", "PID-3[1].5")} == {"mapped"}


def test_counts_and_shares_are_of_all_texts(lab) -> None:
    """Nothing is counted twice, nothing is forgotten."""
    found = account(lab, lab.PID, lab.OBR, lab.obx("A", "one", "TX", unit=""), lab.obx("A", "two", "TX", unit="", number=2), "NTE|1||x~y")
    assert sum(found.counts.values()) == len(found.fates) and abs(sum(found.shares.values()) - 1) < 0.01
    assert len({each.atom for each in found.fates}) == len(found.fates)

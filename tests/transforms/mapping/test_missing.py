"""Why an element is not there."""

from __future__ import annotations

import pytest

from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.missing import Reason


def reasons(lab, path: str, *lines: str) -> list[Reason]:
    return Library.load().explain().why(parse(lab.message(*lines)), lab.CONTEXT, path)


@pytest.mark.parametrize(
    ("path", "lines", "rule", "why", "fields"),
    [
        ("Patient.birthDate", "PID|||1^^^MRN^MR||Doe||19800101", "PID_Patient/birthDate", "written", ("PID-7",)),
        ("Patient.birthDate", "PID|||1^^^MRN^MR||Doe", "PID_Patient/birthDate", "absent", ("PID-7",)),
        ("Patient.birthDate", 'PID|||1^^^MRN^MR||Doe||""', "PID_Patient/birthDate", "null", ("PID-7",)),
        ("Patient.birthDate", "PID|||1^^^MRN^MR||Doe||unknown", "PID_Patient/birthDate", "nothing", ("PID-7",)),
        ("Patient.photo", "PID|||1^^^MRN^MR||Doe", "ORU_R01/patient", "not mapped", ()),
        ("Patient.contact", "PID|||1^^^MRN^MR||Doe", "ORU_R01/patient", "not made", ()),
        ("Patient.nonsense", "PID|||1^^^MRN^MR||Doe", "", "no such element", ()),
        ("Encounter.period", "PID|||1^^^MRN^MR||Doe", "ORU_R01", "not made", ()),
    ],
)
def test_of_a_patient(lab, path: str, lines: str, rule: str, why: str, fields: tuple[str, ...]) -> None:
    """Absent, NULL, of no use, mapped by no rule, not made, or no element at all."""
    found = reasons(lab, path, lines, lab.OBR, lab.obx())
    assert (rule, why, fields) in [(each.rule, each.why, each.fields) for each in found]


def test_each_resource_is_told_apart(lab) -> None:
    """By the segment it is made of; a rule whose condition does not hold names what it asked."""
    found = reasons(lab, "Observation.value", lab.PID, lab.OBR, lab.obx(), lab.obx("K", "high", "ST"))
    assert {each.resource for each in found} == {"Observation at OBX[1]", "Observation at OBX[2]"}
    filtered = [each for each in found if each.why == "filtered" and each.resource.endswith("[1]")]
    assert filtered and "OBX[1]-2" in filtered[0].fields and filtered[0].line > 1

"""What a map's YAML may say, and what is said of what it may not."""

from __future__ import annotations

import pytest

from transforms.errors import Problem
from transforms.mapping.definition import MessageMap, SegmentMap, Table, read_definition


def read(text: str, name: str = "OBX_Observation") -> tuple[object, list[Problem]]:
    problems: list[Problem] = []
    return read_definition(name, text, "maps/file.yaml", problems), problems


def test_a_rule_is_read_with_its_place() -> None:
    """Rules of one target get names of their own."""
    found, problems = read(
        "map: a\nrules:\n  - { to: status, from: OBX-11, codes: observation_status }\n  - { to: status, const: unknown }\n"
        "  - { drop: [OBX-1, OBX-4], why: because }\n"
    )
    assert problems == []
    assert isinstance(found, SegmentMap)
    assert (found.segment, found.type) == ("OBX", "Observation")
    assert [(each.name, each.spot.place) for each in found.rules] == [("status", (3, 5)), ("status#2", (4, 5)), ("drop OBX-1 OBX-4", (5, 5))]


@pytest.mark.parametrize(
    ("line", "where", "code"),
    [
        ("{ to: status, form: OBX-11 }", "3:19", "unknown_key"),
        ("{ from: OBX-11 }", "3:5", "no_target"),
        ("{ to: status, from: OBX.11 }", "3:25", "no_path"),
        ("{ to: status, from: [OBX-11, 'OBX-x'] }", "3:34", "no_path"),
        ("{ drop: OBX-1 }", "3:5", "missing"),
        ("{ to: value, choose: OBX-2 }", "3:5", "missing"),
        ("{ to: value, choose: second, cases: [{ from: OBX-5 }] }", "3:26", "no_path"),
        ("{ to: status, const: final, when: OBX-11 }", "3:39", "condition"),
        ("{ to: status, const: final, when: { vaued: OBX-11 } }", "3:41", "condition"),
        ("{ to: status, const: final, when: { valued: 11 } }", "3:49", "no_path"),
        ("{ to: status, const: final, when: { all: [{ not: { valued: nothing } }] } }", "3:64", "no_path"),
        ("{ to: status, const: final, when: { matches: { five: numeric } } }", "3:52", "no_path"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(line: str, where: str, code: str) -> None:
    """Line and column of the value at fault."""
    _, problems = read(f"map: a\nrules:\n  - {line}\n")
    assert [(f"{each.line}:{each.column}", each.code) for each in problems] == [(where, code)]


def test_all_problems_come_at_once() -> None:
    """One reading finds them all."""
    _, problems = read("map: a\nrules:\n  - { to: status, from: X }\n  - { to: '9', from: OBX-1 }\n  - { drop: y, why: z }\n")
    assert [each.code for each in problems] == ["no_path", "no_target", "no_path"]


def test_a_message_map_is_read() -> None:
    """Makes with their links; the name is what stands behind `as`, else the type."""
    found, problems = read(
        "map: X\nmessages: [ORU_R01]\nresources:\n  - { make: Patient, at: PATIENT, with: PID }\n"
        "  - { make: Observation as result, each: [A.B, C], with: [OBX], link: { subject: patient } }\n",
        "X",
    )
    assert problems == []
    assert isinstance(found, MessageMap)
    assert [(each.name, each.type, each.at) for each in found.makes] == [("patient", "Patient", ("PATIENT",)), ("result", "Observation", ("A.B", "C"))]
    assert found.makes[1].link == (("subject", "patient"),)


def test_a_table_is_read() -> None:
    """Codes with the table's system, with their own, and what stands for all others; codes stay text whatever they look like."""
    found, problems = read(
        "table: t\nsystem: urn:s\ndisplays: { a: Alpha }\ncodes: { A: a, 'Y': { code: b, system: urn:o, display: Beta }, NO: 007, T: true }\notherwise: z\n",
        "t",
    )
    assert problems == []
    assert isinstance(found, Table)
    assert [(key, each.code, each.system, each.display) for key, each in found.codes.items()] == [
        ("A", "a", "urn:s", "Alpha"),
        ("Y", "b", "urn:o", "Beta"),
        ("NO", "007", "urn:s", ""),
        ("T", True, "urn:s", ""),
    ]
    assert found.otherwise is not None and found.otherwise.code == "z"


def test_what_a_table_may_not_hold_is_said() -> None:
    """Lists and unknown keys."""
    _, problems = read("table: t\ncodes: { A: [a], B: { kode: b } }\n", "t")
    assert sorted(each.code for each in problems) == ["unknown_key", "wrong_type"]

"""Lines of one text, repeated values, notes (rules 12 and 14)."""

from __future__ import annotations

import pytest


def texts(lab, *lines: str) -> list[str | None]:
    """The string values of the Observations."""
    return [each.get("valueString") for each in lab.of(lab.convert(lab.PID, lab.OBR, *lines), "Observation")]


def test_lines_of_one_text_are_one_observation(lab) -> None:
    """Kept apart, a shorter correction would leave old lines standing."""
    assert texts(lab, lab.obx("C", "one", "TX", unit=""), lab.obx("C", "", "TX", unit=""), lab.obx("C", "two~three", "TX", unit="")) == ["one\n\ntwo\nthree"]


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ({"sub": "1"}, {"sub": "1"}, True),
        ({"sub": "1"}, {"sub": "2"}, True),  # counting on
        ({"sub": "1.1"}, {"sub": "1.2"}, True),
        ({"sub": "1"}, {"sub": ""}, True),
        ({"sub": "1"}, {"sub": "3"}, False),
        ({"sub": "2"}, {"sub": "1"}, False),
        ({}, {"code": "D"}, False),
        ({}, {"status": "C"}, False),
        ({}, {"kind": "ST"}, False),
        ({}, {"unit": "g"}, False),
    ],
)
def test_what_is_no_line_of_the_same_text_stays_apart(lab, first: dict, second: dict, joined: bool) -> None:
    """Same code, same status, no unit; OBX-4 equal, empty or counting on."""
    usual = {"code": "C", "value": "x", "kind": "TX", "unit": ""}
    assert len(texts(lab, lab.obx(**{**usual, **first}), lab.obx(**{**usual, **second}))) == (1 if joined else 2)


def test_results_between_lines_keep_them_apart(lab) -> None:
    """Neighbours only."""
    assert len(texts(lab, lab.obx("C", "one", "TX", unit=""), lab.obx(), lab.obx("C", "two", "TX", unit=""))) == 3


def test_what_another_line_says_otherwise_is_left_over(lab) -> None:
    """The same in every line is read; what differs is not lost silently."""
    line = lab.obx("C", "one", "TX", unit="") + "|||20240115|LABCODE"
    found = lab.convert(lab.PID, lab.OBR, line, line.replace("one", "two").replace("20240115|", "20240116|"))
    assert [each for each in found.leftover if each.startswith("OBX[2]")] == ["OBX[2]-14"]


def test_a_repeated_value_becomes_components(lab) -> None:
    """Each repetition one, with the result's code; the Observation itself has no value."""
    (made,) = lab.of(lab.convert(lab.PID, lab.OBR, lab.obx("X", "one~two~", "ST", unit="")), "Observation")
    assert [each["valueString"] for each in made["component"]] == ["one", "two"]
    assert not [key for key in made if key.startswith("value")]
    assert made["component"][0]["code"] == made["code"]


def test_a_repetition_that_says_nothing_is_no_component(lab) -> None:
    """Nor is it left over."""
    found = lab.convert(lab.PID, lab.OBR, lab.obx("X", "1~^^^~2", "CWE", unit=""))
    assert len(lab.of(found, "Observation")[0]["component"]) == 2
    assert [each for each in found.leftover if each.startswith("OBX-5")] == []


def test_notes_belong_to_what_they_follow(lab) -> None:
    """The result, the report (in R5's extension), the specimen; consecutive ones of one source are one."""
    found = lab.convert(
        lab.PID, lab.OBR, "NTE|1|L|report", "NTE|2|L|goes on", "NTE|3|P|another's", lab.obx(), "NTE|1||result", lab.obx("K"), "SPM|1|S1&A^S1&B||SER", "NTE|1||specimen"
    )
    notes = [each["valueAnnotation"]["text"] for each in lab.of(found, "DiagnosticReport")[0]["extension"]]
    assert notes == ["report\ngoes on", "another's"]
    assert [[note["text"] for note in each.get("note", ())] for each in lab.of(found, "Observation")] == [["result"], []]
    assert [each["text"] for each in lab.of(found, "Specimen")[0]["note"]] == ["specimen"]
    assert not [each for each in found.leftover if each.startswith("NTE")]


def test_a_note_after_lines_belongs_to_the_text(lab) -> None:
    """The Observation the lines went into."""
    lines = (lab.obx("C", "one", "TX", unit=""), lab.obx("C", "two", "TX", unit=""), "NTE|1||said")
    (made,) = lab.of(lab.convert(lab.PID, lab.OBR, *lines), "Observation")
    assert (made["valueString"], made["note"][0]["text"]) == ("one\ntwo", "said")

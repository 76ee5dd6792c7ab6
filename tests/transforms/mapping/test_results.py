"""What a result is: the keys that corrections, resends and late arrivals meet under (rules 2 and 8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from transforms.document import Identity


def keys(lab, *lines: str, **how) -> list[str]:
    """The ids of the Observations."""
    return [each["id"] for each in lab.of(lab.convert(lab.PID, *lines, **how), "Observation")]


def report(lab, *lines: str, **how) -> list[str]:
    """The ids of the reports."""
    return [each["id"] for each in lab.of(lab.convert(lab.PID, *lines, **how), "DiagnosticReport")]


def test_a_correction_meets_what_it_corrects(lab) -> None:
    """Other value, other status, other message: the same Observation in the same report."""
    first = lab.convert(lab.PID, lab.OBR, lab.obx(value="7.0", status="P"))
    second = lab.convert(lab.PID, lab.OBR + "|||||||X", lab.obx(value="9.9", status="C"), header=lab.HEADER.replace("|77|", "|78|"))
    assert lab.of(first, "Observation")[0]["id"] == lab.of(second, "Observation")[0]["id"]
    assert lab.of(first, "DiagnosticReport")[0]["id"] == lab.of(second, "DiagnosticReport")[0]["id"]


def test_equal_codes_are_told_apart_by_their_order(lab) -> None:
    """OBX-3 and OBX-4 repeat in one order: ordinals, and none of the first is shifted by a third one."""
    two = keys(lab, lab.OBR, lab.obx(value="1"), lab.obx(value="2"))
    assert len(set(two)) == 2
    assert keys(lab, lab.OBR, lab.obx(value="1"), lab.obx(value="2"), lab.obx(value="3"))[:2] == two


def test_sub_ids_tell_results_apart(lab) -> None:
    """Whatever order they come in."""
    there = keys(lab, lab.OBR, lab.obx(sub="1"), lab.obx(sub="2"))
    back = keys(lab, lab.OBR, lab.obx(sub="2"), lab.obx(sub="1"))
    assert there == back[::-1]


def test_a_result_with_an_identifier_is_known_by_it(lab) -> None:
    """OBX-21 before everything else: in any report."""
    own = lab.obx() + "||||||||||O1^LAB"
    assert keys(lab, lab.OBR, own) == keys(lab, lab.OBR.replace("F1", "F2"), own)


@pytest.mark.parametrize(
    ("orc", "obr", "same"),
    [
        ("ORC|RE|P1^PLACER|F1^FILLER", "OBR|1||F1^FILLER|CBC^Count^L", True),
        ("ORC|RE|P1^PLACER|F1^FILLER", "OBR|1|||CBC^Count^L", True),  # ORC-3
        ("ORC|RE|P1^PLACER|", "OBR|1|||CBC^Count^L", False),  # ORC-2
        ("ORC|RE||", "OBR|1||F1^FILLER|OTHER^Count^L", False),  # another test of that number
        ("ORC|RE||", "OBR|1||F1^OTHER|CBC^Count^L", False),  # another laboratory's number
    ],
)
def test_a_report_is_known_by_number_and_test(lab, orc: str, obr: str, same: bool) -> None:
    """OBR-3, else ORC-3, else the placer's; and OBR-4's own code."""
    usual = report(lab, "OBR|1||F1^FILLER|CBC^Count^L", lab.obx())
    assert (report(lab, orc, obr, lab.obx()) == usual) is same


def test_without_an_order_number_the_specimen_names_the_report(lab) -> None:
    """SPM-2 with OBR-7."""
    one = report(lab, "OBR|1|||CBC^C^L|||20240115", lab.obx(), "SPM|1|^S1&LAB|", header=lab.HEADER)
    assert one == report(lab, "OBR|1|||CBC^C^L|||20240115", lab.obx(value="8"), "SPM|1|^S1&LAB|", header=lab.HEADER.replace("|77|", "|78|"))
    assert one != report(lab, "OBR|1|||CBC^C^L|||20240116", lab.obx(), "SPM|1|^S1&LAB|")


def test_without_any_number_a_result_is_known_by_its_message(lab) -> None:
    """It survives a resend, cannot be corrected, and says so."""
    found = lab.convert(lab.PID, "OBR|1|||CBC^C^L", lab.obx())
    again = lab.convert(lab.PID, "OBR|1|||CBC^C^L", lab.obx())
    other = lab.convert(lab.PID, "OBR|1|||CBC^C^L", lab.obx(), header=lab.HEADER.replace("|77|", "|78|"))
    ids = [[each["id"] for each in lab.of(one, "Observation")] for one in (found, again, other)]
    assert ids[0] == ids[1] != ids[2]
    for kind in ("Observation", "DiagnosticReport"):
        assert lab.of(found, kind)[0]["meta"]["tag"][0]["code"] == "message_only"
    assert "meta" not in lab.of(lab.convert(lab.PID, lab.OBR, lab.obx()), "Observation")[0]


def test_a_result_without_a_code_is_known_by_its_message(lab) -> None:
    """Nothing else names it."""
    found = lab.of(lab.convert(lab.PID, lab.OBR, "OBX|1|ST|||text||||||F"), "Observation")
    assert found[0]["meta"]["tag"][0]["code"] == "message_only"


def test_recycled_numbers_are_told_apart_by_the_day(lab) -> None:
    """Small laboratories start their numbers again."""
    later = lab.OBR.replace("20240115080000", "20240302080000")
    assert report(lab, lab.OBR) == report(lab, later)
    assert report(lab, lab.OBR, filler_numbers="recycled") != report(lab, later, filler_numbers="recycled")


def test_a_sites_secret_is_in_every_name(lab) -> None:
    """Record numbers cannot be found by trying them all."""
    other = replace(lab.CONTEXT, identity=replace(lab.SITE, secret="other"))
    assert keys(lab, lab.OBR, lab.obx()) != keys(lab, lab.OBR, lab.obx(), context=other)


def test_every_result_has_its_key_as_identifier(lab) -> None:
    """What a conditional update looks for; without a prefix of the site's it has no system."""
    for kind in ("Observation", "DiagnosticReport"):
        made = lab.of(lab.convert(lab.PID, lab.OBR, lab.obx()), kind)[0]
        assert made["identifier"][0] == {"system": "https://site.example/ids/result-key", "value": made["id"]}
        made = lab.of(lab.convert(lab.PID, lab.OBR, lab.obx(), context=replace(lab.CONTEXT, identity=Identity())), kind)[0]
        assert made["identifier"][0] == {"value": made["id"]}


@pytest.mark.parametrize(
    ("pid3", "wanted", "chosen"),
    [
        ("1^^^A^AN~2^^^A^MR", (), "2"),
        ("1^^^A^VN", (), None),
        ("1^^^A^PI~2^^^A^MR", (), "2"),
        ("1^^^A^PI~2^^^B^MR", ("https://site.example/ids/HOSP/A",), "1"),  # a declared authority first
        ("1^^^A^MR~2^^^B^PT", ("PT",), "2"),  # or a declared type
        ("1^^^A^XX~2^^^A^NNAUT", (), "2"),
        ("1^^^A~2^^^A^XX", (), "1"),
        ("1^^^^MR~2", (), None),  # nobody assigned it
        ('""^^^A^MR', (), None),
    ],
)
def test_the_patients_identifier_is_chosen(lab, pid3: str, wanted: tuple[str, ...], chosen: str | None) -> None:
    """By declared authority, then by type, never the first as such, never an account (rule 8)."""
    context = replace(lab.CONTEXT, identity=replace(lab.SITE, patient=wanted))
    found = lab.convert(f"PID|||{pid3}||Doe^Jo", lab.OBR, lab.obx(), context=context)
    criteria = [each["request"]["ifNoneExist"] for each in found.bundle["entry"] if each["request"]["url"] == "Patient"]
    assert [each.rpartition("%7C")[2] for each in criteria] == ([chosen] if chosen else [])
    assert found.parts[0].hold == ("" if chosen else "no_patient_id")


def test_old_versions_have_the_identifier_in_pid_2_and_4(lab) -> None:
    """2.1 and 2.2 only."""
    old = lab.HEADER.replace("2.5.1", "2.2")
    for header, hold in ((old, ""), (lab.HEADER, "no_patient_id")):
        assert lab.convert("PID||9^^^A|||Doe", lab.OBR, lab.obx(), header=header).parts[0].hold == hold


def test_a_patient_nobody_can_name_stays_inside(lab) -> None:
    """Contained in what refers to it; held, or sent if the site says so, in a lane of its report."""
    found = lab.convert("PID|||1||Doe^Jo", lab.OBR, lab.obx())
    assert lab.of(found, "Patient") == []
    for kind in ("Observation", "DiagnosticReport"):
        made = lab.of(found, kind)[0]
        assert made["subject"]["reference"].removeprefix("#") in [each["id"] for each in made["contained"] if each["resourceType"] == "Patient"]
    sent = lab.convert("PID|||1||Doe^Jo", lab.OBR, lab.obx(), no_patient_id="send").parts[0]
    assert (sent.hold, sent.lane) == ("", lab.of(found, "DiagnosticReport")[0]["id"])


def test_specimens_are_known_by_both_their_numbers(lab) -> None:
    """An owned resource with a number, contained without one."""
    found = lab.convert(lab.PID, lab.OBR, lab.obx(), "SPM|1|P9&A^F9&B||SER^Serum")
    assert [each["request"]["method"] for each in found.bundle["entry"] if each["resource"]["resourceType"] == "Specimen"] == ["PUT"]
    assert lab.of(found, "Observation")[0]["specimen"]["reference"] == lab.urls(found, "Specimen")[0]
    bare = lab.convert(lab.PID, lab.OBR, lab.obx(), "SPM|1|||SER^Serum")
    assert lab.of(bare, "Specimen") == []
    made = lab.of(bare, "DiagnosticReport")[0]
    assert made["specimen"][0]["reference"].removeprefix("#") in [each["id"] for each in made["contained"]]
    assert "specimen" not in lab.of(bare, "Observation")[0]

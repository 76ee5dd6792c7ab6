"""What is odd in a message leaves as valid R4: control characters, blanks, uneven lines, twins, labels."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from transforms.document import Context, Identity
from transforms.fhir.serialization import dumps
from transforms.fhir.validation import is_valid, validate
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions
from transforms.mapping.to_fhir import Converted

CONTEXT = Context(datetime(2026, 3, 4, tzinfo=timezone.utc), timezone="Europe/Zurich", identity=Identity(base="https://site.example/id", secret="test"))
MESSAGE = (
    "MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304120000||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||4711^^^HOSP^MR||Meier^Eva\r"
    "OBR|1||F1^LAB|24323-8^Panel^LN|||20260304|||||||||||||||20260304110000|||F\rOBX|1|ST|2345-7^Glucose^LN||{}||||||F\r"
)


def converted(message: str) -> Converted:
    return Library.load().converter("auto", MapOptions())(parse(message.encode()), CONTEXT)


def value(of: Converted) -> str:
    return next(entry["resource"]["valueString"] for entry in of.bundle["entry"] if entry["resource"]["resourceType"] == "Observation")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\x1fb", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\\X07\\b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\tb", "a\tb"),
        ("a\\X0D0A\\b", "a\r\nb"),
        ("aé\x7fb", "aé\x7fb"),
    ],
)
def test_control_characters_do_not_reach_fhir(text: str, said: str) -> None:
    """R4 strings hold no control characters but tab and line ends; what stood there is marked, and noted where it stood as such."""
    found = converted(MESSAGE.format(text))
    assert value(found) == said
    assert is_valid(found.bundle)
    assert ("control_characters" in [note.code for note in found.notes]) == (not text.isprintable() and "\t" not in text and "é" not in text)
    assert not any(each in dumps(found.bundle) for each in (b"\\u0000", b"\\u0007", b"\\u001f"))


HEAD = "MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304120000||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||4711^^^HOSP^MR||Meier^Eva\r"


@pytest.mark.parametrize(
    "segments",
    [
        "OBR|1||F1^LAB|^^^ |||20260304",
        "OBR|1||F1^LAB|GLU^^^\t^^ |||20260304||||||||||||||||||F",
        "OBR|1||F1^LAB|24323-8^Panel^LN|||20260304||||||||||||||||| |\t",
        "OBR|1||F1^LAB|24323-8^Panel^LN\rOBX|1|CE|2345-7^Glucose^LN|| || |\\.br\\|||\\.br\\",
        "OBR|1||F1^LAB|24323-8^Panel^LN\rOBX|1|NM|2345-7^Glucose^LN||95||||||F|||||||||||||Hafenweg 3^^Basel",
        "PV1|1|O||\\.br\\|||||||||\\.br\\|\t|||| \rOBR|1||F1^LAB|24323-8^Panel^LN",
        "PD1||||1^Roth^^^^ ^^^N\rOBR|1||F1^LAB|24323-8^Panel^LN",
        "PID|1||4711^^^HOSP^MR|||||||||||||||||||2  1^^CDCREC\rOBR|1||F1^LAB|24323-8^Panel^LN",
        "PID|1||4711^^^HOSP^MR||&|&\rOBR|1||F1^LAB|24323-8^Panel^LN",
        "PID|1||4711^^^HOSP^MR||Meier^Eva|||||||||||C\rOBR|1||F1^LAB|24323-8^Panel^LN",
        "ORC|RE|P1||||||||||||||||||||||||||R\rOBR|1|P1|F1^LAB|24323-8^Panel^LN",
        "OBR|1|P1|F1^LAB||||||||||||||||||||||||||||||||||||||||||D1^Detail|D2^Detail",
        "ORC|RE|P1^EHR||||||||||11^Roth\rOBR|1|P1^EHR|F1^LAB|1^A^L\rORC|RE|P1^EHR||||||||||12^Alb\rOBR|2|P1^EHR|F1^LAB|2^B^L",
    ],
)
def test_nothing_but_blanks_is_nothing(segments: str) -> None:
    """A field of blanks says nothing, and what stands beside it leaves as valid R4."""
    found = converted(HEAD + segments + "\r")
    assert validate(found.bundle) == []
    assert is_valid(found.bundle)


def test_notes_before_a_specimen_are_the_messages() -> None:
    """OUL_R22 has NTE outside of its groups; the result is there all the same."""
    message = HEAD.replace("ORU^R01^ORU_R01", "OUL^R22^OUL_R22").replace("PID|", "NTE|1||of the message\rPID|")
    found = converted(message + "SPM|1|S1\rOBR|1||F1^LAB|24323-8^Panel^LN\rORC|RE\rOBX|1|ST|2345-7^Glucose^LN||high||||||F\r")
    assert value(found) == "high"


@pytest.mark.parametrize(("text", "said"), [("6~7", "6 mL\n7 mL"), ("6^8~7", "6 8 mL\n7 mL")])
def test_a_matrix_of_numbers_is_text(text: str, said: str) -> None:
    """NA that repeats, one number in a row or several."""
    found = converted(HEAD + f"OBR|1||F1^LAB|24323-8^Panel^LN\rOBX|1|NA|2345-7^Glucose^LN||{text}|mL|||||F\r")
    assert value(found) == said


def test_a_unit_with_blanks_inside_is_no_code() -> None:
    """Whatever kind of blank: it is kept as text."""
    found = converted(HEAD + "OBR|1||F1^LAB|24323-8^Panel^LN\rOBX|1|NM|2345-7^Glucose^LN||5|264\N{NO-BREAK SPACE}320^Sec^MDC|||||F\r")
    (quantity,) = [entry["resource"]["valueQuantity"] for entry in found.bundle["entry"] if "valueQuantity" in entry["resource"]]
    assert quantity["unit"] == "Sec" and "code" not in quantity


@pytest.mark.parametrize("stamp", ["20150830120030.1-1500", "20150830120030+05\N{SUPERSCRIPT TWO}0", "2015083012003\N{SUPERSCRIPT TWO}+0100", "20150830120030+9999"])
def test_an_offset_that_no_clock_has_is_none(stamp: str) -> None:
    """MSH-7 with such an offset gives none to other times, and no timestamp."""
    found = converted(HEAD.replace("20260304120000", stamp) + "OBR|1||F1^LAB|24323-8^Panel^LN|||20181211150000\rOBX|1|NM|1^A^L||1||||||F\r")
    assert validate(found.bundle) == [] and "timestamp" not in found.bundle


def test_how_confidential_an_order_is_is_said_of_the_report() -> None:
    """An order without a number of its own is contained, and may not carry ORC-28 itself."""
    found = converted(HEAD + "ORC|RE|P1||||||||||||||||||||||||||R\rOBR|1|P1|F1^LAB|24323-8^Panel^LN\r")
    report = next(entry["resource"] for entry in found.bundle["entry"] if entry["resource"]["resourceType"] == "DiagnosticReport")
    assert report["meta"]["security"][0]["code"] == "R" and "meta" not in report["contained"][0]


def test_lines_of_a_text_may_have_more_fields_than_the_first() -> None:
    """What a further line says in a field that the first does not have is left over."""
    lines = "OBR|1||F1^LAB|24323-8^Panel^LN\rOBX|1|TX|8251-1^Comment^LN||a||||||F\rOBX|2|TX|8251-1^Comment^LN||b||||||F||||||||||||||||||x\r"
    found = converted(HEAD + lines)
    assert value(found) == "a\nb" and "OBX[2]-29" in found.leftover


def test_an_address_of_nobody_stays() -> None:
    """OBX-24 without OBX-23: an organization of which only the address is known."""
    found = converted(HEAD + "OBR|1||F1^LAB|24323-8^Panel^LN\rOBX|1|NM|2345-7^Glucose^LN||95||||||F|||||||||||||Hafenweg 3^^Basel\r")
    (contained,) = [each for entry in found.bundle["entry"] for each in entry["resource"].get("contained", ()) if each["resourceType"] == "Organization"]
    assert contained["address"][0]["city"] == "Basel" and contained["_name"]["extension"][0]["valueCode"] == "unknown"

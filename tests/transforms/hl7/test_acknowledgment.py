"""Acknowledgments have the form of the sender's version, say where, and are read whoever wrote them."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import ErrorCode, MessageError
from transforms.hl7.acknowledgment import Acknowledgment, Owed, acknowledge, answers_due, read_acknowledgment
from transforms.hl7.message import parse

WHEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc)
LINE = "MSH|^~\\&|LAB^1.2.3^ISO|HOSP^9^L|EHR^4^L|CLINIC|20240101||ORU^R01^ORU_R01|M1|P^A|{}|||AL|NE|DE|{}"
MISSING = MessageError(ErrorCode.REQUIRED_FIELD_MISSING, "PID-3[2].4", "no authority & such", origin="maps/x.yaml:12")
WRONG = MessageError(ErrorCode.DATA_TYPE, "OBX[3]-5", "not a number")


def message(version: str = "2.5.1", charset: str = "UNICODE UTF-8") -> bytes:
    return LINE.format(version, charset).encode() + b"\rPID|1\r"


def lines(raw: bytes, code: str = "AA", **options: object) -> list[str]:
    answer = acknowledge(raw, code, control_id="A7", when=WHEN, **options)
    assert answer.endswith(b"\r") and b"\n" not in answer
    return answer.decode().split("\r")[:-1]


HEADER = "MSH|^~\\&|EHR^4^L|CLINIC|LAB^1.2.3^ISO|HOSP^9^L|20240506070809+0000||{}|A7|P^A|{}||||||UNICODE UTF-8"


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("2.1", "ACK"),
        ("2.2", "ACK"),
        ("2.3", "ACK^R01"),
        ("2.3.1", "ACK^R01^ACK"),
        ("2.4", "ACK^R01^ACK"),
        ("2.5.1", "ACK^R01^ACK"),
        ("2.7", "ACK^R01^ACK"),
        ("2.8.2", "ACK^R01^ACK"),
        ("2.9", "ACK^R01^ACK"),
        ("2.5.1^DEU", "ACK^R01^ACK"),
        ("x", "ACK^R01^ACK"),
    ],
)
def test_the_header_by_version(version: str, kind: str) -> None:
    """Sender and receiver change places whole; processing id, version and character set come back as they were."""
    assert lines(message(version)) == [HEADER.format(kind, version), "MSA|AA|M1"]


OLD = [
    "MSA|AE|M1|no authority \\T\\ such|||101^Required field missing^HL70357",
    "ERR|PID^1^3^101&Required field missing&HL70357~OBX^3^5^102&Data type error&HL70357",
]
NEW = [
    "ERR||PID^1^3^2^4|101^Required field missing^HL70357|E|||maps/x.yaml:12|no authority \\T\\ such",
    "ERR||OBX^3^5|102^Data type error^HL70357|E||||not a number",
]


@pytest.mark.parametrize(
    ("version", "rest"),
    [
        ("2.1", [OLD[0].partition("|||")[0], OLD[1]]),
        ("2.2", OLD),
        ("2.3", OLD),
        ("2.3.1", OLD),
        ("2.4", OLD),
        ("2.5", ["MSA|AE|M1|no authority \\T\\ such", *NEW]),
        ("2.6", ["MSA|AE|M1|no authority \\T\\ such", *NEW]),
        ("2.7", ["MSA|AE|M1", *NEW]),
        ("2.8.2", ["MSA|AE|M1", *NEW]),
    ],
)
def test_errors_by_version(version: str, rest: list[str]) -> None:
    assert lines(message(version), "AE", errors=[MISSING, WRONG])[1:] == rest


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("MSH-9", "MSH^1^9"),
        ("PID", "PID^1"),
        ("OBX[2]-5[1].2.3", "OBX^2^5^1^2^3"),
        ("OBX-5.2", "OBX^1^5^1^2"),
        ("OBX[*]-5", "OBX^^5"),
        ("the moon", ""),
    ],
)
def test_places(place: str, said: str) -> None:
    error = lines(message(), "AE", errors=[MessageError(ErrorCode.INTERNAL, place, "why")])[2].split("|")
    assert error[2] == said
    assert error[8] == ("why" if said else "the moon: why")


def test_a_text_alone() -> None:
    assert lines(message(), "AR", text="down | for now")[1] == "MSA|AR|M1|down \\F\\ for now"
    assert lines(message("2.7"), "AR", text="down")[1] == "MSA|AR|M1"


def test_an_application_acknowledgment_as_a_message_of_its_own() -> None:
    assert lines(message(), own_message=True)[0].split("|")[14:18] == ["NE", "NE", "", "UNICODE UTF-8"]
    assert lines(message(charset=""), own_message=True)[0].endswith("|2.5.1|||NE|NE")
    assert lines(message(charset=""))[0].endswith("|P^A|2.5.1")


def test_the_sender_s_delimiters() -> None:
    raw = b"MSH#@*!%#LAB@1#H#E#F#2024##ORU@R01@ORU_R01#M!F!1#P#2.5.1\r"
    answer = acknowledge(raw, "AE", control_id="7", when=WHEN, errors=[MISSING]).split(b"\r")
    assert answer[0] == b"MSH#@*!%#E#F#LAB@1#H#20240506070809+0000##ACK@R01@ACK#7#P#2.5.1"
    assert answer[1] == b"MSA#AE#M!F!1#no authority & such"
    assert answer[2].startswith(b"ERR##PID@1@3@2@4#101@Required field missing@HL70357#E#")


def test_few_delimiters() -> None:
    raw = b"MSH|^~|LAB|H|E|F|2024||ADT^A01|M1|P|2.3\r"
    assert acknowledge(raw, "AE", control_id="7", when=WHEN, errors=[WRONG]).split(b"\r")[1:3] == [
        b"MSA|AE|M1|not a number|||102^Data type error^HL70357",
        b"ERR|OBX^3^5^102",
    ]


@pytest.mark.parametrize(
    ("charset", "codec"), [("8859/1", "latin-1"), ("8859/2", "iso8859-2"), ("UNICODE UTF-8", "utf-8"), ("GB 18030-2000", "gb18030")]
)
def test_the_sender_s_character_set(charset: str, codec: str) -> None:
    raw = LINE.format("2.4", charset).replace("LAB", "Löb").encode(codec)
    answer = acknowledge(raw, "AE", control_id="1", when=WHEN, text="größer")
    assert "Löb^1.2.3^ISO" in answer.decode(codec)
    assert "größer" in answer.decode(codec)


def test_without_a_character_set_the_answer_is_ascii() -> None:
    answer = acknowledge(message(charset=""), "AE", control_id="1", when=WHEN, text="größer")
    assert answer.isascii() and b"gr??er" in answer


def test_sixteen_bits() -> None:
    answer = acknowledge(message().decode().encode("utf-16"), "AA", control_id="1", when=WHEN)
    assert answer.decode("utf-16").endswith("MSA|AA|M1\r")


@pytest.mark.parametrize(
    ("raw", "code", "answer"),
    [
        (b"", "AR", "MSH|^~\\&|||||20240506070809+0000||ACK|A7|P|2.5.1\rMSA|AR|\r"),
        (b"junk \x0b\x1c\r", "AE", "MSH|^~\\&|||||20240506070809+0000||ACK|A7|P|2.5.1\rMSA|AR|\r"),
        (
            b"MSH||A|B|C|D|2024||ORM^O01^ORM_O01|1|D|2.5.1\r",
            "AR",
            "MSH|^~\\&|C|D|A|B|20240506070809+0000||ACK^O01^ACK|A7|D|2.5.1\rMSA|AR|1\r",
        ),
        (b"MSH|^~\\&|A|B|C|D|2024||ORM^O01|1\r", "AR", "MSH|^~\\&|C|D|A|B|20240506070809+0000||ACK^O01^ACK|A7|P|2.5.1\rMSA|AR|1\r"),
        (b"MSH|^~\\&|A|B|C|D|2024||ORM^O01||D|2.3\r", "AE", "MSH|^~\\&|C|D|A|B|20240506070809+0000||ACK^O01|A7|D|2.3\rMSA|AR|\r"),
        (b'MSH|^~\\&|A|B|C|D|2024||ORM^O01|""|D|2.3\r', "CA", "MSH|^~\\&|C|D|A|B|20240506070809+0000||ACK^O01|A7|D|2.3\rMSA|CR|\r"),
        (b"MSH|^~\\&|A|B|C|D|2024|||1|D|2.3\r", "AR", "MSH|^~\\&|C|D|A|B|20240506070809+0000||ACK|A7|D|2.3\rMSA|AR|1\r"),
        (b"MSH|^~\\&|A|B|C|D|2024||ADT^A01|1|P|1.0\r", "AR", "MSH|^~\\&|C|D|A|B|20240506070809+0000||ACK^A01^ACK|A7|P|1.0\rMSA|AR|1\r"),
        (b"FHS|^~\\&|A\rBHS|^~\\&\r", "AR", "MSH|^~\\&|||||20240506070809+0000||ACK|A7|P|2.5.1\rMSA|AR|\r"),
        (b"MSHAB", "AR", "MSH|^~\\&|||||20240506070809+0000||ACK|A7|P|2.5.1\rMSA|AR|\r"),
        (b"MSH|0000|A|||||||7|P|2.4\r", "AR", "MSH|^~\\&|||A||20240506070809+0000||ACK|A7|P|2.4\rMSA|AR|7\r"),
    ],
)
def test_what_cannot_be_read_is_answered(raw: bytes, code: str, answer: str) -> None:
    """Without a readable control id the answer names none and is a rejection."""
    assert acknowledge(raw, code, control_id="A7", when=WHEN) == answer.encode()


@given(st.binary(max_size=120), st.sampled_from(["AA", "AE", "AR", "CA", "CE", "CR"]))
def test_anything_gets_one_legible_answer(raw: bytes, code: str) -> None:
    """No bytes of a peer's break the answer's frame or its segments."""
    for each in (raw, b"MSH|^~\\&|" + raw, b"MSH|^~\\&|A|B|C|D|2024||ORU^R01|" + raw + b"|P|2.5"):
        answer = acknowledge(each, code, control_id="A7", when=WHEN, errors=[MISSING])
        assert b"\x1c" not in answer and b"\x0b" not in answer
        read = read_acknowledgment(answer)
        assert read.code in (code, code[0] + "R")
        assert [segment.name for segment in parse(answer).segments] == ["MSH", "MSA", "ERR"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"MSH|^~\\&|||||2024||ACK^R01^ACK_R01|ACK|P|2.5\rMSA|AA|M1", Acknowledgment("AA", "M1", own_control_id="ACK")),
        (b"MSH|^~\\&|A|B|C|D|2024||ACK|9|P|2.3\rMSA|aa|M1|OK\r", Acknowledgment("AA", "M1", "OK", own_control_id="9")),
        (b"\x0bMSH|^~\\&|A|B|C|D|20240101.5||ACK|9|P|2.3\nMSA|CA| M1 \n\x1c\r", Acknowledgment("CA", "M1", own_control_id="9")),
        (
            b"MSH|^~\\&|A|B|C|D|2024||ACK|9|P|2.5\rSFT|1\rERR||PID^1^3|101^Required^HL70357|E||||why not\rMSA|AE|M1\r",
            Acknowledgment("AE", "M1", "why not", "101", "PID-3", "9"),
        ),
        (b"MSH|^~\\&|A|B|C|D|2024||ACK|9|P|2.5\rMSA|AE|M1\rERR||OBX^2^5|102\r", Acknowledgment("AE", "M1", "", "102", "OBX[2]-5", "9")),
        (
            b"MSH|^~\\&|A|B|C|D|2024||ACK|9|P|2.3\rMSA|AR|M1||||207^Internal error\r",
            Acknowledgment("AR", "M1", "Internal error", "207", "", "9"),
        ),
        (b"MSH|^~\\&|A|B|C|D|2024||ORU^R01|9|P|2.3\rPID|1\r", Acknowledgment("", "", own_control_id="9")),
        (b"MSA|AE|M1|no header\r", Acknowledgment("AE", "M1", "no header")),
        (b"MSH\rMSA|AR|M1", Acknowledgment("AR", "M1")),
        (b"HTTP/1.1 400", Acknowledgment("", "")),
        (b"", Acknowledgment("", "")),
    ],
)
def test_reading_what_peers_write(raw: bytes, said: Acknowledgment) -> None:
    assert read_acknowledgment(raw) == said


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8"])
def test_our_own_read_back(version: str) -> None:
    read = read_acknowledgment(acknowledge(message(version), "AE", control_id="A7", when=WHEN, errors=[MISSING]))
    assert read == Acknowledgment("AE", "M1", "no authority & such", "101", "PID-3", "A7")


@given(st.binary(max_size=80))
def test_reading_never_fails(raw: bytes) -> None:
    for each in (raw, b"MSA|AA|" + raw, b"MSH|^~\\&|A\rMSA" + raw):
        assert isinstance(read_acknowledgment(each).code, str)


SAID = (None, "", '""', "??", "AL", "NE", "ER", "SU")
SILENT = (None, "", '""', "??")


@pytest.mark.parametrize(("msh15", "msh16"), list(product(SAID, SAID)))
def test_every_cell_of_the_table(msh15: str | None, msh16: str | None) -> None:
    """MSH-15 and MSH-16, every combination, in each mode."""
    assert answers_due(msh15, msh16, "original") == Owed(True, "NE", "AL")
    accept, application = (None if said in SILENT else said for said in (msh15, msh16))
    enhanced = Owed(False, accept or "AL", application or "NE")
    assert answers_due(msh15, msh16, "enhanced") == enhanced
    if accept is None and application is None:
        assert answers_due(msh15, msh16) == Owed(True, "NE", "AL")
    else:
        assert answers_due(msh15, msh16) == Owed(False, accept or "NE", application or "NE")


@pytest.mark.parametrize(
    ("condition", "good", "due"),
    [
        ("AL", True, True),
        ("AL", False, True),
        ("NE", True, False),
        ("NE", False, False),
        ("SU", True, True),
        ("SU", False, False),
        ("ER", True, False),
        ("ER", False, True),
    ],
)
def test_conditions(condition: str, good: bool, due: bool) -> None:
    assert Owed(False, condition, "NE").accept_due(good) is due
    assert Owed(False, "NE", condition).application_due(good) is due


@pytest.mark.parametrize(
    ("msh15", "msh16", "good", "codes"),
    [
        ("", "", True, ["application"]),
        ("", "", False, ["application"]),
        ("AL", "NE", True, ["accept"]),
        ("AL", "", False, ["accept"]),
        ("AL", "AL", True, ["accept", "application"]),
        ("NE", "AL", True, ["application"]),
        ("", "AL", True, ["application"]),
        ("NE", "NE", True, []),
        ("NE", "NE", False, []),
        ("NE", "", False, []),
        ("ER", "ER", True, []),
        ("ER", "ER", False, ["accept", "application"]),
        ("SU", "ER", True, ["accept"]),
        ("SU", "ER", False, ["application"]),
    ],
)
def test_what_a_sender_gets(msh15: str, msh16: str, good: bool, codes: list[str]) -> None:
    """Rule by rule: original mode one answer; enhanced as asked."""
    owed = answers_due(msh15, msh16)
    assert [name for name, due in (("accept", owed.accept_due(good)), ("application", owed.application_due(good))) if due] == codes

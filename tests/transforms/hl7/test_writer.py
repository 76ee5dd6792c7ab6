"""A value set at a place is there, and nothing else has changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import ErrorCode, MessageError
from transforms.hl7.message import Message, parse

RAW = (
    b"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20240101||ORU^R01|M1|P|2.5.1||||||UNICODE UTF-8\r"
    b"PID|1||1^^^H&2&ISO~2^^^X||Doe^Jane~Roe^J\rNK1|1|A^B\rNK1|2|C\r"
)


def line(message: Message, name: str) -> str:
    return message.first(name).text


@pytest.mark.parametrize(
    ("path", "value", "name", "text"),
    [
        ("PID-8", "F", "PID", "PID|1||1^^^H&2&ISO~2^^^X||Doe^Jane~Roe^J|||F"),
        ("PID-5", "XXX", "PID", "PID|1||1^^^H&2&ISO~2^^^X||XXX"),  # the whole field: no alias stays behind
        ("PID-5.1", "XXX", "PID", "PID|1||1^^^H&2&ISO~2^^^X||XXX^Jane~Roe^J"),
        ("PID-5[2].3", "Q", "PID", "PID|1||1^^^H&2&ISO~2^^^X||Doe^Jane~Roe^J^Q"),
        ("PID-5[*].1", "X", "PID", "PID|1||1^^^H&2&ISO~2^^^X||X^Jane~X^J"),
        ("PID-5[4]", "Z", "PID", "PID|1||1^^^H&2&ISO~2^^^X||Doe^Jane~Roe^J~~Z"),
        ("PID-3.4.2", "9", "PID", "PID|1||1^^^H&9&ISO~2^^^X||Doe^Jane~Roe^J"),
        ("PID-3[2].4.3", "9", "PID", "PID|1||1^^^H&2&ISO~2^^^X&&9||Doe^Jane~Roe^J"),
        ("PID-2", "a|b^c&d~e\\", "PID", "PID|1|a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\|1^^^H&2&ISO~2^^^X||Doe^Jane~Roe^J"),
        ("PID-2", '""', "PID", 'PID|1|""|1^^^H&2&ISO~2^^^X||Doe^Jane~Roe^J'),
        ("PID-3", None, "PID", "PID|1||||Doe^Jane~Roe^J"),
        ("PID-3", "", "PID", "PID|1||||Doe^Jane~Roe^J"),
        ("MSH-3", "NEW", "MSH", "MSH|^~\\&|NEW|HOSP|EHR|CLINIC|20240101||ORU^R01|M1|P|2.5.1||||||UNICODE UTF-8"),
        ("MSH-21", "P", "MSH", "MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20240101||ORU^R01|M1|P|2.5.1||||||UNICODE UTF-8|||P"),
    ],
)
def test_setting(path: str, value: str | None, name: str, text: str) -> None:
    changed = parse(RAW).replace(path, value)
    assert line(changed, name) == text
    others = [segment.text for segment in parse(RAW).segments if segment.name != name]
    assert [segment.text for segment in changed.segments if segment.name != name] == others


def test_text_that_is_already_hl7() -> None:
    assert parse(RAW).replace("PID-5", "A^B~C", escaped=True).get("PID-5[1].2") == "B"
    with pytest.raises(MessageError):
        parse(RAW).replace("PID-5", "A|B", escaped=True)


def test_every_segment_of_a_name() -> None:
    changed = parse(RAW).replace("NK1[*]-2", "XXX")
    assert changed.all("NK1-2") == ["XXX", "XXX"]
    assert parse(RAW).replace("NK1-2", "XXX").all("NK1[2]-2") == ["C"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("NTE-3", ErrorCode.REQUIRED_FIELD_MISSING),
        ("NK1[3]-2", ErrorCode.REQUIRED_FIELD_MISSING),
        ("PID", ErrorCode.DATA_TYPE),
        ("MSH-1", ErrorCode.DATA_TYPE),
        ("MSH-2", ErrorCode.DATA_TYPE),
        ("PID-99999", ErrorCode.DATA_TYPE),
    ],
)
def test_where_nothing_can_be_set(path: str, code: ErrorCode) -> None:
    with pytest.raises(MessageError) as caught:
        parse(RAW).replace(path, "x")
    assert (caught.value.code, caught.value.place) == (code, path)


def test_a_value_that_the_character_set_cannot_say() -> None:
    latin = RAW.replace(b"UNICODE UTF-8", b"8859/1")
    assert bytes(parse(latin).replace("PID-2", "ü")).count(b"\xfc") == 1
    with pytest.raises(MessageError) as caught:
        parse(latin).replace("PID-2", "山")
    assert caught.value.place == "PID-2"
    assert "山" not in str(caught.value)


def test_setting_the_character_set_writes_all_of_it_anew() -> None:
    latin = parse(RAW.replace(b"UNICODE UTF-8", b"8859/1")).replace("PID-2", "ü")
    changed = latin.replace("MSH-18", "UNICODE UTF-8")
    assert bytes(changed).count("ü".encode()) == 1
    assert changed.replace("PID-2", "山").get("PID-2") == "山"
    with pytest.raises(MessageError):
        changed.replace("MSH-18", "no such set")
    with pytest.raises(MessageError):
        changed.replace("PID-2", "山").replace("MSH-18", "8859/1")


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\r"])
def test_the_rest_stays_byte_for_byte(end: bytes) -> None:
    raw = b"\x0b " + RAW.replace(b"\r", end).replace(b"UNICODE UTF-8", b"") + b"NTE|1||\xff\xfe broken\ntext" + end + b"\x1c\r"
    changed = bytes(parse(raw).replace("NK1[2]-2", "NEW"))
    assert changed == raw.replace(b"NK1|2|C", b"NK1|2|NEW")


PATHS = st.sampled_from(
    ["PID-2", "PID-3.1", "PID-3[2].4.2", "PID-5", "PID-30", "NK1[2]-2[3]", "MSH-10", "MSH-3.2", "PID-5[2].2", "NK1[2]-7.3.2"]
)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufdd0\0"), min_size=1).filter(
    lambda text: text.strip("\x1c\x0b \t\ufeff")
)


@given(PATHS, VALUES)
def test_what_is_set_reads_back(path: str, value: str) -> None:
    """Whatever the value holds, delimiters and line ends included."""
    changed = parse(RAW).replace(path, value)
    assert changed.get(path) == value
    assert len(changed.segments) == 4
    assert bytes(parse(bytes(changed))) == bytes(changed)

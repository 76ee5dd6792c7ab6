"""The first line is read cheaply and tolerantly, and checked when asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import ErrorCode, MessageError
from transforms.hl7.header import NOTHING, Peeked, check_header, peek
from transforms.hl7.message import parse

LINE = "MSH|^~\\&|LAB^1|HOSP|EHR|CLINIC|20240101||ORU^R01|M1|P|2.5.1||||||UNICODE UTF-8"
SAID = Peeked("LAB^1", "HOSP", "M1", "ORU^R01")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (LINE.encode() + b"\rPID|1", SAID),
        (LINE.encode() + b"\nPID|1\r", SAID),
        (LINE.encode(), SAID),
        (b"\x0b\r\n " + LINE.encode(), SAID),
        (b"\xef\xbb\xbf" + LINE.encode(), SAID),
        (LINE.encode("utf-16"), SAID),
        (LINE.encode("utf-16-be"), SAID),
        (LINE.replace("|", "#").encode(), SAID),
        ("MSH|^~\\&|Lübeck".encode("latin-1"), Peeked("Lübeck")),
        (b"MSH|^~\\&|LAB|H", Peeked("LAB", "H")),
        (b"MSH", NOTHING),
        (b"", NOTHING),
        (b"PID|1\rMSH|^~\\&|LAB", NOTHING),
        (b"BHS|^~\\&|LAB", NOTHING),
    ],
)
def test_peeking(raw: bytes, said: Peeked) -> None:
    assert peek(raw) == said


@given(st.binary(max_size=100))
def test_peeking_never_fails(raw: bytes) -> None:
    for each in (raw, b"MSH" + raw, b"MSH|^~\\&|" + raw):
        assert len(peek(each)) == 4


def test_peeking_agrees_with_reading() -> None:
    message = parse(LINE.encode())
    assert peek(LINE.encode()) == tuple(message.segments[0].raw(number) for number in (3, 4, 10, 9))


@pytest.mark.parametrize(
    ("old", "new", "place", "code"),
    [
        ("ORU^R01", "", "MSH-9", ErrorCode.REQUIRED_FIELD_MISSING),
        ("ORU^R01", "^R01", "MSH-9", ErrorCode.REQUIRED_FIELD_MISSING),
        ("|M1|", "||", "MSH-10", ErrorCode.REQUIRED_FIELD_MISSING),
        ("|M1|", '|""|', "MSH-10", ErrorCode.REQUIRED_FIELD_MISSING),
        ("2.5.1", "1.0", "MSH-12", ErrorCode.UNSUPPORTED_VERSION),
        ("2.5.1", "3", "MSH-12", ErrorCode.UNSUPPORTED_VERSION),
        ("|P|", "|T|", "MSH-11", ErrorCode.UNSUPPORTED_PROCESSING_ID),
        ("|P|", "||", "MSH-11", ErrorCode.UNSUPPORTED_PROCESSING_ID),
    ],
)
def test_headers_that_are_refused(old: str, new: str, place: str, code: ErrorCode) -> None:
    with pytest.raises(MessageError) as caught:
        check_header(parse(LINE.replace(old, new).encode()), ("P",))
    assert (caught.value.place, caught.value.code, caught.value.fatal) == (place, code, True)


@pytest.mark.parametrize("version", ["2.1", "2.3.1", "2.5.1^USA", "2.9", "2", ""])
def test_headers_that_are_taken(version: str) -> None:
    check_header(parse(LINE.replace("2.5.1", version).encode()), ("P", "T"))
    check_header(parse(LINE.replace("|P|", "|D|").encode()))

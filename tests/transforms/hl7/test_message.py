"""A message is read as it stands, and stays as it came."""

from __future__ import annotations

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import ErrorCode, MessageError
from transforms.hl7.message import parse

RAW = (
    b"MSH|^~\\&|LAB^1.2^ISO|HOSP|EHR|CLINIC|20240102030405+0100||ORU^R01^ORU_R01|M1|P|2.5.1\r"
    b'PID|1||MRN1^^^HOSP&1.2.3&ISO^MR~77^^^X||Doe^Jane^""||""|F\r'
    b"OBX|1|ST|A^Alpha^L||a\\S\\b \\T\\ c||||||F\r"
    b"OBX|2|NM|B^Beta^L||7.0~8.0|mg/dL|||||F\r"
)
HEAD = b"MSH|^~\\&|A|B|C|D|20240101||ORU^R01|1|P|2.5\r"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-3", "LAB^1.2^ISO"),
        ("MSH-3.2", "1.2"),
        ("MSH-9.3", "ORU_R01"),
        ("MSH-12", "2.5.1"),
        ("PID-3.1", "MRN1"),
        ("PID-3[2].1", "77"),
        ("PID-3.4", "HOSP&1.2.3&ISO"),
        ("PID-3.4.2", "1.2.3"),
        ("PID-3[2].4.1", "X"),
        ("PID-3[3].1", None),
        ("PID-3", "MRN1^^^HOSP&1.2.3&ISO^MR~77^^^X"),
        ("PID-3[2]", "77^^^X"),
        ("PID-5.3", '""'),  # NULL is a value of its own
        ("PID-7", '""'),
        ("PID-4", None),
        ("PID-5.9", None),
        ("PID-99", None),
        ("OBX-5", "a^b & c"),
        ("OBX[2]-5[2]", "8.0"),
        ("OBX[2]-3.2", "Beta"),
        ("OBX[3]-5", None),
        ("NTE-3", None),
        ("OBX[2]", "OBX|2|NM|B^Beta^L||7.0~8.0|mg/dL|||||F"),
    ],
)
def test_reading_places(path: str, value: str | None) -> None:
    assert parse(RAW).get(path) == value


def test_reading_every_repetition_and_segment() -> None:
    message = parse(RAW)
    assert message.all("PID-3.1") == ["MRN1", "77"]
    assert message.all("OBX-3.1") == ["A", "B"]
    assert message.all("OBX[2]-5") == ["7.0", "8.0"]
    assert message.all("PID-3[2].4") == ["X"]
    assert message.all("PID-4") == message.all("NTE-3") == []


def test_segments() -> None:
    message = parse(RAW)
    second = message.each("OBX")[1]
    assert [segment.name for segment in message.segments] == ["MSH", "PID", "OBX", "OBX"]
    assert (second.position, second.occurrence, second.place, message.first("PID").place) == (3, 2, "OBX[2]", "PID")
    assert second.fields[5] == "7.0~8.0"
    assert message.segments[0].fields[:4] == ["MSH", "|", "^~\\&", "LAB^1.2^ISO"]
    assert message.first("NTE") is None and message.each("NTE") == []
    assert second.get(5, repetition=2) == "8.0"
    assert second.get(3, 2) == "Beta"
    assert second.repetitions(5) == ["7.0", "8.0"] and second.repetitions(8) == []
    assert second.raw(99) == ""
    assert (message.version, message.encoding) == ("2.5.1", "ascii")


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\r", b"\n\n", b"\r\n\r\n"])
@pytest.mark.parametrize("closed", [True, False])
def test_line_ends(end: bytes, closed: bool) -> None:
    """However lines end, and whether the last one does, the same segments are there and the bytes stay."""
    raw = RAW.rstrip(b"\r").replace(b"\r", end) + (end if closed else b"")
    message = parse(raw)
    assert [segment.text for segment in message.segments] == [segment.text for segment in parse(RAW).segments]
    assert bytes(message) == raw


@pytest.mark.parametrize("lead", [b"\x0b", b"\xef\xbb\xbf", b" \r\n\t", b"\0\0", b"\x1c\r\x0b"])
@pytest.mark.parametrize("tail", [b"", b"\x1c\r", b"\x1c", b"\r\n"])
def test_remains_of_framing_are_borne(lead: bytes, tail: bytes) -> None:
    message = parse(lead + RAW + tail)
    assert [segment.text for segment in message.segments] == [segment.text for segment in parse(RAW).segments]
    assert bytes(message) == lead + RAW + tail


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b"OBX|1|TX|A||line one\nline two\n\nline four||||||F\rNTE|1", ["OBX|1|TX|A||line one\nline two\n\nline four||||||F", "NTE|1"]),
        (b"OBX|1|TX|A||one\rtwo|||F\rNTE|1\r", ["OBX|1|TX|A||one\ntwo|||F", "NTE|1"]),
        (b"OBX|1|TX|A||see\nPID|x\r", ["OBX|1|TX|A||see", "PID|x"]),  # this does start a segment
        (b"PIDX|1||7\rPV|1\rZ12|x\rDSC\r", ["PIDX|1||7", "PV|1", "Z12|x", "DSC"]),
        (b"NTE|1||a\rpid|1\r", ["NTE|1||a\npid|1"]),
        (b"NTE|1||a\n|b", ["NTE|1||a\n|b"]),
        (b"  \r\tNTE|1\r", ["\tNTE|1"]),
    ],
)
def test_broken_lines_go_on(body: bytes, texts: list[str]) -> None:
    """Senders break lines inside long texts; nothing of them is dropped."""
    raw = HEAD + body
    assert [segment.text for segment in parse(raw).segments[1:]] == texts
    assert bytes(parse(raw)) == raw


def test_custom_delimiters() -> None:
    message = parse(b"MSH#@*!%#LAB@1#H#####ADT@A01#1#P#2.3\rPID#1##7@@@H%9%ISO@MR*8#|#Doe!S!x@Jane\r")
    assert message.get("PID-3.4.2") == "9"
    assert message.get("PID-3[2].1") == "8"
    assert message.get("PID-4") == "|"
    assert message.get("PID-5.1") == "Doe@x"


def test_what_is_not_declared_does_not_cut() -> None:
    message = parse(b"MSH|^~|LAB|H|E|H|2024||ADT^A01|1|P|2.3\rPID|1||7||Smith & \\Sons^J\r")
    assert message.get("PID-5.1") == "Smith & \\Sons"
    assert message.get("PID-5.1.1") == "Smith & \\Sons"


@pytest.mark.parametrize(
    ("raw", "place", "code"),
    [
        (b"", "MSH", ErrorCode.SEGMENT_SEQUENCE),
        (b"PID|1\rMSH|^~\\&|", "MSH", ErrorCode.SEGMENT_SEQUENCE),
        (b"MSH", "MSH-1", ErrorCode.REQUIRED_FIELD_MISSING),
        (b"MSH||LAB", "MSH-2", ErrorCode.REQUIRED_FIELD_MISSING),
        (b"FHS|^~\\&|A\r" + RAW, "FHS", ErrorCode.UNSUPPORTED_MESSAGE_TYPE),
        (b"BHS|^~\\&|A\r" + RAW, "BHS", ErrorCode.UNSUPPORTED_MESSAGE_TYPE),
        (RAW + RAW, "MSH[2]", ErrorCode.SEGMENT_SEQUENCE),
        (RAW + b"\n" + RAW, "MSH[2]", ErrorCode.SEGMENT_SEQUENCE),
    ],
)
def test_what_is_no_message(raw: bytes, place: str, code: ErrorCode) -> None:
    """Two patients never share a message, and what is none is refused as a whole."""
    with pytest.raises(MessageError) as caught:
        parse(raw)
    assert (caught.value.place, caught.value.code, caught.value.fatal) == (place, code, True)


def test_msh_inside_a_text_is_no_second_message() -> None:
    assert parse(HEAD + b"NTE|1||see MSH|x\r").get("NTE-3") == "see MSH"


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    """Arbitrary bytes are a message or a MessageError, nothing else."""
    for each in (raw, b"MSH" + raw, HEAD + raw):
        try:
            message = parse(each)
        except MessageError:
            continue
        assert bytes(message) == each
        for segment in message.segments:
            assert segment.raw(1) is not None
            message.get("PID-3[2].4.1")
        assert message.version is not None and message.encoding


@given(st.data())
def test_mutated_messages(data: st.DataObject) -> None:
    """A message that lost, gained or changed bytes is read or refused, and never changed."""
    raw = bytearray(RAW)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(raw)))
        raw[start : start + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=4))
    try:
        message = parse(bytes(raw))
    except MessageError:
        return
    assert bytes(message) == bytes(raw)
    assert message.segments[0].name == "MSH"
    assert sum(len(segment.text) for segment in message.segments) <= len(message.text)


@given(
    st.lists(
        st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="|^~\\&\ufdd0"), max_size=8),
        min_size=1,
        max_size=8,
    )
)
def test_fields_are_what_was_written(values: list[str]) -> None:
    raw = ("MSH|^~\\&|A|B|C|D|20240101||ORU^R01|1|P|2.5||||||UNICODE UTF-8\rZZZ|" + "|".join(values) + "\r").encode()
    segment = parse(raw).first("ZZZ")
    assert [segment.raw(number) for number in range(1, len(values) + 1)] == values
    assert [segment.get(number) for number in range(1, len(values) + 1)] == [value or None for value in values]


@given(st.lists(st.lists(st.text(alphabet="ab^~& .1", max_size=9), min_size=1, max_size=7), min_size=1, max_size=5))
def test_python_hl7_reads_the_same(rows: list[list[str]]) -> None:
    """A library that shares no code with ours cuts segments, fields, repetitions and components alike."""
    raw = HEAD.decode() + "".join("ZZZ|" + "|".join(fields) + "|end\r" for fields in rows)
    theirs, ours = hl7.parse(raw), parse(raw.encode())
    for number, fields in enumerate(rows, 1):
        segment = ours.each("ZZZ")[number - 1]
        for field in range(1, len(fields) + 1):
            assert segment.raw(field) == str(theirs.segments("ZZZ")[number - 1][field])
            assert (ours.get(f"ZZZ[{number}]-{field}.1.1") or "") == theirs[f"ZZZ{number}.F{field}.R1.C1.S1"]

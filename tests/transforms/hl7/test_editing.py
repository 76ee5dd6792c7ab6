"""Segments changed or taken out together, the rest byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import MessageError
from transforms.hl7.editing import edited, joined
from transforms.hl7.message import parse

LINES = [
    "MSH|^~\\&|LAB|HOSP|EHR|HOSP|20240101||ORU^R01|1|P|2.5.1||||||UNICODE UTF-8",
    "PID|1||7^^^H",
    "ZZZ|x",
    "OBX|1|NM|A||1",
    "ZZZ|y",
    "OBX|2|NM|B||2",
]
ENDS = st.sampled_from(["\r", "\n", "\r\n", "\r\r"])


@given(ENDS, st.booleans(), st.sampled_from([b"", b"\xef\xbb\xbf", b"\n "]))
def test_segments_are_taken_out(end: str, closed: bool, lead: bytes) -> None:
    """Whatever ends the lines and stands before them, nothing else changes."""
    raw = lead + end.join(LINES).encode() + (end.encode() if closed else b"")
    message = parse(raw)
    kept = edited(message, {2: None, 4: None})
    assert [segment.text for segment in kept.segments] == [LINES[0], LINES[1], LINES[3], LINES[5]]
    assert bytes(kept).replace(b"\r\r", b"\r").count(end[:1].encode()) <= raw.count(end[:1].encode())


@given(ENDS, st.dictionaries(st.integers(1, 5), st.sampled_from(["ZNW|1", "ZNW|ü"]), max_size=5))
def test_segments_are_changed(end: str, texts: dict[int, str]) -> None:
    raw = end.join(LINES).encode() + end.encode()
    changed = edited(parse(raw), texts)
    assert [segment.text for segment in changed.segments] == [texts.get(index, line) for index, line in enumerate(LINES)]
    assert bytes(edited(parse(raw), {})) == raw


def test_bytes_nobody_understands_stay() -> None:
    """A byte outside the character set, in a segment that is left alone, is left alone."""
    raw = b"MSH|^~\\&|LAB\rPID|1||\xff\xfe\rZZZ|x\r"
    assert bytes(edited(parse(raw), {2: "ZZZ|y"})) == b"MSH|^~\\&|LAB\rPID|1||\xff\xfe\rZZZ|y\r"


def test_what_the_character_set_cannot_say_is_refused() -> None:
    message = parse(b"MSH|^~\\&|LAB||||||ORU^R01|1|P|2.5||||||8859/1\rZZZ|x\r")
    with pytest.raises(MessageError) as caught:
        edited(message, {1: "ZZZ|日"})
    assert caught.value.place == "ZZZ"


def test_a_header_is_joined_without_its_separator() -> None:
    segment = parse(LINES[0].encode()).segments[0]
    assert joined(segment, segment.fields) == LINES[0]

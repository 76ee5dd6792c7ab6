"""Text falls into segments, and every character of it is accounted for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transforms.hl7.lines import physical_lines, segments_of

PIECES = st.lists(st.sampled_from(["OBX|1", "PV|1", "plain text", "", " ", "NTE", "|x", "A|", "\x1c", "ZZZ|\x0b"]), max_size=12)
ENDS = st.sampled_from(["\r", "\n", "\r\n", "\r\r", "\n\r"])


@given(PIECES, st.lists(ENDS, min_size=12, max_size=12))
def test_every_character_stands_somewhere(pieces: list[str], ends: list[str]) -> None:
    text = "MSH|^~\\&|A" + "".join(end + piece for piece, end in zip(pieces, ends, strict=False))
    owned = physical_lines(text, "|")
    assert "".join(piece for piece, _ in owned) == text
    names, texts = segments_of(text, "|")
    assert len(names) == len(texts) == max(segment for _, segment in owned) + 1
    kept = [piece for piece, segment in owned if segment >= 0 and piece not in ("\r", "\n", "\r\n")]
    assert "".join(texts).replace("\n", "").rstrip("\x1c") == "".join(kept).rstrip("\x1c")
    assert not "".join(piece for piece, segment in owned if segment < 0).strip(" \r\n\x1c\x0b")
    assert [segment for _, segment in owned if segment >= 0] == sorted(segment for _, segment in owned if segment >= 0)


@given(st.lists(st.sampled_from(["PID|1", "OBX|2|x", "ZZ1|", "NTE|1||text"]), max_size=10), st.booleans())
def test_the_short_way_and_the_long_way_agree(lines: list[str], closed: bool) -> None:
    text = "\r".join(["MSH|^~\\&|A", *lines]) + ("\r" if closed else "")
    names, texts = segments_of(text, "|")
    assert (names, texts) == segments_of(text.replace("\r", "\n"), "|")
    assert texts == ["MSH|^~\\&|A", *lines]

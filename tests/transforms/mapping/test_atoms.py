"""The smallest texts of a message: what they are called, and which bytes they are."""

from __future__ import annotations

import pytest

from transforms.hl7.message import parse
from transforms.mapping.atoms import atoms

HEADER = b"MSH|^~\\&|LAB|HOSP"


def found(raw: bytes) -> dict[str, bytes | None]:
    """Path -> the bytes its span names, of all but the header."""
    message = parse(raw)
    names = message.lines[0]
    places = tuple(name if names.count(name) == 1 else f"{name}[{names[: index + 1].count(name)}]" for index, name in enumerate(names))
    return {each.path: raw[slice(*each.span)] if each.span else None for each in atoms(message, places) if each.position}


def test_paths_are_no_longer_than_they_have_to_be() -> None:
    """Repetition, component, subcomponent only where there are several; what is empty, blank or NULL is no atom."""
    assert found(HEADER + b'\rPID|1||1^^^A&1.2&ISO~2|""| |Doe^""^ ^X\rOBX|1\rOBX|2\r') == {
        "PID-1": b"1", "PID-3[1].1": b"1", "PID-3[1].4.1": b"A", "PID-3[1].4.2": b"1.2", "PID-3[1].4.3": b"ISO", "PID-3[2]": b"2",
        "PID-6.1": b"Doe", "PID-6.4": b"X", "OBX[1]-1": b"1", "OBX[2]-1": b"2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (HEADER + "||||||||||||||UNICODE UTF-8\rPID|||ü^é\r".encode(), {"PID-3.1": "ü".encode(), "PID-3.2": "é".encode()}),
        (HEADER + "||||||||||||||8859/1\rPID|||ü^é\r".encode("latin-1"), {"PID-3.1": b"\xfc", "PID-3.2": b"\xe9"}),
        (b"\xef\xbb\xbf" + HEADER + b"\rPID|||x\r", {"PID-3": b"x"}),
        (b"\x0b\r\n" + HEADER + b"\r\nPID|||x\r\n", {"PID-3": b"x"}),
        (HEADER + b"\r\nNTE|1||one\r\ntwo^three\r\n", {"NTE-1": b"1", "NTE-3.1": b"one\r\ntwo", "NTE-3.2": b"three"}),
        ("MSH|^~\\&|LAB\rPID|||ü\r".encode("utf-16"), {"PID-3": "ü".encode("utf-16-le")}),
        (b"MSH#*!$@#LAB\rPID###1*2!3\r", {"PID-3[1].1": b"1", "PID-3[1].2": b"2", "PID-3[2]": b"3"}),
    ],
    ids=["two bytes a letter", "one byte a letter", "a byte order mark", "what stands before", "broken lines", "UTF-16", "other delimiters"],
)
def test_spans_are_bytes_as_received(raw: bytes, expected: dict[str, bytes]) -> None:
    """Whatever the character set, and however lines end."""
    assert found(raw) == expected


def test_where_letters_have_no_bytes_of_their_own_no_span_is_told() -> None:
    """Sequences that switch character sets."""
    raw = HEADER + "||||||||||||||ISO IR87\rPID|||".encode() + "山".encode("iso2022_jp_2") + b"\r"
    assert found(raw)["PID-3"] is None

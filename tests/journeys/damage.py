"""Messages damaged in ways that wires, interfaces and people damage them, as Hypothesis strategies."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

NUMBERS = count(1)
SEEDS = [file.read_bytes() for file in sorted((Path(__file__).parents[2] / "examples" / "lab_results" / "messages").glob("*.hl7"))]


def at(content: bytes, where: float) -> int:
    return int(where * len(content))


PIECES = st.one_of(
    st.sampled_from([b"\r", b"\n", b"|", b"^", b"~", b"\\", b"&", b'""', b"\\X", b"\\F\\", b"\\.br\\"]),
    st.sampled_from([b"MSH|", b"PID|1", b"OBX|", b"OBR|", b"SPM|1|", b" ", b"\xff", b"\x00", b"<5", b"1e400", b"-" * 40]),
    st.binary(max_size=8),
)
WHERE = st.floats(0, 1, exclude_max=True)
CHANGES = st.one_of(
    st.tuples(st.just("insert"), WHERE, PIECES),
    st.tuples(st.just("cut"), WHERE, WHERE),
    st.tuples(st.just("repeat"), WHERE, st.integers(1, 60)),
    st.tuples(st.just("flip"), WHERE, st.integers(1, 255)),
    st.tuples(st.just("swap"), WHERE, WHERE),
    st.tuples(st.just("type"), WHERE, st.sampled_from([b"NM", b"SN", b"DT", b"TS", b"ED", b"RP", b"CWE", b"FT", b"XX", b""])),
    st.tuples(st.just("end"), WHERE, st.none()),
)


def damaged(content: bytes, change: tuple[str, float, Any]) -> bytes:
    """One change."""
    kind, where, what = change
    place = at(content, where)
    if kind == "insert":
        return content[:place] + what + content[place:]
    if kind == "cut":
        return content[:place] + content[place + at(content[place:], what * what) :]
    if kind == "flip" and content:
        return content[:place] + bytes([content[place] ^ what]) + content[place + 1 :]
    if kind == "end":
        return content[:place]
    lines = content.split(b"\r")
    line = at(lines, where)  # type: ignore[arg-type]
    if kind == "repeat":
        lines[line:line] = [lines[line]] * what
    elif kind == "swap":
        other = at(lines, what)  # type: ignore[arg-type]
        lines[line], lines[other] = lines[other], lines[line]
    elif kind == "type" and lines[line].startswith(b"OBX|"):
        parts = lines[line].split(b"|")
        lines[line] = b"|".join([*parts[:2], what, *parts[3:]])
    return b"\r".join(lines)


def mutant(seed: int, changes: list[tuple[str, float, Any]]) -> bytes:
    """A seed after its changes: numbers of its own for message, orders and patient, and never a byte that would end the frame."""
    content, number = SEEDS[seed], next(NUMBERS)
    for own in (b"LAB0", b"P26-", b"F26-", b"S26-", b"47110"):
        content = content.replace(own, own + b"%d" % number)
    for change in changes:
        content = damaged(content, change)
    return content.replace(b"\x0b", b"?").replace(b"\x1c", b"?") or b"?"


MUTANTS = st.builds(mutant, st.integers(0, len(SEEDS) - 1), st.lists(CHANGES, min_size=1, max_size=6))

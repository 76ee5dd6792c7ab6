"""Paths are written as people write them, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.hl7.path import EVERY, Path, parse_path

NUMBERS = st.integers(0, 40)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("PID", Path("PID")),
        ("OBX[3]", Path("OBX", 3)),
        ("PID-5", Path("PID", 0, 5)),
        ("PID-3[2].4.1", Path("PID", 0, 3, 2, 4, 1)),
        ("OBX[3]-5", Path("OBX", 3, 5)),
        ("NK1[*]-2[*].1", Path("NK1", EVERY, 2, EVERY, 1)),
        ("ZX1-1.2", Path("ZX1", 0, 1, 0, 2)),
    ],
)
def test_reading(text: str, path: Path) -> None:
    assert parse_path(text) == path
    assert str(path) == text


@pytest.mark.parametrize(
    "text", ["", "pid-3", "PID-0", "PID.3", "PID-", "PID-3.", "PID-3.1.2.3", "PIDX-1", "PID-3[0]", "PID-3 ", "PID-9999999", "1ID-3"]
)
def test_no_paths(text: str) -> None:
    with pytest.raises(ValueError, match="is no place in a message"):
        parse_path(text)


@given(st.text(max_size=20))
def test_anything_else_is_refused_politely(text: str) -> None:
    """Whatever is written, it is a path that reads back as itself, or a ValueError."""
    try:
        path = parse_path(text)
    except ValueError:
        return
    assert parse_path(str(path)) == path

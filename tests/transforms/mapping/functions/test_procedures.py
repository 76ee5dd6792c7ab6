"""When something was done."""

from __future__ import annotations

from typing import Any


def test_minutes_make_a_period(field: Any) -> None:
    """Where the start is known to the minute; else they are left over."""
    assert field("performed", "202403011000+0100", minutes="45") == (
        "Period", {"start": "2024-03-01T10:00:00+01:00", "end": "2024-03-01T10:45:00+01:00"},
    )  # fmt: skip
    assert field("performed", "20240301", minutes="45") == ("dateTime", "2024-03-01") and field.left == ["minutes"]
    assert field("performed", "202403011000+0000")[0] == "dateTime"
    assert field("performed", "soon", minutes="45") is None

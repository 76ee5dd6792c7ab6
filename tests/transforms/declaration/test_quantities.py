"""Durations and sizes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from transforms.declaration.quantities import Duration, Size


@pytest.mark.parametrize(
    ("text", "value"),
    [("30s", 30.0), ("5m", 300.0), ("24h", 86400.0), ("7d", 604800.0), ("500ms", 0.5), ("1.5s", 1.5), ("0s", 0.0), (2.5, 2.5)],
)
def test_durations_are_seconds(text: Any, value: float) -> None:
    assert TypeAdapter(Duration).validate_python(text) == value


@pytest.mark.parametrize("text", [30, "30", "s", "1h30m", "-1s", "5 m", "1w", "", True, None])
def test_what_is_no_duration(text: Any) -> None:
    """A number without a unit says nothing."""
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


@pytest.mark.parametrize(("text", "value"), [("16MiB", 16 * 2**20), ("64KiB", 65536), ("1GiB", 2**30), ("10kB", 10000), ("5B", 5), (7, 7)])
def test_sizes_are_bytes(text: Any, value: int) -> None:
    assert TypeAdapter(Size).validate_python(text) == value


@pytest.mark.parametrize("text", ["16", "MiB", "1.5MiB", "16 MiB", "-5B", True, ""])
def test_what_is_no_size(text: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Size).validate_python(text)

"""How a period ends."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.registry import Beside


def test_a_period_ends_after_it_begins(field: Any) -> None:
    """Another end is left over, and told; one without a zone is compared by its day."""
    assert field("end_of_period", "20240305", start="20240301") == "2024-03-05"
    assert field("end_of_period", "20240305") == "2024-03-05"
    assert field("end_of_period", "20240301", start="20240305") is None and field.noted == ["period_backwards"]
    kept = field("end_of_period", "202403051200", start="202403051100", offset="")
    assert isinstance(kept, Beside) and kept.value == "2024-03-05"

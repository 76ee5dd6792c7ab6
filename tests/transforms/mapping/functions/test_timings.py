"""When a thing is due: patterns, bounds, times of day, how long and how often."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

UCUM = "http://unitsofmeasure.org"


@pytest.mark.parametrize(
    ("pattern", "repeat"),
    [
        ("Q6H", {"frequency": 1, "period": Decimal(6), "periodUnit": "h"}),
        ("Q2W", {"frequency": 1, "period": Decimal(2), "periodUnit": "wk"}),
        ("5ID", {"frequency": 5, "period": Decimal(1), "periodUnit": "d"}),
        ("^DW^6^1", {"dayOfWeek": ["sat", "sun", "mon"]}),
        ("^^^^3^d", {"frequency": 1, "period": Decimal(3), "periodUnit": "d"}),
        ("^^^^^^^AC^1^h", {"when": ["AC"], "offset": 60}),
    ],
)
def test_what_a_pattern_repeats(field: Any, pattern: str, repeat: dict[str, Any]) -> None:
    """RPT's parts, and the codes of table 0335 that say how often."""
    assert field("timing", pattern)["repeat"] == repeat
    assert field.left == []


@pytest.mark.parametrize(
    ("pattern", "left"),
    [("^DM^1", [2, 3]), ("^^^^3^moons", [5, 6]), ("^^^^^^^SOON^5", [8, 9]), ("^^^^^^^C^5^min", [9, 10]), ("BID^^^^^^Y", [7])],
)
def test_what_a_pattern_says_beyond_fhir_is_left_over(field: Any, pattern: str, left: list[int]) -> None:
    """Never guessed: days of a month, units and events FHIR does not know, offsets it does not allow."""
    field("timing", pattern)
    assert field.left == left


def test_what_stands_beside_a_pattern(field: Any) -> None:
    """Start, end, time of day, how long each and how often in all."""
    made = field("timing", "BID", start="20240301", end="20240305", time="0800", length="30^min", count="10")
    assert made == {
        "repeat": {
            "boundsPeriod": {"start": "2024-03-01", "end": "2024-03-05"},
            "timeOfDay": ["08:00:00"],
            "duration": Decimal(30),
            "durationUnit": "min",
            "count": 10,
        },
        "code": {"text": "BID"},
    }


def test_a_bound_is_what_was_sent(field: Any) -> None:
    """No end is counted from a start and a duration: the duration is left over."""
    assert field("timing_from", "20240301", duration="7^d") == ("Period", {"start": "2024-03-01"})
    assert field.left == ["duration"]
    assert field("timing_for", "7^d") == {"repeat": {"boundsDuration": {"value": Decimal(7), "unit": "day", "system": UCUM, "code": "d"}}}


@pytest.mark.parametrize(("start", "end"), [("20240305", "20240301"), ("202403051800", "202403050900")])
def test_an_end_before_its_start_is_left_out(field: Any, start: str, end: str) -> None:
    """FHIR allows no such Period (per-1)."""
    said = field("timing_from", start, end=end)
    assert said is not None and set(said[1]) == {"start"}
    assert (field.noted, field.left) == (["period_backwards"], ["end"])


def test_the_older_way(field: Any) -> None:
    """TQ: a pattern and times of day as subcomponents, a duration spelled `D10`."""
    made = field("timing_within", "BID&12:30", duration="D10", count="4")
    assert made["repeat"] == {"timeOfDay": ["12:30:00"], "count": 4, "boundsDuration": {"value": Decimal(10), "unit": "day", "system": UCUM, "code": "d"}}
    assert field("timing_within", "BID", start="20240301", duration="D10")["repeat"] == {"boundsPeriod": {"start": "2024-03-01"}}
    assert field.left == ["duration"]

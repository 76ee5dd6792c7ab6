"""Appointments: what their times and durations say, and what they do not."""

from __future__ import annotations

import pytest

from tests.transforms.mapping.functions.conftest import Field


@pytest.mark.parametrize(
    ("duration", "units", "minutes"),
    [("30", "min", 30), ("30", "MIN^Minutes^ISO+", 30), ("90", "Minutes", 90), ("1.5", "h", 90), ("3600.000", "s", 60), ("2", "d", 2880), ("60", "m", 60)],
)
def test_minutes(field: Field, duration: str, units: str, minutes: int) -> None:
    """Whatever unit a duration is said in."""
    assert field("minutes", duration, units=units) == minutes


@pytest.mark.parametrize(("duration", "units"), [("30", ""), ("30", "mo"), ("90", "s"), ("0", "min"), ("-5", "min"), ("soon", "min"), ("9" * 30, "d")])
def test_no_minutes(field: Field, duration: str, units: str) -> None:
    """No unit, an unknown one, no whole minutes, no number: nothing is guessed."""
    assert field("minutes", duration, units=units) is None


def test_an_end_is_computed_from_an_instant_only(field: Field) -> None:
    """In the offset of the start; without a zone, a minute or a unit there is no end."""
    assert field("instant_after", "202603021000+0100", duration="30", units="min") == "2026-03-02T10:30:00+01:00"
    assert field("instant_after", "20260302235930", duration="1", units="min") == "2026-03-03T00:00:30+01:00"
    assert field("instant_after", "20260302", duration="30", units="min") is None
    assert field("instant_after", "202603021000", offset="", duration="30", units="min") is None
    assert field("instant_after", "202603021000", duration="30", units="") is None
    assert field("instant_after", "99991231235900+0100", duration="1", units="d") is None


def test_a_service_that_ends_nobody_knows_when(field: Field) -> None:
    """What a duration says is left where it ends at no time that can be computed."""
    assert field("service_period", "202603021000+0100", duration="30", units="fortnight") == {"start": "2026-03-02T10:00:00+01:00"}
    assert field.left == ["duration"]


def test_a_resource_of_no_stated_type(field: Field) -> None:
    """A reference by number and name; a code system nobody knows is left over."""
    assert field("resource_reference", "5001^Colonoscope^L") == {"identifier": {"value": "5001"}, "display": "Colonoscope"}
    assert field.left == [3]
    assert field("resource_reference", "^Colonoscope") == {"display": "Colonoscope"}

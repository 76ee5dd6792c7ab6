"""Times with their precision and zone; what cannot be said whole is cut, flagged, and kept beside."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("2024", "2024"),
        ("202403", "2024-03"),
        ("20240305", "2024-03-05"),
        ("202403051230", "2024-03-05T12:30:00+01:00"),
        ("20240305123045.120-0500", "2024-03-05T12:30:45.120-05:00"),
        ("soon", None),
    ],
)
def test_date_times(field: Any, sent: str, said: str | None) -> None:
    """MSH-7's offset is the message's default."""
    assert field("date_time", sent) == said


def test_without_any_zone_a_time_is_cut_to_its_date(field: Any) -> None:
    """And the original stands beside it.  (That there is no zone is noted once a message, by the converter.)"""
    original = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/originalText", "valueString": "20240305123045"}]}
    assert field("date_time", "20240305123045", offset="") == ("2024-03-05", original)
    assert field("instant", "20240305123045", offset="") == (None, original)
    assert field("instant", "never", offset="") is None
    assert field("plain_date_time", "20240305123045", offset="") == "2024-03-05"
    assert field.noted == []


def test_a_birth_may_have_an_hour(field: Any) -> None:
    """In R4's extension where its zone is known, as it was sent where not."""
    assert field("birth_date", "19800101") == "1980-01-01"
    date, beside = field("birth_date", "198001010830")
    assert (date, beside["extension"][0]["valueDateTime"]) == ("1980-01-01", "1980-01-01T08:30:00+01:00")
    assert field("birth_date", "198001010830", offset="")[1]["extension"][0]["valueString"] == "198001010830"


def test_what_was_decided_is_flagged(field: Any) -> None:
    """An hour without minutes."""
    assert field("date_time", "2024030512")[0] == "2024-03-05"
    assert field.noted == ["minutes_unknown"]


def test_an_instant_may_fall_back_to_the_receipt(field: Any) -> None:
    """Where FHIR demands one."""
    assert field("instant_or_received", "20240305123045", offset="") == "2026-01-02T03:04:05.000Z"
    assert field("instant_or_received", "20240305123045") == "2024-03-05T12:30:45+01:00"


def test_values_that_are_no_times_are_text(field: Any) -> None:
    """Minutes are never made up."""
    assert field("time_or_text", "1230") == ("time", "12:30:00")
    assert field("time_or_text", "12") == ("string", "12")
    assert field("date_time_or_text", "unknown") == ("string", "unknown")
    assert field.noted == ["not_a_time"]


def test_periods(field: Any) -> None:
    """DR, or two fields; without an end, a time."""
    assert field("period", "20240101^20240201") == {"start": "2024-01-01", "end": "2024-02-01"}
    assert field("period", "20240101", end="20240201") == {"start": "2024-01-01", "end": "2024-02-01"}
    assert field("period_or_date_time", "20240101") == ("dateTime", "2024-01-01")
    assert field("period_or_date_time", "20240101^20240102") == ("Period", {"start": "2024-01-01", "end": "2024-01-02"})
    assert field("period_or_text", "^") is None


@pytest.mark.parametrize(
    ("name", "sent", "place"),
    [
        ("period", "20240305^20240301", 2),
        ("human_name", "Doe^^^^^^L^^^^^20240305^20240301", 13),
        ("human_name", "Doe^^^^^^L^^^20240305&20240301", 10),
        ("address", "1 St^^Town^^^^^^^^^^20240305^20240301", 14),
        ("contact_point", "555^^^^^^^^^^^^20240305^20240301", 14),
        ("identifier", "1^^^HOSP^MR^^20240305^20240301", 8),
    ],
)
def test_a_period_that_ends_before_it_starts_has_no_end(field: Any, name: str, sent: str, place: int) -> None:
    """R4 does not allow it; which of the two is wrong, nobody says."""
    made = field(name, sent)
    assert made.get("period", made) == {"start": "2024-03-05"}
    assert (field.left, field.noted) == ([place], ["period_backwards"])


def test_when_an_order_is_due(field: Any) -> None:
    """TQ1: a period, or a timing within it."""
    assert field("bounds", "20240101", end="20240201") == ("Period", {"start": "2024-01-01", "end": "2024-02-01"})
    kind, made = field("bounds", "20240101", pattern="Q6H", count="4")
    assert (kind, made) == ("Timing", {"repeat": {"boundsPeriod": {"start": "2024-01-01"}, "count": 4}, "code": {"text": "Q6H"}})
    assert field("repeat_pattern", "QID&four times a day") == {"code": {"text": "QID four times a day"}}

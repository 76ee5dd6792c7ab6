"""The message's own time."""

from __future__ import annotations

import pytest

from transforms.mapping.moments import comparable, instant, zone_of


@pytest.mark.parametrize(
    ("stamp", "declared", "offset", "zone"),
    [
        ("20240115103000", "", "", ""),
        ("20240115103000+0100", "", "+0100", ""),
        ("20240115103000", "Europe/Vienna", "", "Europe/Vienna"),
        ("20240115103000+0100", "Europe/Vienna", "+0100", "Europe/Vienna"),
        ("20240715103000+0100", "Europe/Vienna", "+0100", ""),  # summer there: they do not agree
        ("garbage+0100", "Europe/Vienna", "+0100", ""),
    ],
)
def test_a_declared_zone_counts_where_it_agrees(stamp: str, declared: str, offset: str, zone: str) -> None:
    """Rule 15: the channel's zone where it agrees with MSH-7's offset at MSH-7's time."""
    assert zone_of(stamp, declared) == (offset, zone)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("20240115103000+0100", "2024-01-15T10:30:00+01:00"),
        ("20240115103000.1234-0500", "2024-01-15T10:30:00.1234-05:00"),
        ("202401151030+0100", ""),  # an instant has seconds
        ("20240115103000", ""),
        ("20241315103000+0100", ""),
    ],
)
def test_an_instant_needs_seconds_and_an_offset(text: str, said: str) -> None:
    """Nothing is filled in."""
    assert instant(text) == said


@pytest.mark.parametrize(
    ("text", "offset", "zone", "said"),
    [
        ("20240115103000", "", "", "2024-01-15T10:30:00.000000Z"),
        ("20240115103000+0100", "", "", "2024-01-15T09:30:00.000000Z"),
        ("20240115103000", "+0100", "", "2024-01-15T09:30:00.000000Z"),
        ("20240715103000", "+0100", "Europe/Vienna", "2024-07-15T08:30:00.000000Z"),
        ("20240115103000.5", "", "", "2024-01-15T10:30:00.500000Z"),
        ("20240115", "", "", "2024-01-15T00:00:00.000000Z"),
        ("2024", "", "", "2024-01-01T00:00:00.000000Z"),
        ("", "", "", ""),
        ("yesterday", "", "", ""),
        ("00010101000000+1400", "", "", ""),
    ],
)
def test_times_of_the_register_compare_as_text(text: str, offset: str, zone: str, said: str) -> None:
    """In UTC, as long as each other."""
    assert comparable(text, offset, zone) == said

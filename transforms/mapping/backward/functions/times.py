"""FHIR times as DTM, TM and DR: digits without marks, the offset behind; what was cut to the date comes back as it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transforms.mapping.backward.registry import Proposal, inverse, said, value_and_beside
from transforms.mapping.backward.writing import Writing, extension_value


def dtm(text: str) -> str:
    """`2024-03-05T12:30:45+01:00` as `20240305123045+0100`."""
    day, mark, clock = text.partition("T")
    clock = clock.replace("Z", "+0000").replace(":", "")
    return day.replace("-", "") + (clock if mark else "")


@inverse("date_time", "instant", "plain_date_time", "date", "birth_date", "instant_or_received")
def moment(value: Any, w: Writing) -> Iterator[Proposal]:
    """A time; the one it was cut from where that stands beside it."""
    text, beside = value_and_beside(value)
    if not isinstance(text, (str, type(None))):
        return
    if exact := extension_value(beside, "originalText"):
        yield said(exact)
    if born := extension_value(beside, "patient-birthTime"):
        yield said(dtm(born))
    if text:
        yield said(dtm(text))


@inverse("date_time_or_text", "period_or_date_time", "period", "period_or_text")
def moment_or_period(value: Any, w: Writing) -> Iterator[Proposal]:
    """A time, or a period as two."""
    if isinstance(value, dict):
        start, end = dtm(value.get("start", "")), dtm(value.get("end", ""))
        yield said(start, end)
        yield said(start, end=(end,))
    else:
        yield from moment(value, w)


@inverse("time", "time_or_text")
def clock(value: Any, w: Writing) -> Iterator[Proposal]:
    """A time of day."""
    text, _ = value_and_beside(value)
    if isinstance(text, str) and ":" in text:
        yield said(text.replace(":", ""))

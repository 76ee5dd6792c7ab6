"""Ends of periods whose two limits stand in fields of their own."""

from __future__ import annotations

from transforms.fhir.order import ENDS, reversed_ends
from transforms.mapping.functions.registry import Beside, function
from transforms.mapping.functions.times import date_time
from transforms.mapping.reading import Reading


@function("end_of_period", gives="dateTime", memo=True, beside=True)
def end_of_period(text: str, r: Reading, start: str = "") -> str | Beside | None:
    """DTM as the end of a period; one before its `start` ends nothing and is left over (R4's per-1)."""
    end = date_time(text, r)
    if not start or end is None:
        return end
    begun = date_time(start, r)
    limits = {"start": begun.value if isinstance(begun, Beside) else begun, "end": end.value if isinstance(end, Beside) else end}
    if reversed_ends(limits, ENDS["Period"]):
        r.note("period_backwards", "the end of the period lies before its start: it is left out")
        return None
    return end

"""When a procedure was done: a time, and how many minutes it took (v2-to-FHIR, PR1[Procedure])."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from transforms.mapping.functions.registry import Beside, function
from transforms.mapping.functions.texts import positive_integer
from transforms.mapping.functions.times import date_time
from transforms.mapping.reading import Reading

_MINUTE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")


@function("performed", gives="*", memo=True, beside=True)
def performed(text: str, r: Reading, minutes: str = "") -> tuple[str, Any] | None:
    """DTM as dateTime; with `minutes`, and a time that is known to the minute, as Period."""
    start = date_time(text, r)
    lasted = positive_integer(minutes, r) if minutes else None
    if start is None:
        return None
    if lasted is None or isinstance(start, Beside) or not _MINUTE.match(start):
        if minutes:
            r.left("minutes")
        return "dateTime", start
    end = datetime.fromisoformat(start.replace("Z", "+00:00")) + timedelta(minutes=lasted)
    said = end.isoformat().replace("+00:00", "Z") if start.endswith("Z") else end.isoformat()
    return "Period", {"start": start, "end": said}

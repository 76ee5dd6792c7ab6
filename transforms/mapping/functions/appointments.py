"""Appointments: when they begin and end, how long they last, who or what takes part (v2-to-FHIR, SCH[Appointment], AIS … AIP).

R4 wants a start and an end of every appointment that is more than proposed (app-3): what nobody says is said to be unknown.
An end that follows from a start and a duration is computed, and only where the start is an instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from transforms.hl7.timestamps import fhir_instant
from transforms.mapping.functions.codes import system_of
from transforms.mapping.functions.composites import components, left, reading
from transforms.mapping.functions.extensions import NOT_KNOWN
from transforms.mapping.functions.identifiers import entity_identifier, identify
from transforms.mapping.functions.numbers import decimal
from transforms.mapping.functions.registry import Beside, function
from transforms.mapping.functions.times import plain_date_time, zone_of
from transforms.mapping.reading import Reading

_SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600, "d": 86400, "day": 86400}
"""Units of durations as senders write them: ISO+, UCUM, words; `m` is HL7's own letter for minutes (TQ.3)."""


def seconds_of(units: str, r: Reading) -> int:
    """How many seconds a unit of time (CNE) has; 0 where it is none."""
    unit = reading(components(units, r, 1)[0], r).lower()
    return _SECONDS.get(unit) or _SECONDS.get(unit.removesuffix("s"), 0)


def _length(duration: str, units: str, r: Reading) -> timedelta | None:
    number, second = decimal(components(duration, r, 1)[0]), seconds_of(units, r)
    if number is None or not second or not 0 <= number * second <= 10**9:
        return None
    return timedelta(seconds=float(number * second))


@function("minutes", gives="positiveInt", memo=True)
def minutes(text: str, r: Reading, units: str = "") -> int | None:
    """A duration (NM) in whole minutes; without a unit, or where it is no whole number of minutes, nothing."""
    length = _length(text, units, r)
    if length is None or not length or length % timedelta(minutes=1):
        return None
    left(components(text, r, 2), r, 2)
    return length // timedelta(minutes=1)


@function("instant_after", gives="instant", memo=True)
def instant_after(text: str, r: Reading, duration: str = "", units: str = "") -> str | None:
    """The instant a `duration` after a time (TS, DTM): when something ends."""
    start = fhir_instant(components(text, r, 1)[0], zone_of(r)).text
    length = _length(duration, units, r)
    if start is None or length is None:
        return None
    try:
        return (datetime.fromisoformat(start) + length).isoformat()
    except (ValueError, OverflowError):
        return None


@function("time_after", gives="dateTime", memo=True)
def time_after(text: str, r: Reading, duration: str = "", units: str = "") -> str | None:
    """The same as dateTime."""
    return instant_after(text, r, duration, units)


@function("time_at_offset", gives="dateTime", memo=True)
def time_at_offset(text: str, r: Reading, base: str = "", units: str = "") -> str | None:
    """An offset (NM) from the `base` time of the appointment as dateTime: when a resource is needed."""
    return instant_after(base, r, text, units) if base else None


@function("service_period", gives="Period", memo=True)
def service_period(text: str, r: Reading, duration: str = "", units: str = "") -> dict[str, str] | None:
    """When a service is due: a time (TS, DTM), and the `duration` after it."""
    start = plain_date_time(text, r)
    end = instant_after(text, r, duration, units) if duration else None
    if duration and not end:
        r.left("duration")
    return {name: said for name, said in (("start", start), ("end", end)) if said} or None


@function("service_period_at_offset", gives="Period", memo=True)
def service_period_at_offset(text: str, r: Reading, base: str = "", units: str = "") -> dict[str, str] | None:
    """The same with an offset (NM) from the `base` time."""
    start = time_at_offset(text, r, base, units)
    return {"start": start} if start else None


@function("unsaid_instant", gives="instant", memo=True, beside=True)
def unsaid_instant(text: str, r: Reading) -> Beside:
    """An instant nobody says, said to be unknown; what the rule reads only says that there is a message."""
    return Beside(None, NOT_KNOWN)


@function("status_code", gives="code", memo=True)
def status_code(text: str, r: Reading, codes: Mapping[str | None, Any]) -> str | None:
    """A code of a table whose codes are words (0278), in whatever case it is sent."""
    said = reading(components(text, r, 1)[0], r)
    entry = codes.get(said) or codes.get(said.capitalize())
    return entry.code if entry is not None else None


@function("resource_reference", gives="Reference", memo=True)
def resource_reference(text: str, r: Reading) -> dict[str, Any] | None:
    """AIG-3 (CWE), a room, an apparatus or whatever is booked, as a Reference by identifier and name: of which type it is nobody says."""
    parts = components(text, r, 9)
    code, name, scheme = (reading(part, r) for part in (parts[0], parts[8] or parts[1], parts[2]))
    made: dict[str, Any] = {}
    if code:
        made["identifier"] = identify(code, system_of(scheme, "", r))
    if name:
        made["display"] = name
    left(parts, r, 2 if parts[8] else 0, 3 if scheme and "system" not in made.get("identifier", {}) else 0, 4, 5, 6, 7, 8)
    return made or None


@function("appointment_reference", gives="Reference", memo=True)
def appointment_reference(text: str, r: Reading) -> dict[str, Any] | None:
    """EI of another appointment as a Reference by identifier: it lies elsewhere."""
    number = entity_identifier(text, r)
    return {"type": "Appointment", "identifier": number} if number else None


@function("request_reference", gives="Reference", memo=True)
def request_reference(text: str, r: Reading, type: str = "") -> dict[str, Any] | None:
    """EI of an order as a Reference by identifier: it lies elsewhere."""
    number = entity_identifier(text, r, type)
    return {"type": "ServiceRequest", "identifier": number} if number else None


@function("document_reference", gives="Reference", memo=True)
def document_reference(text: str, r: Reading) -> dict[str, Any] | None:
    """EI of another document as a Reference by identifier: it lies elsewhere."""
    number = entity_identifier(text, r)
    return {"type": "DocumentReference", "identifier": number} if number else None

"""When a service or a dose is due: TQ1's fields together, RPT and the older TQ as Timing (v2-to-FHIR, RPT[Timing], TQ1[ServiceRequest]).

A pattern is a code and, where table 0335 says what it means, a number of times in a period.  A duration stands only beside a unit FHIR
has for one; a bound is what was sent, never an end counted from a start.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from transforms.mapping.functions.codes import Codes, system_of
from transforms.mapping.functions.composites import (
    apart,
    components,
    left,
    left_beyond,
    reading,
    subcomponents,
)
from transforms.mapping.functions.numbers import decimal
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.texts import positive_integer
from transforms.mapping.functions.times import plain_date_time
from transforms.mapping.functions.times import time as time_of_day
from transforms.mapping.reading import Reading
from transforms.terminology.code_systems import UCUM

PATTERNS = "http://terminology.hl7.org/CodeSystem/v2-0335"
_UNITS = {"s": "s", "sec": "s", "min": "min", "h": "h", "hr": "h", "d": "d", "wk": "wk", "mo": "mo", "a": "a", "yr": "a"}
_NAMES = {"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}
_MINUTES = {"min": 1, "h": 60, "d": 1440, "wk": 10080}
_EVERY = re.compile(r"Q([1-9][0-9]{0,3})([SMHDWL])")
_EVERY_UNIT = {"S": "s", "M": "min", "H": "h", "D": "d", "W": "wk", "L": "mo"}
_DAILY = re.compile(r"([5-9]|[1-9][0-9])ID")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHENS = frozenset(("HS", "WAKE", "C", "CM", "CD", "CV", "AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV"))
_SPELLED = re.compile(r"([SMHDWL])([1-9][0-9]{0,5})")


@function("timing", gives="Timing", memo=True)
def timing(
    text: str, r: Reading, codes: Codes | None = None, start: str = "", end: str = "", time: str = "", offset: str = "",
    duration: str = "", length: str = "", count: str = "",
) -> dict[str, Any] | None:  # fmt: skip
    """RPT (TQ1-3) as Timing, with what stands beside it: start and end, time of day, offset, bounds, length of one, how often in all."""
    made, repeat = _pattern(text, r, codes)
    _add_rest(repeat, r, start, end, time, offset, duration, length, count)
    return {**({"repeat": repeat} if repeat else {}), **made} or None


@function("timing_from", gives="*", memo=True)
def timing_from(
    text: str, r: Reading, end: str = "", time: str = "", duration: str = "", length: str = "", count: str = ""
) -> tuple[str, Any] | None:
    """TQ1-7 where no pattern is given: a Period of start and end; as Timing where more is said."""
    repeat: dict[str, Any] = {}
    _add_rest(repeat, r, text, end, time, "", duration, length, count, own="start")
    return _plainest(repeat)


@function("timing_until", gives="*", memo=True)
def timing_until(text: str, r: Reading, time: str = "", duration: str = "", length: str = "", count: str = "") -> tuple[str, Any] | None:
    """TQ1-8 alone: a Period without a start; as Timing where more is said."""
    repeat: dict[str, Any] = {}
    _add_rest(repeat, r, "", text, time, "", duration, length, count, own="end")
    return _plainest(repeat)


@function("timing_at", gives="Timing", memo=True)
def timing_at(text: str, r: Reading, duration: str = "", length: str = "", count: str = "") -> dict[str, Any] | None:
    """TQ1-4 alone, a time of day, as Timing."""
    repeat: dict[str, Any] = {}
    _add_rest(repeat, r, "", "", text, "", duration, length, count, own="time")
    return {"repeat": repeat} if repeat else None


@function("timing_for", gives="Timing", memo=True)
def timing_for(text: str, r: Reading, length: str = "", count: str = "") -> dict[str, Any] | None:
    """TQ1-6 alone, how long, as Timing bounded by a Duration."""
    repeat: dict[str, Any] = {}
    _add_rest(repeat, r, "", "", "", "", text, length, count, own="duration")
    return {"repeat": repeat} if repeat else None


@function("timing_count", gives="Timing", memo=True)
def timing_count(text: str, r: Reading, length: str = "") -> dict[str, Any] | None:
    """TQ1-14 alone, how often in all, as Timing."""
    times = positive_integer(text, r)
    repeat: dict[str, Any] = {"count": times} if times else {}
    _add_length(repeat, length, r)
    return {"repeat": repeat} if repeat else None


@function("timing_within", gives="Timing", memo=True)
def timing_within(
    text: str, r: Reading, codes: Codes | None = None, start: str = "", end: str = "", duration: str = "", count: str = ""
) -> dict[str, Any] | None:
    """TQ.2 (RI), a pattern and a time of day as subcomponents, as Timing with the start and end beside it."""
    pattern, _, explicit = text.partition(r.subcomponent)
    made, repeat = _pattern(pattern, r, codes) if pattern else ({}, {})
    spelled = _spelled_duration(duration)
    if duration and spelled is None:
        r.left("duration")
    for each in explicit.split(","):
        if each and (said := time_of_day(each.replace(":", ""), r)):
            repeat["timeOfDay"] = [*repeat.get("timeOfDay", ()), said]
        elif each:
            r.left(1)
    _add_rest(repeat, r, start, end, "", "", "", "", count)
    if spelled and not ({"boundsPeriod"} & repeat.keys()):
        repeat["boundsDuration"] = spelled
    elif spelled:
        r.left("duration")
    return {**({"repeat": repeat} if repeat else {}), **made} or None


@function("timing_bounds", gives="Timing", memo=True)
def timing_bounds(text: str, r: Reading, end: str = "") -> dict[str, Any] | None:
    """A start and an end as Timing."""
    repeat: dict[str, Any] = {}
    _add_rest(repeat, r, text, end, "", "", "", "", "", own="start")
    return {"repeat": repeat} if repeat else None


@function("circumstances", gives="CodeableConcept", memo=True)
def circumstances(text: str, r: Reading) -> dict[str, str] | None:
    """TQ1-10, when a thing is to be done if it is, as CodeableConcept of words."""
    said = r.text(text).strip()
    return {"text": said} if said else None


@function("duration", gives="Duration", memo=True)
def duration(text: str, r: Reading) -> dict[str, Any] | None:
    """CQ as Duration, where its unit is one of time."""
    return _duration(text, r)


@function("days", gives="Duration", memo=True)
def days(text: str, r: Reading) -> dict[str, Any] | None:
    """NM, a number of days, as Duration."""
    number = decimal(text.strip())
    return None if number is None else _in_unit(number, "d")


def _pattern(text: str, r: Reading, codes: Codes | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What RPT says: the Timing's code, and what goes into `repeat`."""
    parts = components(text, r, 11)
    said = subcomponents(parts[0], r, 3)
    made: dict[str, Any] = {}
    repeat: dict[str, Any] = {}
    if said[0] or said[1]:
        made["code"] = _named(said, r, codes)
    if every := _EVERY.fullmatch(said[0]):
        repeat |= {"frequency": 1, "period": Decimal(every[1]), "periodUnit": _EVERY_UNIT[every[2]]}
    elif daily := _DAILY.fullmatch(said[0]):
        repeat |= {"frequency": int(daily[1]), "period": Decimal(1), "periodUnit": "d"}
    if any(parts[1:]):
        _add_alignment(repeat, parts, r)
    left_beyond(parts, r, 11)
    return made, repeat


def _named(said: list[str], r: Reading, codes: Codes | None) -> dict[str, Any]:
    """RPT.1 as CodeableConcept: what the table makes of it, else the sender's own."""
    code, text, scheme = said[:3]
    entry = codes.get(code) if codes and code else None
    if entry is not None and entry.system:
        coding = {"system": entry.system, "code": entry.code, **({"display": entry.display} if entry.display else {})}
        return {"coding": [coding], **({"text": text} if text else {})}
    system = system_of(scheme, "", r) if scheme else PATTERNS if _EVERY.fullmatch(code) or _DAILY.fullmatch(code) else ""
    if not system:
        if scheme:
            r.left(1)
        return {"text": text or code}
    return {"coding": [{"system": system, "code": code, **({"display": text} if text else {})}]}


def _add_alignment(repeat: dict[str, Any], parts: list[str], r: Reading) -> None:
    """RPT.2 to RPT.11: days of the week, a period, an event and how long after it."""
    calendar, first, last, number, unit, _, event, after, after_unit = (reading(part, r) for part in parts[1:10])
    weekdays = _weekdays(first, last) if calendar == "DW" else []
    if weekdays:
        repeat["dayOfWeek"] = weekdays
    else:
        left(parts, r, 2, 3, 4)
    code = _UNITS.get(unit.partition(r.subcomponent)[0].lower())
    if (size := decimal(number)) is not None and code and "period" not in repeat:
        repeat |= {"frequency": 1, "period": size, "periodUnit": code}
    else:
        left(parts, r, 5, 6)
    if event in _WHENS:
        repeat["when"] = [event]
        minutes = _minutes(after, after_unit.partition(r.subcomponent)[0].lower())
        if minutes is not None and not event.startswith("C"):
            repeat["offset"] = minutes
        else:
            left(parts, r, 9, 10)
    else:
        left(parts, r, 8, 9, 10)
    left(parts, r, 7, 11)


def _weekdays(first: str, last: str) -> list[str]:
    """The days from one to another; the week begins with Monday, 1."""
    start, end = (int(day) if day in ("1", "2", "3", "4", "5", "6", "7") else 0 for day in (first, last or first))
    if not (start and end):
        return []
    return [_DAYS[(start - 1 + step) % 7] for step in range((end - start) % 7 + 1)]


def _minutes(number: str, unit: str) -> int | None:
    size, factor = decimal(number), _MINUTES.get(_UNITS.get(unit, "min" if not unit else ""))
    if size is None or factor is None or size < 0 or size * factor != int(size * factor):
        return None
    return int(size * factor)


def _add_rest(
    repeat: dict[str, Any], r: Reading, start: str, end: str, time: str, offset: str, duration: str, length: str, count: str, own: str = ""
) -> None:
    """What other fields say beside the pattern.  `own`: which of them is the one being read."""
    limits = {name: said for name, raw in (("start", start), ("end", end)) if raw and (said := plain_date_time(raw, r))}
    for name, raw in (("start", start), ("end", end)):
        if raw and name not in limits and own != name:
            r.left(name)
    if len(limits) == 2 and _backwards(limits):
        r.note("period_backwards", "the end lies before the start: it is left out")
        if own != "end":
            r.left("end")
        del limits["end"]
    if limits:
        repeat["boundsPeriod"] = limits
    if duration:
        bounded = apart("duration", lambda: _duration(duration, r), r) if own != "duration" else _duration(duration, r)
        if bounded and not limits:
            repeat["boundsDuration"] = bounded
        elif own != "duration":
            r.left("duration")
    if time:
        said = time_of_day(time, r)
        if said and "when" not in repeat:
            repeat["timeOfDay"] = [said]
        elif own != "time":
            r.left("time")
    if offset:
        _add_offset(repeat, offset, r)
    _add_length(repeat, length, r)
    if count:
        times = positive_integer(count, r)
        if times:
            repeat["count"] = times
        else:
            r.left("count")


def _backwards(limits: dict[str, str]) -> bool:
    """Whether an end lies before its start, as far as both are known."""
    start, end = limits["start"], limits["end"]
    if "T" in start and "T" in end:
        return datetime.fromisoformat(end) < datetime.fromisoformat(start)
    shorter = min(len(start), len(end), 10)
    return end[:shorter] < start[:shorter]


def _add_offset(repeat: dict[str, Any], offset: str, r: Reading) -> None:
    """TQ1-5 counts from an event: without one FHIR has no place for it."""
    number, unit = components(offset, r, 2)[:2]
    minutes = _minutes(reading(number, r), unit.partition(r.subcomponent)[0].lower())
    if minutes is not None and "offset" not in repeat and repeat.get("when") and not repeat["when"][0].startswith("C"):
        repeat["offset"] = minutes
    else:
        r.left("offset")


def _add_length(repeat: dict[str, Any], length: str, r: Reading) -> None:
    if not length:
        return
    one = apart("length", lambda: _duration(length, r), r)
    if one:
        repeat |= {"duration": one["value"], "durationUnit": one["code"]}
    else:
        r.left("length")


def _plainest(repeat: dict[str, Any]) -> tuple[str, Any] | None:
    """A Period where nothing but its limits is said."""
    if not repeat:
        return None
    return ("Period", repeat["boundsPeriod"]) if set(repeat) == {"boundsPeriod"} else ("Timing", {"repeat": repeat})


def _duration(text: str, r: Reading) -> dict[str, Any] | None:
    parts = components(text, r, 2)
    number = decimal(reading(parts[0], r))
    unit = subcomponents(parts[1], r, 2)
    code = _UNITS.get(unit[0].lower()) or _UNITS.get(unit[1].lower())
    if number is None or code is None:
        return None
    return _in_unit(number, code)


def _in_unit(number: Decimal, code: str) -> dict[str, Any]:
    return {"value": number, "unit": _NAMES[code], "system": UCUM, "code": code}


def _spelled_duration(text: str) -> dict[str, Any] | None:
    """TQ.3: `D10` is ten days."""
    match = _SPELLED.fullmatch(text.strip())
    return _in_unit(Decimal(match[2]), _EVERY_UNIT[match[1]]) if match else None

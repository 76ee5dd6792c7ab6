"""Times: DT, TM, TS, DTM, DR as date, dateTime, instant, time, Period and Timing (v2-to-FHIR, DTM[dateTime], DR[Period]).

What a time says is transforms.hl7.timestamps' business, zones included.  Here a time that cannot be said whole is cut to its
date, and the original stands beside it (HL7's extension originalText).
"""

from __future__ import annotations

import re
from typing import Any

from transforms.fhir.order import ENDS, reversed_ends
from transforms.hl7.timestamps import AMBIGUOUS, COARSE, NONEXISTENT, UNZONED, Converted
from transforms.hl7.timestamps import fhir_date, fhir_datetime, fhir_instant, fhir_time, parse_dtm
from transforms.mapping.functions.composites import NULL, components, left_beyond, reading
from transforms.mapping.functions.extensions import extension
from transforms.mapping.functions.registry import Beside, function
from transforms.mapping.functions.texts import joined_text, positive_integer
from transforms.mapping.functions.texts import text as as_text
from transforms.mapping.reading import Reading

_SENTENCES = {
    AMBIGUOUS: "the clock was put back in this hour: taken as the first of the two",
    NONEXISTENT: "the clock was put forward over this hour: taken by the clock before",
    COARSE: "the time is too coarse for this element: FHIR wants minutes with an hour, and a day with an instant",
}
_HOUR = 4
_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})")


def zone_of(r: Reading) -> str:
    """The zone of times without an offset: the channel's where it agrees with MSH-7, else MSH-7's own offset, else ''."""
    if r.zone:
        return r.zone
    match = _OFFSET.fullmatch(r.offset)
    return f"{match[1]}:{match[2]}" if match else r.offset


def _stamp(text: str, r: Reading) -> str:
    """The time in a text: TS with its degree of precision, or the first component of DR."""
    first, separator, rest = text.partition(r.component)
    if not separator:
        return text
    degree = rest.partition(r.component)[0]
    return f"{first}^{degree}" if len(degree) == 1 else first


@function("date", gives="date", memo=True)
def date(text: str, r: Reading) -> str | None:
    """DT, TS or DTM as date, as exact as it is known; a time of day is left out."""
    return fhir_date(_stamp(text, r)).text


@function("birth_date", gives="date", memo=True, beside=True)
def birth_date(text: str, r: Reading) -> str | Beside | None:
    """PID-7 as date; beside it the time of birth (R4's patient-birthTime), or the original where its zone is not known."""
    stamp = _stamp(text, r)
    said = fhir_date(stamp).text
    parsed = parse_dtm(stamp)
    if said is None or parsed is None or parsed.precision < _HOUR:
        return said
    born = fhir_instant(stamp, zone_of(r)).text
    return Beside(said, {"extension": [extension("patient-birthTime", "DateTime", born)]} if born else _original(text, r))


@function("date_time", gives="dateTime", memo=True, beside=True)
def date_time(text: str, r: Reading) -> str | Beside | None:
    """TS or DTM as dateTime with its precision and zone; where it has to be cut to the date, the original beside it."""
    converted = fhir_datetime(_stamp(text, r), zone_of(r))
    said = _flagged(converted, r)
    return Beside(said, _original(text, r)) if converted.flag in (UNZONED, COARSE) else said


@function("plain_date_time", gives="dateTime", memo=True)
def plain_date_time(text: str, r: Reading) -> str | None:
    """TS or DTM as dateTime, for places that have no room beside it: in periods and extensions."""
    return _flagged(fhir_datetime(_stamp(text, r), zone_of(r)), r)


@function("instant", gives="instant", memo=True, beside=True)
def instant(text: str, r: Reading) -> str | Beside | None:
    """TS or DTM as instant; where it has no zone or no minutes no instant, and the original beside it."""
    stamp = _stamp(text, r)
    converted = fhir_instant(stamp, zone_of(r))
    said = _flagged(converted, r)
    return Beside(None, _original(text, r)) if said is None and parse_dtm(stamp) is not None else said


def _flagged(converted: Converted, r: Reading) -> str | None:
    """A converted time, with a note where something was decided.  That no zone is known is said once a message, not here."""
    if sentence := _SENTENCES.get(converted.flag):
        r.note(converted.flag, sentence)
    return converted.text


def _original(text: str, r: Reading) -> dict[str, Any]:
    """What stands beside a time that FHIR could not be told whole: the time as it was sent."""
    return {"extension": [extension("originalText", "String", r.text(text).strip())]}


@function("instant_or_received", gives="instant")
def instant_or_received(text: str, r: Reading) -> str:
    """TS or DTM as instant; where it is none, when the message was received."""
    converted = fhir_instant(_stamp(text, r), zone_of(r))
    return converted.text or r.context.received.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@function("time", gives="time", memo=True)
def time(text: str, r: Reading) -> str | None:
    """TM as time: minutes must be there, seconds may be filled with zeros."""
    converted = fhir_time(components(text, r, 1)[0])
    return None if converted.flag else converted.text


# values of OBX-5


@function("date_time_or_text", gives="*", memo=True, beside=True)
def date_time_or_text(text: str, r: Reading) -> tuple[str, Any] | None:
    """DT, TS or DTM as dateTime; what is no time as text and flagged."""
    said = date_time(text, r)
    return ("dateTime", said) if said else _no_time(text, r)


@function("time_or_text", gives="*", memo=True)
def time_or_text(text: str, r: Reading) -> tuple[str, Any] | None:
    """TM as time; one without minutes, or with an offset a time cannot have, as text and flagged."""
    said = time(text, r)
    return ("time", said) if said else _no_time(text, r)


@function("period_or_text", gives="*", memo=True)
def period_or_text(text: str, r: Reading) -> tuple[str, Any] | None:
    """DR as Period; what is none as text and flagged."""
    made = period(text, r)
    return ("Period", made) if made else _no_time(text, r)


def _no_time(text: str, r: Reading) -> tuple[str, Any] | None:
    r.note("not_a_time", "a time is due here and the text is none FHIR can say: kept as text")
    said = joined_text(text, r)
    return ("string", said) if said else None


# periods and timings


@function("period", gives="Period", memo=True)
def period(text: str, r: Reading, end: str = "") -> dict[str, str] | None:
    """DR as Period; or a time and the `end` in another field."""
    parts = components(text, r, 2)
    limits = {"start": parts[0], "end": end or parts[1]}
    made = {name: said for name, raw in limits.items() if raw and (said := plain_date_time(raw, r))}
    if end and "end" not in made:
        r.left("end")
    left_beyond(parts, r, 2)
    return _forwards(made, "end" if end else 2, r) or None


def period_until(end: str, r: Reading) -> dict[str, str] | None:
    """A period of which only the end is known."""
    said = plain_date_time(end, r) if end else None
    return {"end": said} if said else None


def _forwards(made: dict[str, str], place: int | str, r: Reading) -> dict[str, str]:
    """A period whose end lies before its start has none (R4's per-1): `place` is where the end stood."""
    if len(made) < 2 or not reversed_ends(made, ENDS["Period"]):
        return made
    r.note("period_backwards", "the end of the period lies before its start: it is left out")
    r.left(place)
    return {"start": made["start"]}


@function("period_or_date_time", gives="*", memo=True, beside=True)
def period_or_date_time(text: str, r: Reading) -> tuple[str, Any] | None:
    """DR as Period; without an end as dateTime."""
    parts = components(text, r, 2)
    if parts[1] and parse_dtm(reading(parts[1], r)) and parts[1] != parts[0]:
        made = period(text, r)
        return ("Period", made) if made else None
    said = date_time(parts[0], r) if parts[0] else None
    return ("dateTime", said) if said else None


def period_of(limits: str, start: str, end: str, r: Reading, places: tuple[int, int]) -> dict[str, str] | None:
    """The validity of a name, address or number: two times, else a DR as newer and older versions have it.

    `places` are the components that the DR and the end are.
    """
    if not (limits or start or end):
        return None
    parts = components(limits, r, 2) if limits else ["", ""]
    limit, until = places
    stated = (("start", start or parts[0], until - 1 if start else limit), ("end", end or parts[1], until if end else limit))
    made = {}
    for name, raw, place in stated:
        if raw and raw != NULL:
            if said := plain_date_time(raw.replace(r.subcomponent, r.component), r):
                made[name] = said
            else:
                r.left(place)
    if limits and start and end:
        r.left(limit)
    return _forwards(made, places[1] if end else places[0], r) or None


@function("bounds", gives="*", memo=True)
def bounds(text: str, r: Reading, end: str = "", pattern: str = "", count: str = "") -> tuple[str, Any] | None:
    """TQ1-7 and TQ1-8 as Period; with a pattern or a count as Timing within it."""
    made = period(text, r, end)
    if made is None:
        return None
    return _timing(made, pattern, count, r) if pattern or count else ("Period", made)


@function("bounds_to", gives="*", memo=True)
def bounds_to(text: str, r: Reading, pattern: str = "", count: str = "") -> tuple[str, Any] | None:
    """TQ1-8 alone as Period without a start."""
    end = plain_date_time(text, r)
    if end is None:
        return None
    return _timing({"end": end}, pattern, count, r) if pattern or count else ("Period", {"end": end})


@function("repeat_pattern", gives="Timing", memo=True)
def repeat_pattern(text: str, r: Reading, count: str = "") -> dict[str, Any] | None:
    """RPT as Timing that says the pattern's code as text, and how often in all."""
    made = _timing({}, text, count, r)[1]
    return made or None


def _timing(limits: dict[str, str], pattern: str, count: str, r: Reading) -> tuple[str, dict[str, Any]]:
    repeat: dict[str, Any] = {"boundsPeriod": limits} if limits else {}
    if count and (times := positive_integer(count, r)):
        repeat["count"] = times
    made: dict[str, Any] = {"repeat": repeat} if repeat else {}
    if pattern and (said := joined_text(pattern, r)):
        made["code"] = {"text": said}
    return "Timing", made

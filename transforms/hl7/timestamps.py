"""HL7 times (DTM, TS, DT, TM: HL7 v2.5.1, 2.A) with their precision, fraction and zone, and what FHIR makes of them.

Nothing is invented: a time keeps its precision, and one whose zone nobody said becomes a date, flagged.  FHIR wants minutes,
seconds and a zone with every hour: seconds may be filled with zeros, minutes never.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

_FORM = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<month>[0-9]{2})(?:(?P<day>[0-9]{2})"
    r"(?:(?P<hour>[0-9]{2})(?:(?P<minute>[0-9]{2})(?:(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?)?)?)?)?"
    r"(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_TIME = re.compile(r"([0-9]{2})([0-9]{2})?([0-9]{2})?(?:\.([0-9]{1,9}))?(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?")
_DEGREES = {"Y": 1, "L": 2, "D": 3, "H": 4, "M": 5, "S": 6}  # TS.2, until 2.5
_HOUR, _MINUTE, _SECOND = 4, 5, 6
UNZONED, AMBIGUOUS, NONEXISTENT, COARSE = "zone_unknown", "hour_ambiguous", "hour_nonexistent", "minutes_unknown"


class Timestamp(NamedTuple):
    """A time as it was written.  Parts that were not are 0; `precision` counts those that were: 1 year … 6 second."""

    year: int
    month: int = 0
    day: int = 0
    hour: int = 0
    minute: int = 0
    second: int = 0
    fraction: str = ""  # digits after the point, as written
    offset: str = ""  # `+01:00`, or empty
    precision: int = 1

    @property
    def date(self) -> str:
        """The date, as exact as it is known, as FHIR writes it."""
        return "-".join((f"{self.year:04}", f"{self.month:02}", f"{self.day:02}")[: min(self.precision, 3)])


class Converted(NamedTuple):
    """A FHIR value and, if it is not all that was said or was decided upon, why (a Note's code); None: no value."""

    text: str | None
    flag: str = ""


def parse_dtm(text: str) -> Timestamp | None:
    """The time that `text` says (a TS's second component, its degree of precision, is heeded); None if it says none."""
    text, _, degree = text.partition("^")
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return None
    parts = [int(part) for part in match.group("year", "month", "day", "hour", "minute", "second") if part is not None]
    precision = min(len(parts), _DEGREES.get(degree[:1], _SECOND))
    offset = _offset(match["offset"])
    if offset is None or not _possible(parts):
        return None
    parts = parts[:precision] + [0] * (6 - precision)
    fraction = (match["fraction"] or "") if precision == _SECOND else ""
    return Timestamp(*parts, fraction=fraction, offset=offset if precision >= _HOUR else "", precision=precision)


def zone_of(timezone_name: str, msh7: str) -> str:
    """The zone of a message's times that have no offset of their own: an IANA name, an offset such as `+01:00`, or empty.

    It is the channel's `timezone_name` unless MSH-7 contradicts it: MSH-7's own offset is the message's default
    (HL7 v2.5.1, 2.15.9.7), but the channel's zone also knows summer from winter, so it goes first where they agree.
    """
    stamp = parse_dtm(msh7) if msh7 else None
    if not timezone_name or stamp is None or not stamp.offset:
        return timezone_name or (stamp.offset if stamp else "")
    expected, flag = _offset_at(timezone_name, stamp)
    if expected == stamp.offset or (flag and stamp.offset in _offsets_at(timezone_name, stamp)):
        return timezone_name
    return stamp.offset


@lru_cache(maxsize=8192)
def fhir_date(text: str) -> Converted:
    """A FHIR date, no more exact than what was said."""
    stamp = parse_dtm(text)
    return Converted(None) if stamp is None else Converted(stamp.date)


@lru_cache(maxsize=8192)
def fhir_datetime(text: str, zone: str = "") -> Converted:
    """A FHIR dateTime; `zone` (see `zone_of`) is that of times without an offset.  Where the hour cannot be said, the date, flagged."""
    stamp = parse_dtm(text)
    if stamp is None:
        return Converted(None)
    if stamp.precision < _HOUR:
        return Converted(stamp.date)
    if stamp.precision < _MINUTE:
        return Converted(stamp.date, COARSE)
    offset, flag = (stamp.offset, "") if stamp.offset else _offset_at(zone, stamp)
    if not offset:
        return Converted(stamp.date, UNZONED)
    return Converted(f"{stamp.date}T{_clock(stamp)}{offset}", flag)


@lru_cache(maxsize=8192)
def fhir_instant(text: str, zone: str = "") -> Converted:
    """A FHIR instant: needs a day, a minute and a zone, else None and the reason."""
    converted = fhir_datetime(text, zone)
    if converted.text is not None and "T" not in converted.text:
        return Converted(None, converted.flag or COARSE)
    return converted


def fhir_time(text: str) -> Converted:
    """A FHIR time of a TM: it has no zone, so an offset is flagged, and minutes must be there."""
    match = _TIME.fullmatch(text.strip())
    if match is None or match[2] is None or (match[4] and match[3] is None) or _offset(match["offset"]) is None:
        return Converted(None)
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if hour > 23 or minute > 59 or second > 60:
        return Converted(None)
    fraction = f".{match[4]}" if match[4] else ""
    return Converted(f"{hour:02}:{minute:02}:{second:02}{fraction}", UNZONED if match["offset"] else "")


@lru_cache(maxsize=8192)
def sortable(text: str, zone: str = "") -> str:
    """The time as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, comparable as text; empty if there is none.

    Without any zone it is taken as UTC and missing parts as the earliest: good to compare one sender's times, not to show them.
    """
    stamp = parse_dtm(text)
    if stamp is None:
        return ""
    offset = stamp.offset or _offset_at(zone, stamp)[0] or "+00:00"
    micro = int(stamp.fraction[:6].ljust(6, "0") or 0)
    local = datetime(stamp.year, stamp.month or 1, stamp.day or 1, stamp.hour, stamp.minute, min(stamp.second, 59), micro)
    try:
        return (local - _delta(offset)).isoformat(timespec="microseconds") + "Z"
    except OverflowError:
        return ""


def write_dtm(when: datetime) -> str:
    """A DTM to the second, with its offset if `when` has one."""
    text = f"{when.year:04}{when.month:02}{when.day:02}{when.hour:02}{when.minute:02}{when.second:02}"
    if when.tzinfo is None:
        return text
    if when.tzinfo is timezone.utc:
        return text + "+0000"
    return text + when.strftime("%z")[:5]


def _offset(text: str | None) -> str | None:
    """`+0100` as FHIR writes it; empty if there is none; None if no place on earth has it."""
    if not text or text == "Z":
        return "+00:00" if text else ""
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if minutes > 59 or hours > 14 or (hours == 14 and minutes):
        return None
    return "+00:00" if not hours and not minutes else f"{text[0]}{digits[:2]}:{digits[2:]}"


def _possible(parts: list[int]) -> bool:
    year, month, day, hour, minute, second = parts + [1, 1, 0, 0, 0][len(parts) - 1 :]
    if hour > 23 or minute > 59 or second > 60:
        return False
    try:
        datetime(year, month, day)
    except ValueError:
        return False
    return True


def _clock(stamp: Timestamp) -> str:
    fraction = f".{stamp.fraction}" if stamp.fraction else ""
    return f"{stamp.hour:02}:{stamp.minute:02}:{stamp.second:02}{fraction}"


def _offset_at(zone: str, stamp: Timestamp) -> tuple[str, str]:
    """The offset of `zone` at a local time, and the flag if the clock was put forward or back just then.

    An hour that came twice is taken as the first, one that never came by the clock before it was put forward.
    """
    if not zone or zone[0] in "+-":
        return zone, ""
    first, second = _offsets_at(zone, stamp)
    if first == second:
        return first, ""
    back = _delta(first) > _delta(second)
    return first, AMBIGUOUS if back else NONEXISTENT


def _offsets_at(zone: str, stamp: Timestamp) -> tuple[str, str]:
    """The offsets before and after a change of the clock, equal if there is none."""
    place = ZoneInfo(zone)
    local = datetime(stamp.year, stamp.month or 1, stamp.day or 1, stamp.hour, stamp.minute, min(stamp.second, 59), tzinfo=place)
    return _said(local.utcoffset()), _said(local.replace(fold=1).utcoffset())


def _said(offset: timedelta | None) -> str:
    """An offset as FHIR writes it; empty for local mean times, which have seconds."""
    seconds = 0 if offset is None else int(offset.total_seconds())
    if seconds % 60:
        return ""
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}"


def _delta(offset: str) -> timedelta:
    if not offset:
        return timedelta()
    minutes = int(offset[1:3]) * 60 + int(offset[4:6])
    return timedelta(minutes=-minutes if offset[0] == "-" else minutes)

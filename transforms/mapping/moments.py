"""The message's own time: its zone (rule 15), the bundle's timestamp, and times that compare as text (rule 3)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

_OFFSET = r"[+-](?:(?:0\d|1[0-3])[0-5]\d|1400)"  # as far as clocks on earth go, and FHIR's dateTime
_IS_OFFSET = re.compile(_OFFSET, re.ASCII)
_DTM = re.compile(rf"(\d{{4}})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\.\d+)?({_OFFSET})?", re.ASCII)
_FIRST = ("0001", "01", "01", "00", "00", "00")


def zone_of(stamp: str, declared: str) -> tuple[str, str]:
    """MSH-7's own offset (`+0100` or ''), and the channel's zone where it agrees with that at MSH-7's time, else ''."""
    offset = stamp[-5:] if _IS_OFFSET.fullmatch(stamp, max(0, len(stamp) - 5)) else ""
    if not declared or not offset:
        return offset, declared
    return offset, declared if _agrees(stamp, offset, declared) else ""


@lru_cache(maxsize=1024)
def _agrees(stamp: str, offset: str, declared: str) -> bool:
    moment = _moment(stamp)
    return moment is not None and moment.astimezone(ZoneInfo(declared)).utcoffset() == _offset(offset)


def _offset(text: str) -> timedelta:
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timedelta(minutes=-minutes if text[0] == "-" else minutes)


def _moment(text: str) -> datetime | None:
    """A DTM as a moment; without an offset as if it were UTC.  None where it is no time."""
    match = _DTM.fullmatch(text)
    if match is None:
        return None
    parts = [int(each or least) for each, least in zip(match.groups(), _FIRST)]
    micro = int((match[7] or ".0")[1:7].ljust(6, "0"))
    try:
        return datetime(*parts, micro, tzinfo=timezone(_offset(match[8])) if match[8] else timezone.utc)
    except (ValueError, OverflowError):
        return None


def instant(text: str) -> str:
    """A DTM with seconds and an offset of its own as a FHIR instant, else ''."""
    if len(text) < 19 or text[-5] not in "+-":
        return ""
    match = _DTM.fullmatch(text)
    if match is None or match[6] is None or _moment(text) is None:
        return ""
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{fraction or ''}{offset[:3]}:{offset[3:]}"


def comparable(text: str, offset: str, zone: str) -> str:
    """A DTM as UTC text that compares: its own offset, else the zone, else the message's offset, else as it stands.  '' for none."""
    text = text.strip()
    if not offset and not zone and len(text) == 14 and text.isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:]}.000000Z"
    if not offset or text[-5:-4] in ("+", "-"):
        return _in_utc(text, zone)
    return _in_utc(text, zone) if zone else _in_utc(text + offset, "")


@lru_cache(maxsize=4096)
def _in_utc(text: str, zone: str) -> str:
    moment = _moment(text)
    if moment is None:
        return ""
    if zone and text[-5:-4] not in ("+", "-"):
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    try:
        return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    except OverflowError:
        return ""

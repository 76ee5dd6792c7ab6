"""What a request asks for, read strictly: a field nobody knows, or of the wrong type, is refused and never passed over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from engine.store.records import DeliveryStatus, MessageStatus, Query
from engine.web.serving import BadRequest

TEXTS = ("channel", "status", "type", "control_id", "patient", "order", "destination", "delivery_status")
TIMES = ("since", "until")
PRIVATE = ("patient", "order")
"""What may name a patient, and never stands in a URL."""
MOST = 1000  # messages of one page
LARGEST = 10**18  # no id is as large

_CODED = {"status": [each.value for each in MessageStatus], "delivery_status": [each.value for each in DeliveryStatus]}
_WORDS = {bool: "true or false", str: "text", dict: "an object", list: "a list", int: "a whole number"}


def fields(body: Mapping[str, object], **known: type) -> dict[str, object]:
    """The fields of a body that are given (null: not given), each of its type; raises BadRequest."""
    for name, value in body.items():
        if name not in known:
            raise BadRequest(f"unknown field {name[:40]}; known are {', '.join(known)}")
        if value is not None and type(value) is not known[name]:
            raise BadRequest(f"{name} must be {_WORDS[known[name]]}")
    return {name: value for name, value in body.items() if value is not None}


def identifiers(values: object) -> list[int]:
    """Ids of messages."""
    if not isinstance(values, list) or not all(type(each) is int and 0 < each < LARGEST for each in values):
        raise BadRequest("ids must be whole numbers")
    return values


def names(values: object) -> list[str]:
    """Names of destinations."""
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise BadRequest("destinations must be a list of names")
    return values


def query_of(asked: Mapping[str, object]) -> Query:
    """A search from a request's fields; raises BadRequest for unknown fields and values that are none."""
    known = (*TEXTS, *TIMES, "before", "limit")
    if unknown := sorted(set(asked) - set(known)):
        raise BadRequest(f"unknown search field {unknown[0][:40]}; known are {', '.join(known)}")
    given = {name: str(value) for name, value in asked.items() if value not in (None, "")}
    for name, codes in _CODED.items():
        if given.get(name, codes[0]) not in codes:
            raise BadRequest(f"{name} must be one of {', '.join(codes)}")
    return Query(
        **{name: given.get(name, "") for name in TEXTS},
        **{name: _moment(given[name], name) for name in TIMES if name in given},
        before=_number("before", given.get("before", "0"), 0, LARGEST),
        limit=_number("limit", given.get("limit", "50"), 1, MOST),
    )


def _number(name: str, given: str, least: int, most: int) -> int:
    try:
        number = int(given)
    except ValueError:
        raise BadRequest(f"{name} must be a whole number") from None
    if not least <= number <= most:
        raise BadRequest(f"{name} must be {'at least' if number < least else 'at most'} {least if number < least else most}")
    return number


def _moment(given: str, name: str) -> float:
    """Seconds since the epoch from ISO 8601; without an offset it is UTC."""
    try:
        parsed = datetime.fromisoformat(given)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest(f"{name} must be a date or time such as 2026-03-14T10:30:00Z") from None

"""Messages as the API shows them: found by what they hold, shown with their deliveries and what was said to whom.

Everything here takes the store and plain values, and gives plain values: the same functions answer HTTP and, when no engine
runs, the command line.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime

from engine.store.contract import Store
from engine.store.records import DeliveryRow, MessageRow, Query
from engine.web.serving import BadRequest
from transforms.errors import MessageError
from transforms.fhir.serialization import loads

TEXTS = ("channel", "status", "type", "control_id", "patient", "order", "destination", "delivery_status")
NUMBERS = ("before", "limit")
TIMES = ("since", "until")


def query_of(asked: Mapping[str, object]) -> Query:
    """A search from a request's fields; raises BadRequest for unknown fields and values that are none."""
    unknown = sorted(set(asked) - {*TEXTS, *NUMBERS, *TIMES})
    if unknown:
        raise BadRequest(f"unknown search field {unknown[0]}; known are {', '.join((*TEXTS, *NUMBERS, *TIMES))}")
    values: dict[str, object] = {name: str(asked[name]) for name in TEXTS if asked.get(name)}
    for name in NUMBERS:
        if name in asked:
            values[name] = _number(name, asked[name])
    for name in TIMES:
        if asked.get(name):
            values[name] = moment(str(asked[name]), name)
    return Query(**values)  # type: ignore[arg-type]


def _number(name: str, given: object) -> int:
    try:
        number = int(str(given))
    except ValueError:
        raise BadRequest(f"{name} must be a whole number") from None
    if number < 0:
        raise BadRequest(f"{name} must not be negative")
    return number


def moment(given: str, name: str) -> float:
    """Seconds since the epoch from ISO 8601; without an offset it is UTC.  Raises BadRequest."""
    try:
        parsed = datetime.fromisoformat(given)
    except ValueError:
        raise BadRequest(f"{name} must be a date or time such as 2026-03-14T10:30:00Z") from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


async def search(store: Store, asked: Mapping[str, object]) -> dict:
    """{messages: […], next: id to pass as `before`, or null}."""
    query = query_of(asked)
    found = await store.search(query)
    return {"messages": [summary(row) for row in found], "next": found[-1].id if found and len(found) >= query.limit else None}


async def show(store: Store, id: int) -> dict:
    """One message whole: content, answer, deliveries with what was sent and said.  Raises BadRequest 404."""
    row = await store.message(id)
    if row is None:
        raise BadRequest(f"there is no message {id}", 404, "not-found")
    deliveries = await store.deliveries(id)
    answers = [text.decode("utf-8", "replace") for text in row.answer.contents] if row.answer else []
    return summary(row) | {
        "version": row.version, "peer": row.peer, "replay_of": row.replay_of or None, "sender": row.keys.sender,
        "patients": list(row.keys.patients), "orders": list(row.keys.orders),
        "answers": answers, "content_base64": base64.b64encode(row.content).decode(), "deliveries": [_delivery(each) for each in deliveries],
    }  # fmt: skip


def summary(row: MessageRow) -> dict:
    """A message in a line."""
    error = {"code": row.error_code, "place": row.error_place, "origin": row.error_origin, "text": row.error_text}
    return {
        "id": row.id, "channel": row.channel, "received": iso(row.received), "type": row.keys.type, "control_id": row.control_id,
        "status": row.status.value, "answer": row.answer.code if row.answer else None, "error": error if row.error_code else None,
    }  # fmt: skip


def iso(seconds: float) -> str | None:
    """UTC, with milliseconds; None for never."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if seconds else None


def _delivery(row: DeliveryRow) -> dict:
    content = _documents(row.sent)
    return {
        "destination": row.destination, "part": row.part, "status": row.status.value, "attempts": row.attempts,
        "next_try": iso(row.next_try), "code": row.code, "reason": row.reason, "changed": iso(row.changed),
        "response": row.response.decode("utf-8", "replace"), "content": content,
        "text": row.sent.decode("utf-8", "replace") if row.sent and content is None else None,
    }  # fmt: skip


def _documents(sent: bytes) -> object:
    """What was sent as JSON: a document; a list of them where it took several requests, one a line; None where it is none."""
    if sent[:1] != b"{":
        return None
    for whole in (True, False):
        try:
            return loads(sent) if whole else [loads(line) for line in sent.split(b"\n")]
        except MessageError:
            continue
    return None

"""Messages as the API shows them: found by what they hold, shown with their deliveries and what was said to whom.

Everything here takes the store and plain values, and gives plain values: the same functions answer HTTP and, when no engine
runs, the command line.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from engine.admin_api.asked import query_of
from engine.store.connection import DISK
from engine.store.contract import Store
from engine.store.records import DeliveryRow, MessageRow
from engine.store.sqlite import SqliteStore
from engine.web.serving import BadRequest
from transforms.errors import MessageError
from transforms.fhir.serialization import loads
from transforms.hl7.local import NOTHING, names_of, read_all
from transforms.hl7.message import parse


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
    kept = await store.version(row.version) if row.version else None
    answers = [text.decode("utf-8", "replace") for text in row.answer.contents] if row.answer else []
    return summary(row) | {
        "version": row.version, "peer": row.peer, "replay_of": row.replay_of or None, "sender": row.keys.sender,
        "patients": list(row.keys.patients), "orders": list(row.keys.orders), "answers": answers,
        "local_names": _local_names(kept.files if kept else {}, row.content),
        "content_base64": base64.b64encode(row.content).decode(), "deliveries": [_delivery(each) for each in deliveries],
    }  # fmt: skip


async def counts(store: Store) -> dict:
    """Messages by channel and status."""
    found = await store.counts()
    return {"messages": [{"channel": channel, "status": status, "count": count} for (channel, status), count in sorted(found.items())]}


async def leftovers(store: Store, channel: str, known: bool = False) -> dict:
    """The ledger of a channel by path, the commonest first.  Raises BadRequest 404 where neither `known` nor the store know it."""
    if not known and channel not in {name for name, _ in await store.counts()}:
        raise BadRequest(f"there is no channel {channel}", 404, "not-found")
    found = await store.leftovers(channel)
    return {"leftovers": dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))}


async def copy(store: SqliteStore, target: Path) -> dict:
    """Copy the store to a file that is not there yet, while it goes on.  Raises BadRequest."""
    if not target.parent.is_dir():
        raise BadRequest("target must be in a folder that is there")
    if target.exists():
        raise BadRequest("target is there already", 409, "conflict")
    try:
        await store.backup(target)
    except DISK as error:
        raise BadRequest(f"target cannot be written ({type(error).__name__})", 409, "exception") from None
    return {"target": str(target)}


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


def _local_names(files: Mapping[str, str], content: bytes) -> dict:
    """What the site calls the segments of a message and their fields, by the version it came in under."""
    declared = read_all(files, {}, [])
    if declared == NOTHING:
        return {}
    try:
        message = parse(content)
    except MessageError:
        return {}
    return {name: names for name in message.lines[0] if (names := names_of(declared, name, message.version))}


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

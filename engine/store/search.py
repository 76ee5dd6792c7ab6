"""Search over messages, newest first, in slices: no slice looks at more than a few spans, so that the loop goes on.

Where a condition has an index, ids come from it; the rest is compared on the rows.
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Iterator

from engine.store import rows
from engine.store.reading import Reader, json_array
from engine.store.records import DeliveryStatus, MessageRow, MessageStatus, Query

SLICE = 256
"""Spans looked at, and ids compared, between two turns of the loop."""
MOST = 1000
"""The longest page."""
_ENDLESS = 2**62
_WAITING = frozenset(status.value for status in DeliveryStatus if not status.final)


async def search(reader: Reader, query: Query) -> list[MessageRow]:
    """The messages that meet a query, without content."""
    found: list[MessageRow] = []
    limit = min(query.limit, MOST)
    for ids in _candidates(reader, query):
        if ids:
            found += _compare(reader, query, ids, limit - len(found))
        if len(found) >= limit:
            break
        await sleep(0)
    return found


def _compare(reader: Reader, query: Query, ids: list[int], limit: int) -> list[MessageRow]:
    channel = reader.names.number(query.channel) if query.channel else None
    wanted = {
        "ids": json_array(ids), "channel": channel, "status": query.status, "control_id": query.control_id, "type": query.type,
        "since": query.since, "until": query.until, "patient": query.patient, "order": query.order,
        "delivery_status": query.delivery_status, "destination": query.destination, "limit": limit,
    }  # fmt: skip
    return [rows.read_message(row, reader.names, reader.fetch) for row in reader.execute("found", wanted).fetchall()]


def _candidates(reader: Reader, query: Query) -> Iterator[list[int]]:
    """Ids that may meet the query, in slices, newest first."""
    for kind, value in (("patient", query.patient), ("order", query.order), ("control_id", query.control_id)):
        if value:
            return _by_key(reader, query, rows.key_hash(kind, value))
    if query.delivery_status in _WAITING:
        return _merged(reader, query, _by_delivery(reader, query))
    if query.status and query.status != MessageStatus.SENT:
        return _merged(reader, query, _by_status(reader, query))
    return _by_span(reader, query)


def _merged(reader: Reader, query: Query, sources: list[tuple[str, tuple]]) -> Iterator[list[int]]:
    """Ids of several indexed reads, newest first."""
    before = query.before or _ENDLESS
    while True:
        ids: set[int] = set()
        for name, bindings in sources:
            ids.update(id for (id,) in reader.execute(name, (*bindings, before, SLICE)).fetchall())
        if not ids:
            return
        page = sorted(ids, reverse=True)[:SLICE]
        before = page[-1]
        yield page


def _by_status(reader: Reader, query: Query) -> list[tuple[str, tuple]]:
    channels = [reader.names.number(query.channel)] if query.channel else [channel for (channel,) in reader.execute("channels")]
    return [("messages_by_status", (channel, query.status)) for channel in channels]


def _by_delivery(reader: Reader, query: Query) -> list[tuple[str, tuple]]:
    channel = reader.names.number(query.channel) if query.channel else None
    return [
        ("messages_by_delivery", (route, query.delivery_status))
        for route, of, destination in reader.execute("routes")
        if (channel is None or of == channel) and query.destination in ("", destination)
    ]


def _spans(reader: Reader, query: Query) -> Iterator[list[int]]:
    """Spans that may hold what is looked for, in slices, newest first."""
    newest = reader.execute("newest_span").get
    if newest is None:
        return
    top = min(newest, (query.before or _ENDLESS) >> rows.SPAN_BITS)
    while top >= 0:
        bottom = max(0, top - SLICE + 1)
        yield [id for (id,) in reader.execute("spans_between", (top, bottom, query.until or _ENDLESS, query.since)).fetchall()]
        top = bottom - 1


def _by_key(reader: Reader, query: Query, hash: int) -> Iterator[list[int]]:
    for spans in _spans(reader, query):
        before = query.before or _ENDLESS
        while ids := [id for (id,) in reader.execute("messages_by_key", (json_array(spans), hash, before, SLICE)).fetchall()]:
            yield ids
            before = ids[-1]
        yield []


def _by_span(reader: Reader, query: Query) -> Iterator[list[int]]:
    shared = [(kind, value) for kind, value in (("channel", query.channel), ("type", query.type)) if value]
    for spans in _spans(reader, query):
        for kind, value in shared:
            holding = reader.execute("spans_holding", (json_array(spans), rows.key_hash(kind, value))).fetchall()
            spans = sorted((id for (id,) in holding), reverse=True)
        for span in spans:
            start, end = span << rows.SPAN_BITS, min(query.before or _ENDLESS, (span + 1) << rows.SPAN_BITS)
            yield [id for (id,) in reader.execute("messages_in_span", (start, end)).fetchall()]
        yield []

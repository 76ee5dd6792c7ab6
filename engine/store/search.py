"""Search over messages, newest first, in slices: no slice looks at more than a few spans, so that the loop goes on.

Where a condition has an index, ids come from it; the rest is compared on the rows.
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import Iterator

from engine.store import rows
from engine.store.reading import Reader, json_array
from engine.store.recent import SPAN_BITS, Recent, channel_hash, key_hash
from engine.store.records import DeliveryStatus, MessageRow, MessageStatus, Query

SLICE = 256
"""Spans looked at, and ids compared, between two turns of the loop."""
MOST = 1000
"""The longest page."""
_ENDLESS = 2**38


async def search(reader: Reader, recent: Recent, query: Query) -> list[MessageRow]:
    """The messages that meet a query, without content; `recent` knows the keys not written yet."""
    found: list[MessageRow] = []
    limit = min(query.limit, MOST)
    for ids in _Candidates(reader, recent, query):
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


class _Candidates:
    """Ids that may meet a query, in slices, newest first; a slice may be empty."""

    def __init__(self, reader: Reader, recent: Recent, query: Query) -> None:
        self._reader, self._recent, self._query = reader, recent, query
        self._before = query.before or _ENDLESS
        self._channel = reader.names.number(query.channel) if query.channel else None

    def __iter__(self) -> Iterator[list[int]]:
        query = self._query
        for kind, value in (("patient", query.patient), ("order", query.order), ("control_id", query.control_id)):
            if value:
                return self._by_key(key_hash(kind, value))
        if query.delivery_status and query.delivery_status != DeliveryStatus.SENT:
            return self._merged(self._deliveries())
        if query.status and query.status != MessageStatus.SENT:
            return self._merged(self._statuses())
        return self._by_span()

    def _ids(self, name: str, *bindings: object) -> list[int]:
        return [id for (id,) in self._reader.execute(name, bindings).fetchall()]

    def _merged(self, sources: list[tuple]) -> Iterator[list[int]]:
        """Ids of several indexed reads, newest first."""
        before = self._before
        while page := sorted({id for source in sources for id in self._ids(*source, before, SLICE)}, reverse=True)[:SLICE]:
            yield page
            before = page[-1]

    def _statuses(self) -> list[tuple]:
        channels = self._ids("channels") if self._channel is None else [self._channel]
        if self._query.status == MessageStatus.RECEIVED:
            return [("messages_waiting", channel) for channel in channels]
        return [("messages_by_status", channel, self._query.status) for channel in channels]

    def _deliveries(self) -> list[tuple]:
        return [
            ("messages_by_delivery", route, self._query.delivery_status)
            for route, channel, destination in self._reader.execute("routes").fetchall()
            if self._channel in (None, channel) and self._query.destination in ("", destination)
        ]

    def _by_key(self, hash: int) -> Iterator[list[int]]:
        """The newest from memory, the others span by span."""
        yield self._recent.find(hash, self._before)
        for spans in self._spans(self._recent.written):
            before = self._before
            while ids := self._ids("messages_by_key", json_array(spans), hash, before, SLICE):
                yield ids
                before = ids[-1]

    def _spans(self, newest: int) -> Iterator[list[int]]:
        """Written spans that were alive in the time asked for, in slices, newest first."""
        top = min(newest, self._before >> SPAN_BITS)
        while top >= 0:
            bottom = max(0, top - SLICE + 1)
            yield self._ids("spans_between", top, bottom, self._query.until or _ENDLESS, self._query.since)
            top = bottom - 1

    def _by_span(self) -> Iterator[list[int]]:
        """Every message, leaving out the spans that hold none of the channel or type."""
        written = self._recent.written
        newest = self._reader.execute("newest_message").get or 0
        for span in range(min(newest, self._before) >> SPAN_BITS, written, -1):
            yield self._in_span(span)
        shared = [] if self._channel is None else [channel_hash(self._channel)]
        shared += [key_hash("type", self._query.type)] if self._query.type else []
        for spans in self._spans(written):
            for hash in shared:
                spans = sorted(self._ids("spans_holding", json_array(spans), hash), reverse=True)
            yield []
            for span in spans:
                yield self._in_span(span)

    def _in_span(self, span: int) -> list[int]:
        return self._ids("messages_in_span", span << SPAN_BITS, min(self._before, (span + 1) << SPAN_BITS))

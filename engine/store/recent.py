"""The keys of the newest messages, in memory until their span is full and written in one sorted piece.

A key is a hash, so writing each by itself would touch a page of its own.  Gathered over a span of 256 messages, keys that
are found span by span cost a few pages a span, and those that are found in one step (resends) are written in order.
Nothing depends on this memory: it is read from the messages again when the store opens, or after a rollback.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from zlib import crc32

import apsw

from engine.store.queries import STATEMENTS
from engine.store.rows import read_list

SPAN_BITS = 8
"""A span is 256 messages: written within two milliseconds; a search through ten million messages looks into forty thousand
spans, a millisecond at a time."""

MOST_OPEN = 16
"""So many full spans may wait for a last message to be settled; then they are written, and it is added by itself."""

PERIOD = 86400.0
"""Seconds of a period: what resends are recognised by is dropped period by period."""
_HASH_BITS, _PERIODS = 57, 64
_HASH = (1 << _HASH_BITS) - 1

Key = tuple[int, int, int]
"""Span, hash, message (0: the span holds such a message)."""


@lru_cache(maxsize=1024)
def key_hash(kind: str, value: str) -> int:
    """What a key is looked up by.  Who finds one compares the value itself: hashes may meet."""
    return crc32(value.encode("utf-8", "surrogatepass"), crc32(kind.encode()))


def channel_hash(channel: int) -> int:
    """The key that all messages of a channel share."""
    return crc32(channel.to_bytes(4, "big"), _CHANNEL)


def duplicate_hash(channel: int, key: bytes) -> int:
    """What a resend is looked up by, within a channel."""
    return int.from_bytes(blake2b(key, digest_size=8, salt=channel.to_bytes(4, "big")).digest(), "big") >> (64 - _HASH_BITS)


_CHANNEL, _CONTROL_ID, _TYPE, _PATIENT, _ORDER = (
    crc32(kind.encode()) for kind in ("channel", "control_id", "type", "patient", "order")
)  # fmt: skip


@dataclass(slots=True)
class Span:
    """What is gathered of one span."""

    keys: list[tuple[int, int]] = field(default_factory=list)  # hash, message
    shared: set[int] = field(default_factory=set)  # hashes
    duplicates: list[tuple[int, int]] = field(default_factory=list)  # id of the table, message
    unsettled: int = 0
    earliest: float = float("inf")
    latest: float = float("-inf")


class Recent:
    """The spans not written yet."""

    def __init__(self, connection: apsw.Connection, window: float) -> None:
        self._connection = connection
        self._periods = 1 + int(-(-window // PERIOD))  # that a resend within the window may lie in
        self.load()

    def load(self) -> None:
        """Read it all from the messages again."""
        run = self._connection.execute
        self.spans: dict[int, Span] = {}
        self._resends: dict[int, int] = {}  # hash -> message
        self._dropped: list[int] = []
        self.written = run(STATEMENTS["last_span"]).get
        self._kept_periods = {id >> _HASH_BITS for (id,) in run(STATEMENTS["duplicate_periods"])}
        for id, channel, received, key, control_id, status, type, patients, orders in run(
            STATEMENTS["unwritten_messages"], ((self.written + 1) << SPAN_BITS,)
        ):
            self.arrived(id, channel, received, control_id or "", duplicate_hash(channel, key) if key else 0)
            self.found_by(id, type or "", read_list(patients), read_list(orders))
            if status != "received":
                self.settled(id)

    def arrived(self, id: int, channel: int, received: float, control_id: str, resend: int) -> None:
        """A message has come in; `resend` is its duplicate_hash, 0 for none."""
        span = self.spans.get(id >> SPAN_BITS)
        if span is None:
            span = self.spans[id >> SPAN_BITS] = Span()
        span.unsettled += 1
        if received < span.earliest:
            span.earliest = received
        if received > span.latest:
            span.latest = received
        span.shared.add(channel_hash(channel))
        if control_id:
            span.keys.append((crc32(control_id.encode("utf-8", "surrogatepass"), _CONTROL_ID), id))
        if resend:
            self._resends[resend] = id
            span.duplicates.append((_period(received) << _HASH_BITS | resend, id))

    def settled(self, id: int) -> None:
        """A message is no longer in the backlog."""
        if span := self.spans.get(id >> SPAN_BITS):
            span.unsettled -= 1

    def found_by(self, id: int, type: str, patients: Iterable[str], orders: Iterable[str], control_id: str = "") -> list[Key]:
        """What a message is found by is known; gives the keys that must be written now, because their span already is."""
        number = id >> SPAN_BITS
        keys = [(crc32(value.encode("utf-8", "surrogatepass"), _PATIENT), id) for value in patients]
        for value in orders:
            keys.append((crc32(value.encode("utf-8", "surrogatepass"), _ORDER), id))
        if control_id:
            keys.append((crc32(control_id.encode("utf-8", "surrogatepass"), _CONTROL_ID), id))
        span = self.spans.get(number)
        if span is None:
            return [(number, key_hash("type", type), 0)] * bool(type) + [(number, *key) for key in keys]
        span.keys += keys
        if type:
            span.shared.add(key_hash("type", type))
        return []

    def first_of(self, resends: Iterable[tuple[int, float]]) -> dict[int, list[int]]:
        """The messages that may have brought duplicate keys first; keys are given as duplicate_hash and time of receipt."""
        found: dict[int, list[int]] = {}
        wanted = []
        for hash, received in resends:
            if (message := self._resends.get(hash)) is not None:
                found[hash] = [message]
            if self._kept_periods:
                periods = {_period(received - number * PERIOD) for number in range(self._periods)} & self._kept_periods
                wanted += [(period << _HASH_BITS | hash,) for period in periods]
        if wanted:
            for id, message in self._connection.executemany(STATEMENTS["duplicate"], wanted):
                found.setdefault(id & _HASH, []).append(message)
        return found

    def due(self, next_id: int) -> int | None:
        """The oldest span, if it can be written and is not already."""
        number = next(iter(self.spans), None)
        newest = next_id >> SPAN_BITS
        if number is None or newest <= number or self._dropped:
            return None
        return number if self.spans[number].unsettled <= 0 or newest - number > MOST_OPEN else None

    def write(self, number: int) -> None:
        """Write a span's keys within the transaction; it stays in memory until `committed`."""
        span, run = self.spans[number], self._connection.executemany
        keys = {(number, hash, 0) for hash in span.shared} | {(number, *key) for key in span.keys}
        run(STATEMENTS["insert_key"], sorted(keys))
        run(STATEMENTS["write_span"], [(number, span.earliest, span.latest)])
        run(STATEMENTS["keep_duplicate"], sorted(span.duplicates))
        self._kept_periods.update(id >> _HASH_BITS for id, _ in span.duplicates)
        self._drop_old(span.latest)
        self._dropped.append(number)

    def _drop_old(self, now: float) -> None:
        """A share of what no resend within the window can bring again."""
        young = {_period(now - number * PERIOD) for number in range(-1, self._periods + 1)}
        for period in sorted(self._kept_periods - young):
            bounds = (period << _HASH_BITS, ((period + 1) << _HASH_BITS) - 1)
            self._connection.execute(STATEMENTS["drop_duplicates"], bounds)
            if self._connection.changes() == 0:
                self._kept_periods.discard(period)
            return

    def committed(self) -> None:
        """What was written is durable, and need not be remembered."""
        for number in self._dropped:
            for hash, message in self.spans.pop(number).duplicates:
                if self._resends.get(hash & _HASH) == message:
                    del self._resends[hash & _HASH]
            self.written = number
        self._dropped.clear()

    def find(self, hash: int, before: int) -> list[int]:
        """Messages below an id with a key, of the spans not written; newest first."""
        found = {id for span in self.spans.values() for key, id in span.keys if key == hash and id < before}
        return sorted(found, reverse=True)


def _period(received: float) -> int:
    return int(received // PERIOD) % _PERIODS

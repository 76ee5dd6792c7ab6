"""The store on SQLite: one connection that writes (the committer's), one that reads, one lock."""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import apsw
import msgspec

from engine.store.backup import copy
from engine.store.committer import DRIVERS, Committer
from engine.store.compression import squeeze
from engine.store.connection import connect, prepare, store_file
from engine.store.gathering import Gathering
from engine.store.lock import Lock
from engine.store.queries import STATEMENTS
from engine.store.reading import Reader
from engine.store.records import (
    Arrival, ChannelVersion, DeliveryRow, DeliveryStatus, MergeRow, MessageRow, Query, RegisterRow, Settlement, Stored,
)  # fmt: skip
from engine.store.schema import upgrade
from engine.store.search import search
from engine.store.writing import Writer

DAY = 86400.0
QUICK = 0.001
"""Seconds: a disk that syncs faster may be waited for on the loop."""


async def open_store(
    path: Path, *, loop: AbstractEventLoop, committer: Literal["thread", "loop", "auto"] = "thread", window: float = DAY
) -> SqliteStore:
    """Open the store in a folder (or a `.db` file), made if missing.

    `committer`: whether the loop or a thread waits for the disk, `auto` for what suits the disk.  `window`: how long a
    resend is recognised, in seconds.  Raises StoreLocked, NewerStore, or apsw's error where the disk fails.
    """
    file = store_file(path)
    prepare(file)
    lock = Lock(file.with_suffix(".lock"))
    try:
        writing = connect(file, writing=True)
        upgrade(writing)
        reading = connect(file, writing=False)
        kind = _quicker(writing) if committer == "auto" else committer
        return SqliteStore(file, loop, DRIVERS[kind](loop, Writer(writing, window)), Reader(reading), lock)
    except BaseException:
        lock.release()
        raise


def _quicker(connection: apsw.Connection) -> Literal["thread", "loop"]:
    """Which committer suits the disk: one that syncs within a millisecond need not be waited for on a thread."""
    took = []
    for number in range(5):
        with connection:
            connection.execute(STATEMENTS["try_disk"], (number,))
            began = time.perf_counter()
        took.append(time.perf_counter() - began)
    return "loop" if sorted(took)[2] < QUICK else "thread"


class SqliteStore:
    """The durable record, in one file (see `contract.Store`)."""

    def __init__(self, file: Path, loop: AbstractEventLoop, committer: Committer, reader: Reader, lock: Lock) -> None:
        self._file, self._loop = file, loop
        self._committer, self._reader, self.lock = committer, reader, lock
        self._submit = committer.submit
        self._registers, self._learned = Gathering(loop, reader.register), Gathering(loop, reader.recall)
        self._closed = False

    @property
    def site(self) -> str:
        """This store's own id, made with it."""
        return str(self._reader.meta("site"))

    def receive(self, arrival: Arrival) -> Future[Stored]:
        """Take charge of a message."""
        return self._submit(arrival)

    def settle(self, settlement: Settlement) -> Future[None]:
        """Write what became of a message."""
        return self._submit(settlement)

    async def message(self, id: int) -> MessageRow | None:
        """One message, with content."""
        return self._reader.message(id)

    async def search(self, query: Query) -> list[MessageRow]:
        """Messages that meet a query, newest first, without content."""
        return await search(self._reader, self._committer.writer.recent, query)

    async def deliveries(self, message_id: int) -> list[DeliveryRow]:
        """A message's deliveries."""
        return self._reader.deliveries(message_id)

    async def counts(self) -> Mapping[tuple[str, str], int]:
        """Messages by channel and status."""
        return self._reader.counts()

    async def unsettled(self, channel: str, after: int, limit: int) -> list[MessageRow]:
        """The backlog, read on from `after`."""
        return self._reader.backlog(channel, after, limit)

    async def settled_for(self, channel: str, destination: str, ids: Sequence[int]) -> Mapping[int, Sequence[DeliveryRow]]:
        """Of unsettled messages, the deliveries already written for a destination (without what was sent)."""
        return self._reader.route_deliveries(channel, destination, ids)

    async def waiting(
        self, channel: str, destination: str, statuses: Sequence[DeliveryStatus], lane: str | None = None, after: int = 0, limit: int = 500
    ) -> list[DeliveryRow]:
        """Deliveries that are not final, in order of message and part (without what was sent)."""
        return self._reader.waiting(channel, destination, statuses, lane, after, limit)

    async def register(self, destination: str, keys: Sequence[str]) -> Mapping[str, RegisterRow]:
        """What a receiver was last told of reports."""
        return await self._registers.ask(destination, keys)

    async def recall(self, destination: str, criteria: Sequence[str]) -> Mapping[str, str]:
        """References that a destination learned."""
        return await self._learned.ask(destination, criteria)

    async def merges(self) -> list[MergeRow]:
        """All merges, undone ones too, in the order of receipt."""
        return self._reader.merges()

    async def keep_version(self, version: ChannelVersion) -> None:
        """Keep everything a channel was made of."""
        files = squeeze(msgspec.json.encode(dict(sorted(version.files.items()))))
        row = (version.digest, version.channel, files, version.release, version.created)
        await self._submit(lambda writer: writer.execute(STATEMENTS["keep_version"], row))

    async def version(self, digest: str) -> ChannelVersion | None:
        """A channel version."""
        return self._reader.version(digest)

    async def leftovers(self, channel: str) -> Mapping[str, int]:
        """Path -> how often no rule read it."""
        return self._reader.leftovers(channel)

    async def attachment_count(self) -> int:
        """How many attachments are kept."""
        return self._reader.execute("attachment_count").get

    async def backup(self, target: Path) -> None:
        """Copy the store as it is now to a file, while it goes on; waits in a thread."""
        await self._loop.run_in_executor(None, copy, self._file, target)

    async def close(self) -> None:
        """Write what is still in hand, bring the log home, let go of the lock; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        await self._committer.drain()
        self._reader.connection.close()
        connection = self._committer.connection
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        connection.close()
        self.lock.release()

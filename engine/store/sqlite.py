"""The store on SQLite: one connection that writes (the committer's), one that reads, one lock."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import apsw
import msgspec

from engine.store.committer import DRIVERS, Committer
from engine.store.compression import squeeze
from engine.store.lock import Lock
from engine.store.queries import STATEMENTS
from engine.store.reading import Reader
from engine.store.records import (
    Arrival, ChannelVersion, DeliveryRow, DeliveryStatus, MessageRow, Query, RegisterRow, Settlement, Stored,
)  # fmt: skip
from engine.store.schema import upgrade
from engine.store.search import search
from engine.store.writing import Writer

FILE = "messages.db"
DAY = 86400.0


def store_file(path: Path) -> Path:
    """The database file of a store that is named by its folder, or by the file itself (`.db`)."""
    return path if path.suffix == ".db" else path / FILE


async def open_store(
    path: Path, *, loop: AbstractEventLoop, committer: Literal["thread", "loop"] = "thread", window: float = DAY
) -> SqliteStore:
    """Open the store in a folder (or a `.db` file), made if missing; `window` is how long a resend is recognised, in seconds."""
    file = store_file(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = Lock(file.with_suffix(".lock"))
    try:
        writing = _connect(file)
        upgrade(writing)
        reading = _connect(file, reads_only=True)
        return SqliteStore(DRIVERS[committer](loop, Writer(writing, window)), Reader(reading), lock)
    except BaseException:
        lock.release()
        raise


def _connect(file: Path, reads_only: bool = False) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY if reads_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(file), flags=flags, statementcachesize=200)
    connection.set_busy_timeout(2000)
    if not reads_only:
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("journal_size_limit", 64 * 2**20)
    connection.pragma("cache_size", -4000 if reads_only else -16000)
    connection.pragma("mmap_size", 0)
    connection.pragma("temp_store", "memory")
    return connection


class SqliteStore:
    """The durable record, in one file (see `contract.Store`)."""

    def __init__(self, committer: Committer, reader: Reader, lock: Lock) -> None:
        self._committer, self._reader, self.lock = committer, reader, lock
        self._submit = committer.submit

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
        return self._reader.register(destination, keys)

    async def recall(self, destination: str, criteria: Sequence[str]) -> Mapping[str, str]:
        """References that a destination learned."""
        return self._reader.recall(destination, criteria)

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

    async def forget(self, destination: str, criteria: Iterable[str]) -> None:
        """Unlearn references."""
        wanted = tuple(criteria)

        def unlearn(writer: Writer) -> None:
            number = writer.names.number(destination)
            writer.executemany(STATEMENTS["unlearn"], [(number, criterion) for criterion in wanted])

        await self._submit(unlearn)

    async def close(self) -> None:
        """Write what is still in hand, bring the log home, let go of the lock."""
        await self._committer.drain()
        self._reader.connection.close()
        connection = self._committer.connection
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        connection.close()
        self.lock.release()

"""The one connection that writes, fed by a queue: what has arrived since the last fsync shares one transaction.

Two drivers do the same work.  `Turn` commits on the loop, once a turn.  `Thread` stages on the loop and lets a thread of
its own wait for the disk.
"""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop, Future
from queue import SimpleQueue

import apsw

from channels import faults
from engine.store.contract import Refused, StoreUnavailable
from engine.store.records import Arrival
from engine.store.writing import Record, Writer

MOST = 256
"""So many records share a transaction; what is over waits for the next one."""

CHECKPOINT_PAGES = 1000
"""When the write-ahead log has grown by so many pages, they are brought home."""

_DISK = (
    apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.BusyError, apsw.LockedError,
    apsw.CorruptError, apsw.NotADBError, apsw.NoMemError, apsw.PermissionsError, apsw.ProtocolError, MemoryError,
)  # fmt: skip


class Committer:
    """Gathers records, writes them in batches, and tells each what became of it once that is durable."""

    def __init__(self, loop: AbstractEventLoop, writer: Writer) -> None:
        self._loop, self._writer, self.connection = loop, writer, writer.connection
        self._waiting: list[tuple[Record, Future]] = []
        self._busy = False
        self._closed = False
        self._pages = 0
        self.connection.set_wal_hook(self._grown)

    def submit(self, record: Record) -> Future:
        """Have a record written; the future is done when it is durable, or was not kept."""
        future = self._loop.create_future()
        if self._closed:
            future.set_exception(StoreUnavailable("the store is closed"))
            return future
        self._waiting.append((record, future))
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._turn)
        return future

    def _take(self) -> list[tuple[Record, Future]]:
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        return batch

    def _turn(self) -> None:
        raise NotImplementedError

    def _stage(self, records: list[Record]) -> tuple[list[object], bool]:
        """Begin a transaction and write; the results, and whether there is something to commit."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            return self._writer.write(records), True
        except _DISK as why:
            return self._unavailable(records, why), False
        except Exception:  # noqa: BLE001 - whatever one record did wrong must not cost the others
            self._roll_back()
            return self._stage_singly(records)

    def _stage_singly(self, records: list[Record]) -> tuple[list[object], bool]:
        """Each record by itself, so that the one which fails fails alone."""
        results: list[object] = []
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            for record in records:
                results += self._stage_one(record)
            return results, True
        except _DISK as why:
            return self._unavailable(records, why), False

    def _stage_one(self, record: Record) -> list[object]:
        self.connection.execute("SAVEPOINT one")
        try:
            result = self._writer.write([record])
        except _DISK:
            raise
        except Exception as why:  # noqa: BLE001 - handed to whoever submitted the record
            self.connection.execute("ROLLBACK TO one")
            self._writer.forget()
            result = [Refused(f"{type(why).__name__}: the record cannot be written")]
            result[0].__cause__ = why
        self.connection.execute("RELEASE one")
        return result

    def _commit(self) -> Exception | None:
        """Make it durable; what went wrong, if something did."""
        try:
            self.connection.execute("COMMIT")
        except apsw.Error as why:
            return why
        return None

    def _unavailable(self, records: list[Record], why: BaseException) -> list[object]:
        self._roll_back()
        return [StoreUnavailable(f"nothing can be kept now: {type(why).__name__}") for _ in records]

    def _roll_back(self) -> None:
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self._writer.forget()
        except apsw.Error:
            self._writer.names.forget()  # a disk that cannot even be read; the next batch tries anew

    def _grown(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Bring the log's pages home; a disk that will not take them now is asked again later."""
        try:
            self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            pass
        self._pages = 0

    def _tell(self, batch: list[tuple[Record, Future]], results: list[object]) -> None:
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():  # cancelled by whoever waited
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    async def drain(self) -> None:
        """Take nothing more, and wait for what was taken."""
        self._closed = True
        futures = [future for _, future in self._waiting]
        for future in futures:
            try:
                await future
            except (StoreUnavailable, Refused):
                pass  # told to whoever submitted it


def _arrivals(records: list[Record]) -> bool:
    return any(type(record) is Arrival for record in records)


class Turn(Committer):
    """Commits on the loop's own thread, once a turn: cheapest where an fsync is quick."""

    def _turn(self) -> None:
        batch = self._take()
        records = [record for record, _ in batch]
        results, staged = self._stage(records)
        if staged:
            arrivals = _arrivals(records)
            if arrivals:
                faults.reach("before_commit")
            if why := self._commit():
                results = self._unavailable(records, why)
            if arrivals:
                faults.reach("after_commit")
        self._tell(batch, results)
        if self._pages > CHECKPOINT_PAGES:
            self._checkpoint()
        if self._waiting:
            self._loop.call_soon(self._turn)
        else:
            self._busy = False


class Thread(Committer):
    """Stages on the loop, commits on a thread: the loop goes on while the disk works."""

    def __init__(self, loop: AbstractEventLoop, writer: Writer) -> None:
        super().__init__(loop, writer)
        self._orders: SimpleQueue = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        batch = self._take()
        records = [record for record, _ in batch]
        results, staged = self._stage(records)
        if staged:
            self._orders.put((batch, records, results))
        else:
            self._done(batch, results)

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            batch, records, results = order
            arrivals = _arrivals(records)
            if arrivals:
                faults.reach("before_commit")
            why = self._commit()
            if arrivals:
                faults.reach("after_commit")
            self._loop.call_soon_threadsafe(self._committed, batch, records, results, why)

    def _committed(self, batch: list, records: list[Record], results: list[object], why: Exception | None) -> None:
        self._done(batch, self._unavailable(records, why) if why else results)

    def _done(self, batch: list, results: list[object]) -> None:
        self._tell(batch, results)
        if self._pages > CHECKPOINT_PAGES:
            self._checkpoint()
        if self._waiting:
            self._loop.call_soon(self._turn)
        else:
            self._busy = False

    async def drain(self) -> None:
        """As the committer's, and the thread ends."""
        await super().drain()
        while self._busy:
            future = self._loop.create_future()
            self._loop.call_later(0.001, future.set_result, None)
            await future
        self._orders.put(None)
        self._thread.join()


DRIVERS = {"loop": Turn, "thread": Thread}

"""The one connection that writes, fed by a queue: what has arrived since the last fsync shares one transaction.

Two drivers do the same work.  `Turn` commits on the loop, once a turn.  `Thread` writes the rows on the loop too, and
lets a thread of its own wait for the disk: one call, so that a busy loop does not starve it, and the loop goes on meanwhile.
"""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import Callable
from queue import SimpleQueue

import apsw

from channels import faults
from engine.store.connection import DISK
from engine.store.contract import Refused, StoreUnavailable
from engine.store.records import Arrival, Settlement
from engine.store.writing import Record, Writer

MOST = 256
"""So many records share a transaction; what is over waits for the next one."""

PATIENCE = 0.001
"""Seconds that a settlement waits for an arrival to share its commit with: nobody is told of it meanwhile but its lane."""
IMPATIENT = 32
"""With so many settlements, none waits any longer."""

CHECKPOINT_PAGES = 400
"""When the write-ahead log has grown by so many pages, they are brought home."""

QUIET_PAGES, QUIET = 100, 0.2
"""So many are enough when nothing was committed for so many seconds."""

Entry = tuple[Record, Future]


class Committer:
    """Gathers records, writes them in batches, and tells each what became of it once that is durable."""

    def __init__(self, loop: AbstractEventLoop, writer: Writer) -> None:
        self._loop, self.writer, self.connection = loop, writer, writer.connection
        self._waiting: list[Entry] = []
        self._urgent = False  # somebody waits for a promise
        self._busy = False  # a turn is called for, or under way
        self._timer: TimerHandle | None = None
        self._closing: Future | None = None
        self._quiet: TimerHandle | None = None
        self._pages = self._commits = 0
        self.connection.set_wal_hook(self._grown)

    def submit(self, record: Record) -> Future:
        """Have a record written; the future is done when it is durable, or was not kept."""
        future = self._loop.create_future()
        if self._closing:
            future.set_exception(StoreUnavailable("the store is closed"))
            return future
        self._waiting.append((record, future))
        if type(record) is not Settlement:
            self._urgent = True
        if not self._busy:
            self._call_for_a_turn()
        return future

    def _call_for_a_turn(self) -> None:
        if self._urgent or len(self._waiting) >= IMPATIENT:
            self._hasten()
        elif self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self._hasten)

    def _hasten(self) -> None:
        """Commit in the next turn of the loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Write what has arrived."""
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        self._urgent = bool(self._waiting)
        records = [record for record, _ in batch]
        results, staged = self._stage(records)
        if staged:
            self._commits += 1
            self._commit(batch, records, results)
        else:
            self._tell(batch, results)
            self._next()

    def _commit(self, batch: list[Entry], records: list[Record], results: list[object]) -> None:
        """Make what was staged durable; see to it that `_committed` is called, and `_next`."""
        raise NotImplementedError

    def _bring_home(self) -> None:
        """Do a checkpoint, and see to it that `_next` is called."""
        raise NotImplementedError

    def _make_durable(self, records: list[Record]) -> apsw.Error | None:
        arrivals = any(type(record) is Arrival for record in records)
        if arrivals:
            faults.reach("before_commit")
        try:
            self.connection.execute("COMMIT")
        except apsw.Error as why:
            return why
        if arrivals:
            faults.reach("after_commit")
        return None

    def _committed(self, batch: list[Entry], records: list[Record], results: list[object], why: apsw.Error | None) -> None:
        if why is None:
            self.writer.committed()
        else:
            results = self._unavailable(records, why)
        self._tell(batch, results)

    def _tell(self, batch: list[Entry], results: list[object]) -> None:
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():  # cancelled by whoever waited
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    def _next(self) -> None:
        """The connection is free."""
        self._busy = False
        if self._waiting:
            self._call_for_a_turn()
        elif self._closing:
            if not self._closing.done():
                self._closing.set_result(None)
        elif self._pages > QUIET_PAGES and self._quiet is None:
            self._quiet = self._loop.call_later(QUIET, self._rest, self._commits)

    # -- writing

    def _stage(self, records: list[Record]) -> tuple[list[object], bool]:
        """Begin a transaction and write; the results, and whether there is something to commit."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            return self.writer.write(records), True
        except DISK as why:
            return self._unavailable(records, why), False
        except Exception:  # noqa: BLE001 - whatever one record did wrong must not cost the others
            self._roll_back()
            return self._stage_singly(records)

    def _stage_singly(self, records: list[Record]) -> tuple[list[object], bool]:
        """Each record by itself, so that the one which fails fails alone."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            return [self._stage_one(record) for record in records], True
        except DISK as why:
            return self._unavailable(records, why), False

    def _stage_one(self, record: Record) -> object:
        self.connection.execute("SAVEPOINT one")
        try:
            (result,) = self.writer.write([record])
        except DISK:
            raise
        except Exception as why:  # noqa: BLE001 - handed to whoever submitted the record
            self.connection.execute("ROLLBACK TO one")
            self.writer.forget()
            result = Refused(f"{type(why).__name__}: the record cannot be written")
            result.__cause__ = why
        self.connection.execute("RELEASE one")
        return result

    def _unavailable(self, records: list[Record], why: BaseException) -> list[object]:
        self._roll_back()
        return [StoreUnavailable(f"nothing can be kept now: {type(why).__name__}") for _ in records]

    def _roll_back(self) -> None:
        self.writer.forget()
        if self.connection.in_transaction:
            try:
                self.connection.execute("ROLLBACK")
            except apsw.Error:
                pass  # SQLite has rolled back by itself; had it not, BEGIN would fail and the store stay unavailable

    # -- the log

    def _grown(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Bring the log's pages home; a disk that will not take them now is asked again later."""
        try:
            self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            pass  # what is in the log is durable there
        self._pages = 0

    def _rest(self, commits: int) -> None:
        """In a quiet moment, a shorter log is brought home too."""
        self._quiet = None
        if self._busy or self._waiting:
            return
        if commits == self._commits:
            self._busy = True
            self._bring_home()
        else:
            self._next()

    async def drain(self) -> None:
        """Take nothing more, and wait for what was taken."""
        self._closing, self._urgent = self._loop.create_future(), True
        if self._waiting or self._busy:
            self._hasten()
            await self._closing
        for timer in (self._timer, self._quiet):
            if timer is not None:
                timer.cancel()


class Turn(Committer):
    """Commits on the loop's own thread, once a turn: cheapest where an fsync is quick."""

    def _commit(self, batch: list[Entry], records: list[Record], results: list[object]) -> None:
        self._committed(batch, records, results, self._make_durable(records))
        if self._pages > CHECKPOINT_PAGES:
            self._checkpoint()
        self._next()

    def _bring_home(self) -> None:
        self._checkpoint()
        self._next()


class Thread(Committer):
    """Commits on a thread, so that the loop goes on while the disk works; what arrives meanwhile shares the next commit."""

    def __init__(self, loop: AbstractEventLoop, writer: Writer) -> None:
        super().__init__(loop, writer)
        self._orders: SimpleQueue = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def _commit(self, batch: list[Entry], records: list[Record], results: list[object]) -> None:
        self._orders.put((batch, records, results))

    def _bring_home(self) -> None:
        self._orders.put(())

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                self._carry_out(order, self._loop.call_soon_threadsafe)
            except RuntimeError:
                return  # the loop was closed before the store was: nobody waits any more

    def _carry_out(self, order: tuple, tell: Callable[..., object]) -> None:
        if order:
            why = self._make_durable(order[1])
            if self._pages <= CHECKPOINT_PAGES or why:
                tell(self._committed_and_next, *order, why)
                return
            tell(self._committed, *order, why)  # nobody waits for the checkpoint but what comes next
        self._checkpoint()
        tell(self._next)

    def _committed_and_next(self, *order: object) -> None:
        self._committed(*order)
        self._next()

    async def drain(self) -> None:
        """As the committer's, and the thread ends."""
        await super().drain()
        self._orders.put(None)
        self._thread.join()


DRIVERS = {"loop": Turn, "thread": Thread}

"""The alias table (rule 8): which merges are in force for a message, by its place in the order of receipt.

A merge is written in one transaction with the message that says it, and is in force for every message received after that one; what
a person takes back is in force no longer for those received after the message which does so.  So a message's id is the version of
the table it stands under: the same message gives the same documents after any restart, and a replay, which is a message of its own,
goes by what is known today.

While a merge is being written, messages wait here for their turn, so that none is read by an older table than its place says.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, Future, shield
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace

from engine.store.records import MergeRow, Stored
from transforms.document import HL7, NO_ALIASES, Aliases, Document, Merge
from transforms.mapping.identity import namer
from transforms.mapping.merging import EVENTS, after

VIEWS = 16  # earlier tables that are kept ready: a backlog is read in order


@dataclass(frozen=True, slots=True)
class Standing:
    """What a message stands under: the merges in force, and which ones it takes back, if that is what it does."""

    aliases: Aliases = NO_ALIASES
    undone: tuple[Merge, ...] = ()


NOWHERE = Standing()


class Merges:
    """All merges of a store, and the door that keeps messages in order while one is written."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.now = NOWHERE  # for a message that comes now
        self.rows: list[MergeRow] = []
        self._changes: list[int] = []  # ids of the messages that changed the table
        self._views: OrderedDict[int, Standing] = OrderedDict()
        self._families: dict[str, _Family] = {}  # by a site's secret
        self._loop = loop
        self._closed = self._passing = False
        self._waiting: deque[Future[None]] = deque()

    def load(self, rows: Sequence[MergeRow]) -> None:
        """Take what the store has."""
        self.rows = list(rows)
        self._changes = sorted({id for row in rows for id in (row.message_id, row.undone) if id})
        self._views.clear()
        self.now = Standing(self._in_force(len(self._changes)))

    def add(self, message_id: int, merges: Sequence[Merge]) -> None:
        """A message that merges is durable."""
        rows = [MergeRow(message_id, merge) for merge in merges]
        if rows and self._changes and message_id < self._changes[-1]:
            self.load(sorted([*self.rows, *rows], key=lambda row: row.message_id))
        elif rows:
            self.rows += rows
            self._changes.append(message_id)
            self.now = Standing(after(self.now.aliases, merges, message_id))

    def undo(self, message_id: int, undone: int) -> None:
        """A message that takes back what another one merged is durable."""
        self.load([replace(row, undone=message_id) if row.message_id == undone and not row.undone else row for row in self.rows])

    def of(self, message_id: int) -> tuple[MergeRow, ...]:
        """What a message merged."""
        return tuple([row for row in self.rows if row.message_id == message_id])

    def family(self, secret: str, uid: str) -> str:
        """One name for all ids of a patient that were ever merged, also if that was taken back: whose result it is, is no conflict."""
        found = self._families.get(secret)
        if found is None:
            found = self._families[secret] = _Family(secret)
        return found.of(uid, self.rows)

    def standing(self, message_id: int) -> Standing:
        """What a message that is there already stands under."""
        if not self._changes:
            return NOWHERE
        index = bisect_left(self._changes, message_id)
        changing = self._changes[index : index + 1] == [message_id]
        undone = tuple([row.merge for row in self.rows if row.undone == message_id]) if changing else ()
        if index == len(self._changes):
            return self.now
        found = self._views.get(index)
        if found is None:
            found = self._views[index] = Standing(self._in_force(index))
            if len(self._views) > VIEWS:
                self._views.popitem(last=False)
        return Standing(found.aliases, undone) if undone else found

    def _in_force(self, index: int) -> Aliases:
        """The table after so many changes."""
        version = self._changes[index - 1] if index else 0
        held = [row.merge for row in self.rows if row.message_id <= version and not (row.undone and row.undone <= version)]
        return after(NO_ALIASES, held, version)

    # -- in order

    @staticmethod
    def concerns(document: object) -> bool:
        """Whether a message may merge something, by its event."""
        if not isinstance(document, Document) or document.media_type != HL7:
            return False
        header = document.body.header  # type: ignore[attr-defined]
        return len(header) > 9 and header[9][4:7] in EVENTS

    @property
    def busy(self) -> bool:
        """Whether a message has to `enter` before it is read."""
        return self._closed or self._passing or bool(self._waiting)

    async def enter(self, closing: bool) -> None:
        """Wait for the turn; `closing`: others wait until this one will `leave`."""
        if self.busy:
            turn: Future[None] = self._loop.create_future()
            self._waiting.append(turn)
            try:
                await turn
            except CancelledError:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                else:
                    self._next()
                raise
        self._passing, self._closed = False, closing
        if not closing:
            self._next()

    def written(self, storing: Future[Stored], merges: Sequence[Merge], undone: int = 0) -> Awaitable[Stored]:
        """Await what closed the door: it opens when that is durable, or was not kept, whoever still waits for it."""

        def known(storing: Future[Stored]) -> None:
            if not storing.cancelled() and storing.exception() is None and not storing.result().duplicate:
                if undone:
                    self.undo(storing.result().id, undone)
                else:
                    self.add(storing.result().id, merges)
            self.leave()

        storing.add_done_callback(known)
        return shield(storing)

    def leave(self) -> None:
        """Open the door."""
        self._closed = False
        self._next()

    def _next(self) -> None:
        """The next one's turn; until it begins nobody overtakes it."""
        self._passing = bool(self._waiting)
        if self._passing:
            turn = self._waiting.popleft()
            if turn.done():  # cancelled, and not yet gone
                self._loop.call_soon(self._next)
            else:
                turn.set_result(None)


class _Family:
    """Ids of patients that were merged, under one secret."""

    def __init__(self, secret: str) -> None:
        self._name, self._heads, self._seen = namer(secret), dict[str, str](), 0

    def of(self, uid: str, rows: Sequence[MergeRow]) -> str:
        for row in rows[self._seen :]:
            both = (row.merge.prior, row.merge.survivor)
            prior, survivor = (self._head(self._name(f"{row.merge.kind}|{system}|{value}")) for system, value in both)
            if prior != survivor:
                self._heads[prior] = survivor
        self._seen = len(rows)
        return self._head(uid)

    def _head(self, uid: str) -> str:
        while (found := self._heads.get(uid)) is not None:
            uid = found
        return uid

"""Writing what became of messages, for as long as it takes.

A settlement the store cannot take now is written again until it can: meanwhile its lane waits, nothing is forgotten, and
after a crash it would all be made again from the message.  Whoever learns that the store fails says so here; the engine
watches, closes its doors when it lasts, and opens them again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from channels.faults import reach
from engine.events import Events, Fault, StoreFailing, StoreRecovered
from engine.runtime.in_hand import Hands, InHand
from engine.store.contract import Refused, Store, StoreUnavailable
from engine.store.records import Settlement

FIRST, LONGEST = 0.2, 15.0  # seconds between attempts at a store that fails


class StoreWatch:
    """Whether the store takes anything.  `changed` is called when that turns."""

    def __init__(self, events: Events, now: Callable[[], float]) -> None:
        self._events, self._now = events, now
        self.failing_since = 0.0
        self.why = ""
        self.changed: list[Callable[[], None]] = []

    def failed(self, error: BaseException) -> None:
        """The store refused something."""
        if self.failing_since:
            return
        self.failing_since, self.why = self._now(), type(error).__name__
        self._events.tell(StoreFailing(str(error) if isinstance(error, StoreUnavailable) else self.why))
        for tell in self.changed:
            tell()

    def worked(self) -> None:
        """The store took something."""
        if not self.failing_since:
            return
        lasted, self.failing_since, self.why = self._now() - self.failing_since, 0.0, ""
        self._events.tell(StoreRecovered(lasted))
        for tell in self.changed:
            tell()


class Settling:
    """Settles messages, and does not give up."""

    def __init__(self, store: Store, watch: StoreWatch, events: Events, loop: asyncio.AbstractEventLoop) -> None:
        self._store, self.watch, self._events, self._loop = store, watch, events, loop
        self._tasks: set[asyncio.Task[None]] = set()

    async def settle(self, settlement: Settlement) -> None:
        """Return when `settlement` is durable."""
        reach("before_settle")
        try:
            await self._store.settle(settlement)
        except Refused as error:  # it would take a row from where it may not go: what is written stands
            self._events.tell(Fault("settle", f"{type(error).__name__} {error}"))
        except Exception as error:  # StoreUnavailable, or a defect: either way it is not written, and has to be
            await self._again(settlement, error)
        if self.watch.failing_since:
            self.watch.worked()
        reach("after_settle")

    async def _again(self, settlement: Settlement, error: Exception) -> None:
        wait = FIRST
        while True:
            if isinstance(error, StoreUnavailable):
                self.watch.failed(error)
            else:
                self._events.tell(Fault("settle", type(error).__name__))
            await asyncio.sleep(wait)
            wait = min(LONGEST, 2 * wait)
            try:
                return await self._store.settle(settlement)
            except Exception as again:
                error = again

    def soon(self, settlement: Settlement, then: Callable[[], None] | None = None) -> None:
        """Settle without waiting; `then` is called when it is durable."""
        task = self._loop.create_task(self._settle_then(settlement, then))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def let_go(self, hand: InHand, hands: Hands) -> None:
        """Of a message that memory holds nothing of: write what is not written yet, and forget it."""
        settlement = hand.settlement()
        if settlement is None:
            hands.committed(hand)
        else:
            self.soon(settlement, partial(hands.committed, hand))

    async def _settle_then(self, settlement: Settlement, then: Callable[[], None] | None) -> None:
        await self.settle(settlement)
        if then is not None:
            then()

    async def finish(self, grace: float) -> None:
        """Wait for what is being settled, at most `grace` seconds; the rest is made again at the next start."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

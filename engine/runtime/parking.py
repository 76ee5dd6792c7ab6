"""Lanes that wait: behind a dead letter or an unsure delivery, until a person decides; behind a head that waits long, until its
time comes.

What a parked lane holds is written as `queued` and leaves memory; what arrives for it is written too.  Its messages are
settled, as held.  When nothing blocks the lane any more its rows are read back, oldest first, and what they stand for is made
again from the messages; newcomers still queue up in the store until the last row is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from engine.events import Events, Unsure
from engine.runtime.delivery import Delivering
from engine.runtime.in_hand import FORCED, SET_DOWN, WAITS, Delivery, Hands
from engine.runtime.lanes import Lane
from engine.runtime.settling import Settling
from engine.store.contract import Store
from engine.store.records import DeliveryRow, DeliveryStatus, MessageRow, MessageStatus, Settlement

D = DeliveryStatus
PAGE = 20  # rows of a lane read back at once
DRAINS = 16  # lanes read back side by side
SCAN = 500  # rows read at once when the engine starts

Bring = Callable[[DeliveryRow, MessageRow], Awaitable[Delivery | None]]
"""A delivery made again from its row and its message, in hand; None if it may not or cannot be sent (and that is written)."""


class _Parked:
    """A lane that waits: for `blockers`, (message, part), and with `writing` rows not durable yet."""

    __slots__ = ("blockers", "moved", "task", "writing")

    def __init__(self) -> None:
        self.blockers: set[tuple[int, int]] = set()
        self.writing = 0
        self.moved = asyncio.Event()  # a row is durable, or the lane's memory is empty
        self.task: asyncio.Task[None] | None = None


class Parking:
    """The parked lanes of one destination."""

    def __init__(self, delivering: Delivering, hands: Hands, settling: Settling, store: Store, events: Events, bring: Bring,
                 now: Callable[[], float]) -> None:  # fmt: skip
        self._delivering, self._hands, self._settling, self._store, self._bring = delivering, hands, settling, store, bring
        self._events, self._now = events, now
        self._parked: dict[str, _Parked] = {}
        self._turns = asyncio.Semaphore(DRAINS)

    def __len__(self) -> int:
        return len(self._parked)

    def waits(self, delivery: Delivery) -> bool:
        """Whether a delivery has to wait for others of its lane: it is parked, and not for this one's sake."""
        parked = self._parked.get(delivery.lane)
        return parked is not None and (delivery.hand.id, delivery.part) not in parked.blockers

    # -- lanes that begin to wait

    def keep(self, delivery: Delivery) -> None:
        """Write a delivery whose lane waits, and let memory have its place."""
        parked = self._parked[delivery.lane]
        parked.writing += 1
        row = delivery.row(D.QUEUED, self._now(), code=WAITS, reason="an older delivery of its lane has to be seen to first")
        self._settling.soon(delivery.hand.finish(delivery, row), partial(self._kept, parked, delivery))

    def _kept(self, parked: _Parked, delivery: Delivery) -> None:
        parked.writing -= 1
        parked.moved.set()
        self._hands.committed(delivery.hand)

    def dead(self, lane: Lane, delivery: Delivery) -> None:
        """The first of a lane was given up, or may be there already: the lane waits for a person."""
        self._wait_for(lane.key, delivery)
        self._set_down(self._delivering.lanes.clear(lane)[1:])

    def wait_behind(self, lane: Lane) -> None:
        """The first of a lane waits for its time; what is behind it need not stand in memory."""
        self._wait_for(lane.key, lane.queue[0])
        self._set_down(self._delivering.lanes.cut(lane))

    def _wait_for(self, lane: str, delivery: Delivery) -> None:
        self._parked.setdefault(lane, _Parked()).blockers.add((delivery.hand.id, delivery.part))

    def _set_down(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.released:  # its row still says so
                hand = delivery.hand
                hand.statuses[delivery.destination, delivery.part] = D.QUEUED
                hand.open -= 1
                self._hands.committed(hand)
            else:
                self.keep(delivery)

    # -- lanes that may go on

    def over(self, delivery: Delivery) -> None:
        """A delivery is over and durable: if its lane waited for it, or for memory to be empty, it may go on."""
        for lane in (delivery.lane, *delivery.also):
            parked = self._parked.get(lane)
            if parked is None:
                continue
            if delivery.status is not D.DEAD_LETTER or not self._delivering.policy.park:
                parked.blockers.discard((delivery.hand.id, delivery.part))
            self._go_on(lane, parked)

    def release(self, lane: str, message_id: int, part: int) -> None:
        """A person decided about what blocked the lane: what waits there is read back when nothing else blocks it."""
        parked = self._parked.setdefault(lane, _Parked())
        parked.blockers.discard((message_id, part))
        self._go_on(lane, parked)

    def _go_on(self, lane: str, parked: _Parked) -> None:
        parked.moved.set()
        if not parked.blockers and parked.task is None:
            parked.task = asyncio.get_running_loop().create_task(self._drain(lane, parked))

    async def _drain(self, lane: str, parked: _Parked) -> None:
        """Send what waits in a lane's rows, page by page, until there is none or something blocks it again."""
        lanes = self._delivering.lanes
        try:
            async with self._turns:
                while not parked.blockers:
                    parked.moved.clear()
                    writing = parked.writing  # what becomes a row from now on may be missing in what is read
                    if lanes.get(lane) is None and not await self._next_page(lane) and not writing and not parked.writing:
                        del self._parked[lane]
                        return
                    if lanes.get(lane) is not None or parked.writing:
                        await parked.moved.wait()
        finally:
            parked.task = None

    async def _next_page(self, lane: str) -> int:
        """Bring a page of a lane's rows back into memory, which has nothing of the lane.  Returns how many there were."""
        policy, brought = self._delivering.policy, 0
        for row in await self._store.waiting(policy.channel, policy.name, (D.QUEUED,), lane, limit=PAGE):
            message = await self._store.message(row.message_id)
            if message is None:
                continue
            brought += 1
            delivery = await self._bring(row, message)
            if delivery is not None:
                self._delivering.append(delivery)
        self._delivering.pump()
        return brought

    # -- after a start

    async def recover(self) -> None:
        """Find out which lanes wait, from the rows; what was being sent when the engine died is `unsure`, or to be sent again."""
        policy = self._delivering.policy
        for row in [row async for row in self._rows((D.SENDING,))]:
            await self._unsure(row, policy.resend)
        if policy.park:
            async for row in self._rows((D.DEAD_LETTER, D.UNSURE)):
                self._parked.setdefault(row.lane, _Parked()).blockers.add((row.message_id, row.part))
        heads = []
        async for row in self._rows((D.QUEUED,)):
            if row.code in SET_DOWN or not await self._unsettled(row.message_id):
                self._parked.setdefault(row.lane, _Parked())
            else:
                heads.append(row)  # waits for its own time, before the others of its lane; the backlog brings it
        for row in heads:
            if row.lane in self._parked:
                self._parked[row.lane].blockers.add((row.message_id, row.part))

    async def _unsettled(self, message_id: int) -> bool:
        message = await self._store.message(message_id)
        return message is not None and message.status is MessageStatus.RECEIVED

    def start(self) -> None:
        """Let those lanes go on that nothing blocks."""
        for lane, parked in list(self._parked.items()):
            self._go_on(lane, parked)

    async def _rows(self, statuses: Sequence[D]) -> AsyncIterator[DeliveryRow]:
        """All rows in these states, oldest first; now and then one of them twice."""
        channel, name = self._delivering.policy.channel, self._delivering.policy.name
        after, page = 0, []
        while not after or len(page) == SCAN:
            page = await self._store.waiting(channel, name, statuses, after=after, limit=SCAN)
            for row in page:
                yield row
            if page:
                last = page[-1].message_id
                after = last - 1 if page[0].message_id < last else last  # a message's parts may lie on two pages
            else:
                return

    async def _unsure(self, row: DeliveryRow, resend: bool) -> None:
        again = FORCED if row.code == FORCED else "resent"
        status, code, reason = (D.QUEUED, again, "") if resend else (D.UNSURE, "unsure", "the engine stopped while it was being sent")
        changed = replace(row, status=status, code=code, reason=reason, changed=self._now())
        await self._settling.settle(Settlement(row.message_id, None, (changed,)))
        if not resend:
            self._events.tell(Unsure(self._delivering.policy.channel, self._delivering.policy.name, row.message_id))

    async def close(self) -> None:
        """Read nothing back any more."""
        tasks = [parked.task for parked in self._parked.values() if parked.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

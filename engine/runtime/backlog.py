"""What a destination has no room for: left in the store, and read on from there by a cursor.

The backlog *is* the received, unsettled messages.  Each destination has a cursor of its own, so that one that is down holds
none of the others.  While it has caught up, newcomers go straight to it; from the first that finds no room on, all are left,
until the reader has come to the newest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.runtime.dispatch import Dispatch
from engine.runtime.in_hand import Delivery, Hands, InHand
from engine.runtime.merges import NOWHERE, Standing
from engine.runtime.plan import Plan
from engine.runtime.versions import Unrunnable
from engine.store.records import DeliveryRow, MessageRow

PAGE = 100  # messages read at once
BYTES = 32 * 2**20  # of documents that memory holds for one destination, about
TURN = 8  # messages taken up before the loop may do something else
ASIDE = 256  # newcomers that may wait for the reader to come to them
PATIENCE = 1.0  # seconds before a store that could not be read is read again

@dataclass(frozen=True, slots=True)
class Unsettled:
    """A message of the backlog: what is written of its deliveries so far, what runs it, as of when and of which merges."""

    message: MessageRow
    rows: Sequence[DeliveryRow]
    dispatch: Dispatch | Unrunnable
    received: float
    standing: Standing = NOWHERE

    def plan(self) -> Plan:
        """What is to be done with it."""
        return self.dispatch.again(self.message.content, self.received, self.message.destinations, self.standing, self.message.about)


class Reading(Protocol):
    """What a destination's backlog needs of the destination."""

    async def unsettled(self, after: int, limit: int) -> Sequence[Unsettled]: ...  # oldest first
    def adopt(self, unsettled: Unsettled) -> None: ...  # take up what there is to do of it
    def take(self, deliveries: Sequence[Delivery]) -> None: ...  # a newcomer's
    def leave(self, hand: InHand, deliveries: Sequence[Delivery]) -> None: ...  # a newcomer's: they will be read again
    def room(self) -> int: ...  # how many messages more memory may hold
    def unreadable(self, error: Exception) -> None: ...  # the store could not be read; it will be tried again


class Backlog:
    """A destination's place in the backlog of its channel."""

    def __init__(self, hands: Hands, loop: asyncio.AbstractEventLoop, reading: Reading) -> None:
        self._hands, self._loop, self._reading = hands, loop, reading
        self.cursor = 0  # all up to this id have been taken, or are none of this destination's business
        self.read_to = 0  # up to this id, what was unsettled has been read
        self.caught_up = False
        self._aside: dict[int, tuple[InHand, Sequence[Delivery]]] = {}
        self._left = False  # a newcomer was left to the store since the reader began its page
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def admit(self, hand: InHand, deliveries: Sequence[Delivery]) -> bool:
        """A newcomer, which may be taken at once, or when the reader has come to it; False: it is left to the store."""
        if self.caught_up and self._reading.room() > 0:
            self.cursor = max(self.cursor, hand.id)
            self._reading.take(deliveries)
            return True
        if self._task is not None and not self._left and len(self._aside) < ASIDE:
            self._aside[hand.id] = (hand, deliveries)
            return True
        self.fall_behind(hand.id)
        return False

    def fall_behind(self, id: int) -> None:
        """A message is in the store only, and has to be read."""
        self.caught_up, self._left = False, True
        self.cursor = min(self.cursor, id - 1)

    def pass_by(self, id: int) -> None:
        """A newcomer is none of this destination's business."""
        if self.caught_up:
            self.cursor = max(self.cursor, id)

    def read_on(self) -> None:
        """Read what was left, if anything was."""
        if self._task is None and not self.caught_up and not self._closed:
            self._task = self._loop.create_task(self._read())

    async def _read(self) -> None:
        self._hands.reading()
        try:
            while not self.caught_up and (limit := min(PAGE, self._reading.room())) > 0:
                self._left = False
                page = await self._reading.unsettled(self.cursor, limit)
                for number, unsettled in enumerate(page):
                    if number % TURN == TURN - 1:
                        await asyncio.sleep(0)
                    self._next(unsettled)
                if len(page) < limit:
                    self._meet_newcomers()
        except Exception as error:  # the store fails, or a defect: what is unread is still there
            self._reading.unreadable(error)
            self._loop.call_later(PATIENCE, self.read_on)
        finally:
            for hand, deliveries in self._aside.values():
                self._reading.leave(hand, deliveries)
            self._aside.clear()
            self._hands.read()
            self._task = None

    def _next(self, unsettled: Unsettled) -> None:
        """Take up the oldest that was not taken yet; if it is a newcomer too, what is in hand of it."""
        id = unsettled.message.id
        if id <= self.cursor:
            return
        self.cursor = id
        self.read_to = max(self.read_to, id)
        if id in self._aside:
            self._reading.take(self._aside.pop(id)[1])
        else:
            self._reading.adopt(unsettled)

    def _meet_newcomers(self) -> None:
        """All that was in the store is taken: now those that came meanwhile, in their order."""
        for id in sorted(self._aside):
            self.cursor = max(self.cursor, id)
            self._reading.take(self._aside[id][1])
        self._aside.clear()
        self.caught_up = not self._left

    async def close(self) -> None:
        """Read no more."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

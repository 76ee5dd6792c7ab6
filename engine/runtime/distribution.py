"""Which destination gets what of a channel's messages: newcomers in the order they were stored, and what is read back.

A reader of the backlog can be quicker than the task that stored a message; whoever comes second finds it in hand.  A distribution
lives as long as its destinations are open; what it has in hand then, the next one reads from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from engine.events import Events, Filtered
from engine.events import Failed as MessageFailed
from engine.runtime.backlog import Unsettled
from engine.runtime.dispatch import Dispatch
from engine.runtime.in_hand import Delivery, Hands, InHand, closed
from engine.runtime.merges import Merges
from engine.runtime.outlet import Outlet
from engine.runtime.plan import Plan
from engine.runtime.settling import Settling
from engine.runtime.versions import Unrunnable, Versions
from engine.store.contract import Store
from engine.store.records import DeliveryRow, DeliveryStatus, MessageRow, MessageStatus, SearchKeys


class Distribution:
    """A channel's messages in hand, and the destinations that are open."""

    def __init__(
        self, name: str, versions: Versions, store: Store, settling: Settling, events: Events, now: Callable[[], float], merges: Merges
    ) -> None:
        self.name, self.hands = name, Hands()
        self.outlets: dict[str, Outlet] = {}
        self.open = False  # until then, newcomers are left to the store
        self._versions, self._store, self._settling, self._events, self._now = versions, store, settling, events, now
        self.standing = merges.standing

    def hand_out(self, hand: InHand, plan: Plan) -> InHand | None:
        """Give a newcomer to its destinations.  Called in the order of ids.

        Returns the message as it is in hand (it may be already: a reader of the backlog can be quicker), None if it no longer is.
        """
        if not self.open:
            hand.missing = set(plan.deliveries)
            self.hands.take(hand)
            self._settling.let_go(hand, self.hands)
            return None
        known = self.hands.by_id.get(hand.id)
        if known is not None and known is not hand:
            known.first, known.answer = hand.first, known.answer or hand.answer
            hand = known
        todo: list[tuple[Outlet, list[Delivery]]] = []
        nowhere: list[Delivery] = []
        for name, deliveries in plan.deliveries.items():
            outlet = self.outlets.get(name)
            if outlet is None:
                nowhere += deliveries
            elif outlet.backlog.read_to < hand.id:  # else it was read back there before we came
                todo.append((outlet, deliveries))
        if not todo and not nowhere:
            return known
        overtaken = known is None and len(todo) < len(plan.deliveries) - len(nowhere)
        self.hands.take(hand)
        hand.hold(nowhere)
        for outlet, deliveries in todo:
            hand.missing.discard(outlet.name)
            hand.hold(deliveries)
        for outlet, deliveries in todo:
            if overtaken or not outlet.backlog.admit(hand, deliveries):
                outlet.backlog.fall_behind(hand.id)
                outlet.leave(hand, deliveries)
                outlet.backlog.read_on()
        self._nowhere(nowhere)
        self.pass_by(hand.id, plan)
        return hand

    def pass_by(self, id: int, plan: Plan) -> None:
        """A newcomer is none of the business of some destinations."""
        for name, outlet in self.outlets.items():
            if name not in plan.deliveries:
                outlet.backlog.pass_by(id)

    def _nowhere(self, deliveries: Sequence[Delivery]) -> None:
        """Hold what an earlier version sends to a destination that does not exist any more."""
        for delivery in deliveries:
            delivery.status = DeliveryStatus.HELD
            row = delivery.row(DeliveryStatus.HELD, self._now(), code="no_destination", reason="the channel has no such destination")
            self._settling.soon(delivery.hand.finish(delivery, row), partial(self.hands.committed, delivery.hand))

    async def load(self, digest: str) -> Dispatch | Unrunnable:
        """A version of this channel, prepared."""
        return await self._versions.load(digest)

    async def unsettled(self, after: int, limit: int) -> Sequence[Unsettled]:
        """The next messages of the backlog, with what is written of them and what runs them."""
        store = self._store
        messages = await store.unsettled(self.name, after, limit)
        ids = [message.id for message in messages]
        rows: dict[int, list[DeliveryRow]] = {}
        for name in self.outlets:
            for id, written in (await store.settled_for(self.name, name, ids)).items() if ids else ():
                rows.setdefault(id, []).extend(written)
        runs = {digest: await self.load(digest) for digest in {message.version for message in messages}}
        return [
            Unsettled(
                message, rows.get(message.id, ()), runs[message.version], await self.first_received(message), self.standing(message.id)
            )
            for message in messages
        ]

    async def first_received(self, message: MessageRow) -> float:
        """When the message came off the wire: a replay is transformed as of then, so that it gives what the original gave."""
        original = await self._store.message(message.replay_of) if message.replay_of else None
        return message.received if original is None else original.received

    def take_up(self, unsettled: Unsettled, plan: Plan) -> InHand | None:
        """Hold a message of the backlog which none of the destinations has in hand.  None if it ends here."""
        message = unsettled.message
        hand = InHand(message.id, message.control_id, message.received, len(message.content), message.force, message.replay_of)
        self.hands.take(hand)
        if plan.status is not None:
            self.end(hand, plan)
            return None
        hand.statuses = closed(unsettled.rows)
        if message.keys in (SearchKeys(), SearchKeys(control_id=message.control_id)):
            hand.keys, hand.leftover = plan.keys, plan.leftover
        hand.answer, hand.unsaid = message.answer, message.answer is None
        todo = {name: left for name, ds in plan.deliveries.items() if (left := [d for d in ds if (name, d.part) not in hand.statuses])}
        nowhere = [delivery for name, left in todo.items() if name not in self.outlets for delivery in left]
        hand.missing = {name for name in todo if name in self.outlets}
        hand.hold(nowhere)
        self._nowhere(nowhere)
        if not todo:
            self._settling.let_go(hand, self.hands)
        return hand

    def end(self, hand: InHand, plan: Plan) -> None:
        """Settle a message that goes nowhere: filtered, or in error."""
        if plan.status is MessageStatus.FILTERED:
            self._events.tell(Filtered(self.name, hand.id, plan.origin))
        else:
            assert plan.error is not None
            self._events.tell(MessageFailed(self.name, hand.id, plan.error.code.code, plan.error.place, plan.error.origin))
        self._settling.soon(plan.settlement(hand.id, hand.answer), partial(self.hands.committed, hand))

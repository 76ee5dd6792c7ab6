"""One destination of a running channel: what it has in hand, what waits in the store for it, which of its lanes are parked.

Here the three meet: `delivery` sends, `backlog` brings what there was no room for, `parking` keeps what waits behind a dead
letter.  An outlet is closed and made anew when its declaration changes; all it holds can be read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from engine.events import Events, Fault, Held
from engine.runtime.backlog import BYTES, Backlog, Unsettled
from engine.runtime.delivery import Delivering, World
from engine.runtime.dispatch import Dispatch
from engine.runtime.in_hand import FORCED, RELEASED, Delivery, Hands, InHand, closed
from engine.runtime.lanes import Lane
from engine.runtime.merges import Standing
from engine.runtime.parking import Parking
from engine.runtime.plan import Plan
from engine.runtime.settling import Settling
from engine.runtime.states import outcome
from engine.runtime.versions import Unrunnable
from engine.store.contract import Store
from engine.store.records import DeliveryRow, DeliveryStatus, MessageRow, MessageStatus, Settlement

D = DeliveryStatus
MOST_REASONS = 3  # why a document is held: said of so many places


class Home(Protocol):
    """What a destination needs of its channel."""

    hands: Hands

    async def unsettled(self, after: int, limit: int) -> Sequence[Unsettled]: ...
    async def load(self, digest: str) -> Dispatch | Unrunnable: ...
    async def first_received(self, message: MessageRow) -> float: ...
    def standing(self, message_id: int) -> Standing: ...
    def take_up(self, unsettled: Unsettled, plan: Plan) -> InHand | None: ...  # a message none of the destinations has in hand


class Outlet:
    """A destination that runs."""

    def __init__(
        self, delivering: Delivering, home: Home, settling: Settling, store: Store, events: Events, world: World, window: int
    ) -> None:
        self.delivering, self.name = delivering, delivering.policy.name
        hands = self._hands = home.hands
        self._home, self._settling, self._store, self._events, self._now = home, settling, store, events, world.now
        self._window, self._enough = window, max(1, window // 4)
        self.unsettled = home.unsettled
        self._started = False
        self.backlog = Backlog(hands, world.loop, self)
        self.parking = Parking(delivering, hands, settling, store, events, self._bring, world.now)
        delivering.on_over, delivering.on_dead = self._over, self.parking.dead

    # -- what there is to send

    def take(self, deliveries: Sequence[Delivery]) -> None:
        """Hold deliveries of one message, in the order of messages: to be sent, to wait with their lane, or not to leave at all."""
        for delivery in deliveries:
            if delivery.hold:
                self._settling.soon(self._held(delivery), partial(self._hands.committed, delivery.hand))
            elif self.parking and self.parking.waits(delivery):
                self.parking.keep(delivery)
            else:
                self.delivering.append(delivery)
        self.delivering.pump()

    def _held(self, delivery: Delivery) -> Settlement:
        delivery.status = D.HELD
        row = delivery.row(D.HELD, self._now(), code=delivery.hold, reason=_why_held(delivery))
        self._events.tell(Held(self.delivering.policy.channel, self.name, delivery.hand.id, delivery.hold))
        return delivery.hand.finish(delivery, row)

    def room(self) -> int:
        """How many messages more memory may hold for this destination."""
        lanes = self.delivering.lanes
        if lanes.weight >= BYTES:
            return 0
        room = self._window - lanes.count
        if room <= 0:
            self._set_down_waiting()
            room = self._window - lanes.count
        return room

    def _set_down_waiting(self) -> None:
        """Lanes whose first waits for its time must not fill the window."""
        lanes = self.delivering.lanes
        for lane in [lane for lane in lanes if lane.timer is not None and len(lane.queue) > 1 and not lanes.joined(lane)]:
            self.parking.wait_behind(lane)

    def _over(self, lane: Lane, delivery: Delivery) -> None:
        if self.parking:
            self.parking.over(delivery)
        if not self.backlog.caught_up and self._window - self.delivering.lanes.count >= self._enough:
            self.backlog.read_on()

    # -- what is read back

    def adopt(self, unsettled: Unsettled) -> None:
        """Take up what this destination has to do of a message read from the backlog."""
        message = unsettled.message
        hand = self._hands.by_id.get(message.id)
        if hand is not None and self.name not in hand.missing or self._hands.outdated(message.id):
            return
        plan = unsettled.plan()
        if hand is None:
            hand = self._home.take_up(unsettled, plan)
            if hand is None or self.name not in hand.missing:
                return
        deliveries = [delivery for delivery in plan.deliveries[self.name] if (self.name, delivery.part) not in hand.statuses]
        written = {row.part: row for row in unsettled.rows if row.destination == self.name}
        for delivery in deliveries:
            if delivery.part in written:
                _as_written(delivery, written[delivery.part])
        hand.missing.discard(self.name)
        hand.hold(deliveries)
        self.take(deliveries)

    def leave(self, hand: InHand, deliveries: Sequence[Delivery]) -> None:
        """Let go of a newcomer's deliveries, which will be read again."""
        hand.missing.add(self.name)
        hand.let_go(deliveries)
        if hand.open <= 0:
            self._settling.let_go(hand, self._hands)

    def unreadable(self, error: Exception) -> None:
        """The backlog could not be read; it will be tried again."""
        self._events.tell(Fault(f"backlog {self.delivering.policy.channel}/{self.name}", type(error).__name__))

    async def _bring(self, row: DeliveryRow, message: MessageRow) -> Delivery | None:
        """A delivery of a parked lane, made again."""
        dispatch = await self._home.load(message.version)
        received, standing = await self._home.first_received(message), self._home.standing(message.id)
        plan = dispatch.again(message.content, received, message.destinations, standing, message.about)
        delivery = next((one for one in plan.deliveries.get(self.name, ()) if one.part == row.part), None)
        rows = await self._store.deliveries(message.id)
        hand = self._hands.by_id.get(message.id)
        if hand is None:
            hand = InHand(message.id, message.control_id, message.received, len(message.content), message.force, message.replay_of)
            settled = message.status is not MessageStatus.RECEIVED
            hand.statuses = {(one.destination, one.part): one.status for one in rows} if settled else closed(rows)
            hand.answer, hand.unsaid = message.answer, False
            hand.missing = {name for name, ds in plan.deliveries.items() if any((name, d.part) not in hand.statuses for d in ds)}
            if all((self.name, one.part) in hand.statuses or one.part == row.part for one in plan.deliveries.get(self.name, ())):
                hand.missing.discard(self.name)
        if delivery is None:  # the version of the day cannot be run any more
            await self._given_up(hand, row, plan)
            return None
        if row.code == FORCED:
            delivery.hold, delivery.forced = "", True
            document = delivery.document
            delivery.document = replace(document, parts=tuple([replace(part, hold="") for part in document.parts]))
        _as_written(delivery, row)
        delivery.released = True
        hand.hold([delivery])
        self._hands.take(hand)
        if delivery.hold:
            await self._settling.settle(self._held(delivery))
            self._hands.committed(hand)
            return None
        return delivery

    async def _given_up(self, hand: InHand, row: DeliveryRow, plan: Plan) -> None:
        why = plan.error.why if plan.error else "the message gives nothing for this destination any more"
        hand.statuses[self.name, row.part] = D.DEAD_LETTER
        changed = replace(row, status=D.DEAD_LETTER, code="not_made", reason=why, changed=self._now())
        await self._settling.settle(hand.written(changed))

    # -- what people decide

    async def decide(self, row: DeliveryRow, message: MessageRow, again: bool, force: bool) -> None:
        """Send a dead letter (or an unsure or held delivery) again, or dismiss it.  `force`: also what may not leave as it is."""
        status = D.QUEUED if again else D.DISMISSED
        code, reason = (FORCED if force else RELEASED, "a person sends it again") if again else ("dismissed", "a person dismissed it")
        changed = replace(row, status=status, attempts=0, next_try=0.0, code=code, reason=reason, changed=self._now())
        hand = self._hands.by_id.get(row.message_id)
        if hand is not None:
            hand.statuses[self.name, row.part] = status
        come_to = None
        if message.status is not MessageStatus.RECEIVED:
            statuses = {(one.destination, one.part): one.status for one in await self._store.deliveries(row.message_id)}
            come_to = outcome({**statuses, (self.name, row.part): status}.values())
        await self._settling.settle(Settlement(row.message_id, come_to, (changed,)))
        if hand is not None and not again:
            self._hands.committed(hand)
        self.parking.release(row.lane, row.message_id, row.part)

    # -- life

    async def start(self) -> None:
        """Find what was left when the engine last stopped, and begin; nothing if it has begun."""
        if self._started:
            return
        self._started = True
        await self.parking.recover()
        self.parking.start()
        self.backlog.read_on()
        self.delivering.resume()

    async def close(self, grace: float) -> None:
        """Let what is under way be settled; let go of the rest."""
        await self.backlog.close()
        await self.parking.close()
        await self.delivering.stop(grace)


def _why_held(delivery: Delivery) -> str:
    """What the steps noted of it, with the places; never a value."""
    noted = [f"{note.place}: {note.sentence}" for note in delivery.document.notes if note.code == delivery.hold]
    return "; ".join(noted[:MOST_REASONS]) or "it may not leave as it is"


def _as_written(delivery: Delivery, row: DeliveryRow) -> None:
    """Go on where the row says it stood."""
    delivery.attempts, delivery.next_try, delivery.written = row.attempts, row.next_try, True

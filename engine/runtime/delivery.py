"""One destination's deliveries: sends the first of each lane, several lanes at once, and settles what came of it.

The next of a lane is sent only when its predecessor's settlement is durable.  A failing receiver pauses the destination:
one delivery at a time probes it, each time from another lane, so that a poisonous message cannot pose as a broken receiver.
What memory has no room for waits in the store (backlog.py); what waits behind a dead letter too (parking.py).
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, CancelledError, TimerHandle
from collections.abc import Callable
from dataclasses import dataclass

from channels.connector import Sending
from channels.message import Outcome, Outgoing, Verdict
from engine.events import (
    DeadLetter, Delivered, DestinationFailing, DestinationRecovered, Events, Fault, Held, Noted, Retrying, Superseded,
)  # fmt: skip
from engine.runtime.in_hand import Delivery, Hands
from engine.runtime.lanes import Lane, Lanes
from engine.runtime.register import Admission, Register
from engine.runtime.retry import Backoff, Health
from engine.runtime.settling import Settling
from engine.store.records import DeliveryStatus, Settlement

D = DeliveryStatus


@dataclass(frozen=True, slots=True)
class Policy:
    """How a destination delivers, from its declaration and its connector's."""

    channel: str
    name: str
    idempotent: bool = True
    in_flight: int = 8
    backoff: Backoff = Backoff()
    park: bool = True  # on_dead_letter
    resend: bool = False  # on_unsure


@dataclass(frozen=True, slots=True)
class World:
    """What the runtime leans on, so that a test can turn it."""

    loop: AbstractEventLoop
    now: Callable[[], float]  # seconds since the epoch
    chance: Callable[[], float]  # in [0, 1)
    new_id: Callable[[], str]  # control ids of messages of our own


class Delivering:
    """The deliveries of one destination that memory holds.

    `on_over` is called when a delivery is over and memory has its place; before, where it was given up and its lane is to be
    parked, `on_dead`, which takes the rest of the lane out of memory.
    """

    def __init__(
        self, policy: Policy, sending: Sending, hands: Hands, settling: Settling, register: Register, events: Events, world: World
    ) -> None:
        self.policy, self.sending, self.lanes = policy, sending, Lanes()
        self.health = Health(policy.backoff, world.chance)
        self.paused = True  # until it is started, or by a person
        self.under_way = 0  # attempts being made now
        self.on_over: Callable[[Lane, Delivery], None] = lambda lane, delivery: None
        self.on_dead: Callable[[Lane, Delivery], None] = lambda lane, delivery: None
        self.register, self._hands, self._settling, self._events = register, hands, settling, events
        self._loop, self._now, self._chance = world.loop, world.now, world.chance
        self._probe: TimerHandle | None = None
        self._judges = {
            Verdict.SENT: self._sent,
            Verdict.REFUSED: self._dead,
            Verdict.COUNTED: self._counted,
            Verdict.FAILING: self._failing,
            Verdict.HELD: self._held,
        }

    # -- what a delivery goes through

    def append(self, delivery: Delivery) -> None:
        """Hold a delivery at the end of its lane; one that has its own time waits for it."""
        lane = self.lanes.append(delivery)
        if lane is not None:
            self._not_before(lane, delivery.next_try)

    def pump(self) -> None:
        """Send from as many lanes as may."""
        limit = self.policy.in_flight
        while self.under_way < limit and not self.paused:
            if self.health.failing_since and not self._may_probe():
                return
            lane = self.lanes.next()
            if lane is None:
                return
            self.under_way += 1
            lane.task = self._loop.create_task(self._deliver(lane, lane.queue[0]))

    async def _deliver(self, lane: Lane, delivery: Delivery) -> None:
        began = self._now()
        admission = Admission(delivery.document)
        try:
            part = delivery.document.parts[0]
            if part.facts or part.entries is not None:
                admission = await self.register.admit(delivery)
            outcome = admission.outcome or await self._attempt(delivery, admission)
        except CancelledError:
            admission.release()
            raise
        except Exception as error:  # a connector that raises is broken; neither its message nor its lane may be lost by that
            self._events.tell(Fault(f"{self.policy.channel}/{self.policy.name}", type(error).__name__))
            outcome = Outcome(Verdict.COUNTED, "internal", f"the destination failed with {type(error).__name__}")
        self.under_way -= 1
        settlement = self._judge(lane, delivery, outcome, admission, began)
        self.pump()  # settling needs no connection: the next lane may send meanwhile
        if settlement is not None:
            await self._settling.settle(settlement)
        admission.release()
        lane.task = None
        self._after(lane, delivery)

    async def _attempt(self, delivery: Delivery, admission: Admission) -> Outcome:
        hand = delivery.hand
        if not self.policy.idempotent:
            delivery.written = True
            await self._settling.settle(hand.written(delivery.row(D.SENDING, self._now())))
        attempt = delivery.attempts + 1
        return await self.sending.send(
            Outgoing(admission.document, hand.id, hand.control_id, attempt, delivery.part, delivery.destination)
        )

    def _after(self, lane: Lane, delivery: Delivery) -> None:
        """What the delivery came to is durable."""
        if delivery.status is None:
            self._not_before(lane, delivery.next_try)
        else:
            self._hands.committed(delivery.hand)
            if delivery.status is D.DEAD_LETTER and self.policy.park:
                self.on_dead(lane, delivery)
            else:
                self.lanes.done(lane)
            self.on_over(lane, delivery)
        self.pump()

    # -- what an attempt comes to

    def _judge(self, lane: Lane, delivery: Delivery, outcome: Outcome, admission: Admission, began: float) -> Settlement | None:
        """Decide what is next (`delivery.status`, `next_try`).  Returns what has to be written."""
        if not delivery.tried:
            delivery.tried = True
            if delivery.hand.first is not None:
                delivery.hand.first(delivery, outcome)  # before it is written: the answer goes with it
        return self._judges[outcome.verdict](lane, delivery, outcome, admission, began)

    def _over(self, delivery: Delivery, status: DeliveryStatus, outcome: Outcome, admission: Admission, now: float) -> Settlement:
        delivery.status, delivery.next_try = status, 0.0
        return delivery.hand.finish(
            delivery, delivery.row(status, now, outcome), self.register.scope, outcome.learned, admission.rows if status is D.SENT else ()
        )

    def _sent(self, lane: Lane, delivery: Delivery, outcome: Outcome, admission: Admission, began: float) -> Settlement:
        now, policy, hand = self._now(), self.policy, delivery.hand
        if admission.outcome is not None:
            self._events.tell(Superseded(policy.channel, policy.name, hand.id))
            return self._over(delivery, D.SUPERSEDED, outcome, admission, now)
        self._through(now)
        delivery.attempts += 1
        self._events.tell(Delivered(policy.channel, policy.name, hand.id, now - hand.received, now - began))
        if admission.notes:
            self._events.tell(Noted(policy.channel, hand.id, tuple([note.code for note in admission.notes]), policy.name))
        return self._over(delivery, D.SENT, outcome, admission, now)

    def _dead(self, lane: Lane, delivery: Delivery, outcome: Outcome, admission: Admission, began: float) -> Settlement:
        now = self._now()
        if outcome.verdict is Verdict.REFUSED:
            self._judged(delivery, outcome, now)
        self._events.tell(DeadLetter(self.policy.channel, self.policy.name, delivery.hand.id, outcome.code))
        return self._over(delivery, D.DEAD_LETTER, outcome, admission, now)

    def _held(self, lane: Lane, delivery: Delivery, outcome: Outcome, admission: Admission, began: float) -> Settlement:
        now = self._now()
        if admission.outcome is None:
            self._judged(delivery, outcome, now)
        self._events.tell(Held(self.policy.channel, self.policy.name, delivery.hand.id, outcome.code))
        return self._over(delivery, D.HELD, outcome, admission, now)

    def _counted(self, lane: Lane, delivery: Delivery, outcome: Outcome, admission: Admission, began: float) -> Settlement:
        """An answer that does not say whose fault it is: the message's if others get through, else the receiver's."""
        now, health = self._now(), self.health
        counted = health.counts(delivery.seen)
        if health.doubted(lane.key, now, outcome.code):
            self._events.tell(DestinationFailing(self.policy.channel, self.policy.name, outcome.code))
        delivery.seen = health.successes
        if counted:
            delivery.attempts += 1
            if delivery.attempts >= health.backoff.attempts:
                return self._dead(lane, delivery, outcome, admission, began)
        else:
            delivery.alone += 1
        wait = health.backoff.wait(max(1, delivery.attempts + delivery.alone), self._chance(), outcome.retry_after)
        delivery.next_try = now + wait
        return self._retry(delivery, outcome, now, counted, wait)

    def _failing(self, lane: Lane, delivery: Delivery, outcome: Outcome, admission: Admission, began: float) -> Settlement | None:
        """The receiver is at fault.  A delivery that fails so while others get through waits longer and longer by itself."""
        now, health = self._now(), self.health
        if health.failed(now, outcome.code, outcome.retry_after):
            self._events.tell(DestinationFailing(self.policy.channel, self.policy.name, outcome.code))
        delivery.alone = delivery.alone + 1 if delivery.seen is not None and health.successes > delivery.seen else 0
        delivery.seen = health.successes
        wait = health.backoff.wait(delivery.alone, self._chance(), outcome.retry_after) if delivery.alone else 0.0
        delivery.next_try = now + wait if wait else 0.0
        if delivery.written or wait or outcome.learned:
            return self._retry(delivery, outcome, now, False, wait)
        return None

    def _retry(self, delivery: Delivery, outcome: Outcome, now: float, counted: bool, wait: float) -> Settlement:
        self._events.tell(Retrying(self.policy.channel, self.policy.name, delivery.hand.id, outcome.code, counted, wait))
        delivery.written = True
        return delivery.hand.written(delivery.row(D.QUEUED, now, outcome), self.register.scope, outcome.learned)

    def _judged(self, delivery: Delivery, outcome: Outcome, now: float) -> None:
        delivery.attempts += 1
        if outcome.response:  # it refused the message: the receiver itself is well
            self._through(now)

    def _through(self, now: float) -> None:
        lasted = self.health.succeeded(now)
        if lasted:
            self._events.tell(DestinationRecovered(self.policy.channel, self.policy.name, lasted))

    # -- time

    def _not_before(self, lane: Lane, due: float) -> None:
        wait = due - self._now() if due else 0.0
        if wait <= 0:
            self.lanes.again(lane)
        else:
            lane.timer = self._loop.call_later(wait, self._now_due, lane)

    def _now_due(self, lane: Lane) -> None:
        lane.timer = None
        self.lanes.again(lane)
        self.pump()

    def _may_probe(self) -> bool:
        """While the receiver fails: whether one may be sent to find out.  If it is too early, a timer asks again."""
        if self.under_way:
            return False
        wait = self.health.next_probe - self._now()
        if wait <= 0:
            return True
        if self._probe is None:
            self._probe = self._loop.call_later(wait, self._probe_now)
        return False

    def _probe_now(self) -> None:
        self._probe = None
        self.pump()

    # -- people

    def resume(self) -> None:
        """Send (again); if the receiver was failing, try it now."""
        self.paused = False
        if self.health.failing:
            self.health.next_probe = self._now()
        self.pump()

    def pause(self) -> None:
        """Begin nothing new; what is under way is settled."""
        self.paused = True

    async def stop(self, grace: float) -> None:
        """Let what is under way be settled for at most `grace` seconds, then let go of everything."""
        self.paused = True
        if self._probe is not None:
            self._probe.cancel()
        for lane in self.lanes:
            if lane.timer is not None:
                lane.timer.cancel()
        tasks = [lane.task for lane in self.lanes if lane.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.sending.close()

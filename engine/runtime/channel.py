"""A channel that runs: its source, its destinations, and the messages they have in hand.

The declaration says what is open; this opens it, hands newcomers to the destinations in the order they were stored, takes up
what is read back, and closes it all again.  The states are `states.CHANNEL`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from channels import definition
from channels.connector import Listening, Surroundings
from channels.definition import Destination
from channels.errors import ConnectorError
from channels.loading import Version
from channels.message import RawMessage, Response
from engine.events import ChannelChanged, Events, Fault, Filtered
from engine.events import Failed as MessageFailed
from engine.runtime.answer import Answering
from engine.runtime.backlog import Unsettled
from engine.runtime.delivery import Delivering, Policy, World
from engine.runtime.dispatch import Dispatch
from engine.runtime.in_hand import Delivery, Hands, InHand, closed
from engine.runtime.intake import Intake
from engine.runtime.outlet import Outlet
from engine.runtime.plan import Plan
from engine.runtime.register import Register
from engine.runtime.retry import Backoff
from engine.runtime.settling import Settling
from engine.runtime.states import ChannelState, step
from engine.runtime.versions import Unrunnable, Versions
from engine.store.contract import Store
from engine.store.records import DeliveryRow, DeliveryStatus, MessageRow, MessageStatus, SearchKeys
from transforms.errors import ConfigurationError

C = ChannelState
GRACE = 10.0  # seconds that what is under way has to be answered or settled when a channel stops
AGAIN = (2.0, 60.0)  # first and longest wait before a source or destination that could not be opened is opened again
IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Plant:
    """What all channels share."""

    store: Store
    settling: Settling
    events: Events
    world: World
    reactor: object


class Channel:
    """A deployed channel."""

    def __init__(self, version: Version, plant: Plant) -> None:
        self.version, self.plant = version, plant
        self.name, self.folder = version.name, version.folder
        self.state, self.why = C.UNDEPLOYED, ""
        self.hands = Hands()
        self.outlets: dict[str, Outlet] = {}
        self.versions = Versions(plant.store, self.folder, Dispatch.of, plant.world.now)
        self.intake: Intake | None = None
        self._opened: Version = version  # with its references resolved, once it is started
        self._listening: Listening | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._wait = AGAIN[0]
        self._wanted = C.STOPPED  # what people or the deployment want: started, paused or stopped
        self._closed = True  # no destination is open: newcomers are left to the store
        self._turn = asyncio.Lock()  # one change of state at a time
        self._to(C.DEPLOYED)

    # -- states

    def _to(self, state: ChannelState, why: str = "") -> None:
        self.state, self.why = step(self.state, state), why
        self.plant.events.tell(ChannelChanged(self.name, state.value, why))

    @property
    def port(self) -> int:
        """Where its source listens, 0 if it does not."""
        return self._listening.port if self._listening is not None else 0

    async def start(self) -> None:
        """Take messages and deliver.  What cannot be opened makes the channel `failed`, and is tried again."""
        async with self._turn:
            self._wanted = C.STARTED
            if self.state is C.PAUSED and self._listening is not None:
                self._listening.resume()
                self._to(C.STARTED)
            elif self.state is not C.STARTED:
                await self._open()

    async def pause(self) -> None:
        """Take no more messages; what is there is delivered."""
        async with self._turn:
            self._wanted = C.PAUSED
            if self.state is C.STARTED:
                if self._listening is not None:
                    self._listening.pause()
                self._to(C.PAUSED)

    async def stop(self, grace: float = GRACE) -> None:
        """Answer and settle what is in hand, for at most `grace` seconds, and close everything."""
        async with self._turn:
            self._wanted = C.STOPPED
            self._cancel_retry()
            if self.state in (C.STARTED, C.PAUSED, C.FAILED):
                self._to(C.STOPPING)
                await self._close(grace)
                self._to(C.STOPPED)

    async def _open(self) -> None:
        self._cancel_retry()
        try:
            await self._open_destinations()
            await self.open_door()
        except (ConnectorError, ConfigurationError) as error:
            self._failed(str(error))
        except Exception as error:  # a connector may raise anything; others must go on
            self.plant.events.tell(Fault(f"start of {self.name}", type(error).__name__))
            self._failed(f"it could not be started ({type(error).__name__})")
        else:
            self._wait = AGAIN[0]
            self._to(C.STARTED)
            if self._wanted is C.PAUSED:
                self._to(C.PAUSED)

    def _failed(self, why: str) -> None:
        if self.state is C.FAILED:
            self.why = why
        else:
            self._to(C.FAILED, why)
        self._retry = self.plant.world.loop.call_later(self._wait, self._try_again)
        self._wait = min(AGAIN[1], 2 * self._wait)

    def _try_again(self) -> None:
        self._retry = None
        self._reopening = self.plant.world.loop.create_task(self._reopen())

    async def _reopen(self) -> None:
        async with self._turn:
            if self.state is C.FAILED:
                await self._open()

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    async def _close(self, grace: float) -> None:
        await self.close_door(grace)
        await self._close_destinations(grace)

    # -- the source

    async def open_door(self) -> None:
        """Listen, if it does not yet."""
        if self._listening is None:
            assert self.intake is not None
            self._listening = await self._opened.channel.source.declaration.open(self._surroundings("source"), self.receive)
            if self._wanted is C.PAUSED:
                self._listening.pause()

    async def reopen_door(self) -> None:
        """Listen again after the door was closed; where that fails, the channel has failed, and it is tried again."""
        async with self._turn:
            if self.state in (C.STARTED, C.PAUSED) and self._listening is None:
                try:
                    await self.open_door()
                except ConnectorError as error:
                    self._failed(str(error))

    async def close_door(self, grace: float = GRACE) -> None:
        """Stop listening; what is in hand is answered within `grace` seconds."""
        listening, self._listening = self._listening, None
        if listening is not None:
            try:
                await asyncio.wait_for(listening.close(), grace)
            except TimeoutError:
                pass  # cut off: whoever was not answered sends again

    def reload_certificates(self) -> None:
        """Read certificates again, for connections to come."""
        for running in (self._listening, *(outlet.delivering.sending for outlet in self.outlets.values())):
            if running is not None:
                running.reload()

    def receive(self, raw: RawMessage) -> Awaitable[Response]:
        """The door, whichever version is today's."""
        assert self.intake is not None
        return self.intake.receive(raw)

    async def replay(self, original: MessageRow, dispatch: Dispatch | Unrunnable, digest: str, destinations: tuple[str, ...], force: bool) -> int:
        """Take charge of a message once more; its new id."""
        if self.intake is None:
            self._opened = self.version.opened()
            await self._use()
        assert self.intake is not None
        return await self.intake.replay(original, dispatch, digest, destinations, force)

    # -- versions and destinations

    async def replace(self, version: Version) -> None:
        """Go on under another version: of source and destinations, only what changed is restarted.

        Raises ConfigurationError, and goes on as before, where the version's references cannot be resolved.
        """
        opened = version.opened()
        async with self._turn:
            before, now = self._opened.channel, opened.channel
            self.version, self._opened = version, opened
            running = self.state in (C.STARTED, C.PAUSED)
            if not running:
                self.intake = None
            if self.state is C.FAILED:
                await self._close_destinations(GRACE)
                await self._open()
            elif running:
                await self._restart(_source(before) != _source(now), _sent_how(before) != _sent_how(now))

    async def _restart(self, source: bool, destinations: bool) -> None:
        paused = self.state is C.PAUSED
        if source:
            await self.close_door()
        if destinations:
            await self._close_destinations(GRACE)
        await self._use()
        if source or destinations:
            self._wanted = C.PAUSED if paused else C.STARTED
            self._to(C.STOPPING)
            self._to(C.STOPPED)
            await self._open()

    async def _use(self) -> None:
        """Take in messages under the version that was opened."""
        dispatch = await self.versions.use(self.version, self._opened)
        self.intake = Intake(self, dispatch, self.version.digest, Answering(self._opened.channel, self.plant.world), self.plant)
        for destination in self._opened.channel.destinations:
            if destination.name in self.outlets:
                self.outlets[destination.name].delivering.register.mode = self._opened.channel.report_mode

    async def _open_destinations(self) -> None:
        if self.intake is None:
            self._opened = self.version.opened()
            await self._use()
        for destination in self._opened.channel.destinations:
            if destination.name not in self.outlets:
                await self._open_destination(destination)
        self._closed = False
        for outlet in self.outlets.values():
            await outlet.start()

    async def _close_destinations(self, grace: float) -> None:
        """Let what is under way be settled; everything else is read again when destinations are open again."""
        self._closed = True
        await asyncio.gather(*(outlet.close(grace) for outlet in self.outlets.values()))
        self.outlets.clear()
        self.hands = Hands()

    async def _open_destination(self, destination: Destination) -> None:
        plant, connector = self.plant, destination.connector.declaration
        scope = f"{self.name}/{destination.name}"
        policy = Policy(
            self.name, destination.name, connector.idempotent, destination.in_flight or getattr(connector, "in_flight", IN_FLIGHT),
            Backoff(destination.retry.first, destination.retry.longest, destination.retry.attempts),
            destination.on_dead_letter == "park", destination.on_unsure == "resend",
        )  # fmt: skip
        register = Register(plant.store, scope, self._opened.channel.report_mode, plant.world.loop)
        sending = await connector.open(self._surroundings(scope))
        delivering = Delivering(policy, sending, self.hands, plant.settling, register, plant.events, plant.world)
        outlet = Outlet(delivering, self, plant.settling, plant.store, plant.events, plant.world, self._opened.channel.window)
        self.outlets[destination.name] = outlet

    def _surroundings(self, scope: str) -> Surroundings:
        plant = self.plant

        async def recall(keys: Sequence[str]) -> dict[str, str]:
            return dict(await plant.store.recall(scope, keys))

        return Surroundings(plant.world.loop, plant.reactor, Path(self.folder), recall)

    # -- messages

    def hand_out(self, hand: InHand, plan: Plan) -> InHand | None:
        """Give a newcomer to its destinations.  Called in the order of ids.

        Returns the message as it is in hand (it may be already: a reader of the backlog can be quicker), None if it no longer is.
        """
        if self._closed:
            hand.missing = set(plan.deliveries)
            self.hands.take(hand)
            self.plant.settling.let_go(hand, self.hands)
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
            row = delivery.row(DeliveryStatus.HELD, self.plant.world.now(), code="no_destination", reason="the channel has no such destination")
            self.plant.settling.soon(delivery.hand.finish(delivery, row), partial(self.hands.committed, delivery.hand))

    async def load(self, digest: str) -> Dispatch | Unrunnable:
        """A version of this channel, prepared."""
        return await self.versions.load(digest)

    async def unsettled(self, after: int, limit: int) -> Sequence[Unsettled]:
        """The next messages of the backlog, with what is written of them and what runs them."""
        store = self.plant.store
        messages = await store.unsettled(self.name, after, limit)
        ids = [message.id for message in messages]
        rows: dict[int, list[DeliveryRow]] = {}
        for name in self.outlets:
            for id, written in (await store.settled_for(self.name, name, ids)).items() if ids else ():
                rows.setdefault(id, []).extend(written)
        runs = {digest: await self.load(digest) for digest in {message.version for message in messages}}
        return [
            Unsettled(message, rows.get(message.id, ()), runs[message.version], await self.first_received(message)) for message in messages
        ]

    async def first_received(self, message: MessageRow) -> float:
        """When the message came off the wire: a replay is transformed as of then, so that it gives what the original gave."""
        original = await self.plant.store.message(message.replay_of) if message.replay_of else None
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
            self.plant.settling.let_go(hand, self.hands)
        return hand

    def end(self, hand: InHand, plan: Plan) -> None:
        """Settle a message that goes nowhere: filtered, or in error."""
        events = self.plant.events
        if plan.status is MessageStatus.FILTERED:
            events.tell(Filtered(self.name, hand.id, plan.origin))
        else:
            assert plan.error is not None
            events.tell(MessageFailed(self.name, hand.id, plan.error.code.code, plan.error.place, plan.error.origin))
        self.plant.settling.soon(plan.settlement(hand.id, hand.answer), partial(self.hands.committed, hand))


def _source(channel: definition.Channel) -> object:
    """What a source is opened by."""
    return channel.source.name, channel.source.declaration


def _sent_how(channel: definition.Channel) -> object:
    """What destinations are opened by: all of their declarations but what the pipeline does."""
    return [
        (one.name, one.connector.name, one.connector.declaration, one.retry, one.on_dead_letter, one.on_unsure, one.in_flight)
        for one in channel.destinations
    ] + [channel.window]

"""A channel that runs: its source, its destinations, and the messages they have in hand.

The declaration says what is open; this opens it, changes it to another version, and closes it again.  The states are
`states.CHANNEL`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path

from channels import definition
from channels.connector import Listening, Surroundings
from channels.definition import Destination
from channels.errors import ConnectorError
from channels.loading import Version
from channels.message import RawMessage, Response
from engine.events import ChannelChanged, Events, Fault
from engine.runtime.answer import Answering
from engine.runtime.delivery import Delivering, Policy, World
from engine.runtime.dispatch import Dispatch
from engine.runtime.distribution import Distribution
from engine.runtime.intake import Intake
from engine.runtime.merges import Merges
from engine.runtime.outcomes import Outcomes
from engine.runtime.outlet import Outlet
from engine.runtime.register import Register
from engine.runtime.retry import Backoff
from engine.runtime.settling import Settling
from engine.runtime.states import ChannelState, step
from engine.runtime.versions import Unrunnable, Versions
from engine.store.contract import Store
from engine.store.records import MergeRow, MessageRow
from transforms.document import HL7
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
    merges: Merges


class Channel:
    """A deployed channel."""

    def __init__(self, version: Version, plant: Plant) -> None:
        self.version, self.plant = version, plant
        self.name, self.folder = version.name, version.folder
        self.state, self.why = C.UNDEPLOYED, ""
        self.versions = Versions(plant.store, self.folder, Dispatch.of, plant.world.now)
        self.distribution = self._new_distribution()
        self.intake: Intake | None = None
        self._opened: Version = version  # with its references resolved, once it is started
        self._listening: Listening | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._wait = AGAIN[0]
        self._wanted = C.STOPPED  # what people or the deployment want: started, paused or stopped
        self._turn = asyncio.Lock()  # one change of state at a time
        self._to(C.DEPLOYED)

    # -- states

    def _to(self, state: ChannelState, why: str = "") -> None:
        self.state, self.why = step(self.state, state), why
        self.plant.events.tell(ChannelChanged(self.name, state.value, why))

    @property
    def outlets(self) -> dict[str, Outlet]:
        """The destinations that are open."""
        return self.distribution.outlets

    @property
    def port(self) -> int:
        """Where its source listens, 0 if it does not."""
        return self._listening.port if self._listening is not None else 0

    @property
    def counts(self) -> Mapping[str, int]:
        """What its source counts since it was opened, by name; empty where it counts nothing."""
        listening: object = self._listening
        return asdict(listening) if is_dataclass(listening) and not isinstance(listening, type) else {}

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

    async def replay(
        self, original: MessageRow, dispatch: Dispatch | Unrunnable, digest: str, destinations: tuple[str, ...], force: bool
    ) -> int:
        """Take charge of a message once more; its new id."""
        return await (await self._ready()).replay(original, dispatch, digest, destinations, force)

    async def undo(self, original: MessageRow, dispatch: Dispatch | Unrunnable, rows: Sequence[MergeRow]) -> int:
        """Take back what a message merged; the id of the message that does it."""
        return await (await self._ready()).undo(original, dispatch, rows)

    async def _ready(self) -> Intake:
        """The door of today's version, also where it does not listen."""
        if self.intake is None:
            self._opened = self.version.opened()
            await self._use()
        assert self.intake is not None
        return self.intake

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
        answering = Answering(self._opened.channel, self.plant.world) if dispatch.gives == HL7 else Outcomes()
        self.intake = Intake(self, dispatch, self.version.digest, answering, self.plant)
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
        self.distribution.open = True
        for outlet in self.outlets.values():
            await outlet.start()

    async def _close_destinations(self, grace: float) -> None:
        """Let what is under way be settled; everything else is read again when destinations are open again."""
        closing, self.distribution = self.distribution, self._new_distribution()
        closing.open = False
        await asyncio.gather(*(outlet.close(grace) for outlet in closing.outlets.values()))

    def _new_distribution(self) -> Distribution:
        plant = self.plant
        return Distribution(self.name, self.versions, plant.store, plant.settling, plant.events, plant.world.now, plant.merges)

    async def _open_destination(self, destination: Destination) -> None:
        plant, connector = self.plant, destination.connector.declaration
        scope = f"{self.name}/{destination.name}"
        policy = Policy(
            self.name, destination.name, connector.idempotent, destination.in_flight or getattr(connector, "in_flight", IN_FLIGHT),
            Backoff(destination.retry.first, destination.retry.longest, destination.retry.attempts),
            destination.on_dead_letter == "park", destination.on_unsure == "resend",
        )  # fmt: skip
        register = Register(plant.store, scope, self._opened.channel.report_mode, plant.world.loop, plant.merges)
        sending = await connector.open(self._surroundings(scope))
        delivering = Delivering(policy, sending, self.distribution.hands, plant.settling, register, plant.events, plant.world)
        outlet = Outlet(delivering, self.distribution, plant.settling, plant.store, plant.events, plant.world, self._opened.channel.window)
        self.outlets[destination.name] = outlet

    def _surroundings(self, scope: str) -> Surroundings:
        plant = self.plant

        async def recall(keys: Sequence[str]) -> dict[str, str]:
            return dict(await plant.store.recall(scope, keys))

        return Surroundings(plant.world.loop, plant.reactor, Path(self.folder), recall)


def _source(channel: definition.Channel) -> object:
    """What a source is opened by."""
    return channel.source.name, channel.source.declaration


def _sent_how(channel: definition.Channel) -> object:
    """What destinations are opened by: all of their declarations but what the pipeline does."""
    return [
        (one.name, one.connector.name, one.connector.declaration, one.retry, one.on_dead_letter, one.on_unsure, one.in_flight)
        for one in channel.destinations
    ] + [channel.window]

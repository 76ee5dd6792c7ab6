"""The engine: the channels that are deployed, and everything people may do with them.

Files are loaded by `load`; of what they give, only what changed is restarted, and a file that does not check changes nothing: the
channel it described before goes on.  When the store takes nothing for a while the doors are closed, and opened when it does again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from channels.loading import Loading, Version
from engine.events import Events, Fault
from engine.runtime.channel import GRACE, Channel, Plant
from engine.runtime.delivery import World
from engine.runtime.merges import Merges
from engine.runtime.outlet import Outlet
from engine.runtime.replay import Under, found, replay
from engine.runtime.settling import Settling, StoreWatch
from engine.runtime.states import ACTIONABLE, ChannelState
from engine.runtime.undoing import MergeView, Undone, listed, undo
from engine.runtime.views import ChannelView, Health, Replayed, channel_view
from engine.store.contract import Store
from engine.store.records import DeliveryRow, Query
from transforms.errors import ConfigurationError, Problem

DOORS_CLOSE_AFTER = 5.0  # seconds a store may fail before senders are told by a closed door
STORE_PROBE = 1.0  # seconds between looks whether it works again


class Unknown(LookupError):
    """There is no such channel, destination or message."""


class Engine:
    """Runs channels.  What may be asked of it is public here; messages are read from `store`."""

    def __init__(self, load: Callable[[], Awaitable[Loading]], store: Store, events: Events, world: World, reactor: object) -> None:
        self.store, self.events = store, events
        self._load, self._loop = load, world.loop
        self.watch = StoreWatch(events, world.now)
        self.merges = Merges(world.loop)
        self._plant = Plant(store, Settling(store, self.watch, events, world.loop), events, world, reactor, self.merges)
        self._channels: dict[str, Channel] = {}
        self.problems: tuple[Problem, ...] = ()  # of the files as they were loaded last
        self._turn = asyncio.Lock()
        self._doors_open = True
        self._started = False
        self._watching: asyncio.Task[None] | None = None
        self.watch.changed.append(self._store_changed)

    # -- deployment

    async def start(self) -> Loading:
        """Deploy and start every channel that checks.  Returns what loading gave."""
        self.merges.load(await self.store.merges())
        loading = await self.reload()
        self._started = True
        return loading

    async def reload(self) -> Loading:
        """Read the files again: new channels start, changed ones go on changed, those whose file is gone stop."""
        async with self._turn:
            loading = await self._load()
            self.problems = loading.problems
            found = {version.name: version for version in loading.channels}
            broken = {problem.file for problem in loading.errors}
            renamed = {version.located.file for version in found.values()}
            for name, channel in list(self._channels.items()):
                file = channel.version.located.file
                if name not in found and (file in renamed or not Path(file).exists()):  # else it, or a map it uses, does not check
                    await channel.stop()
                    del self._channels[name]
            await asyncio.gather(*(self._deploy(version) for version in found.values() if version.located.file not in broken))
            return loading

    async def _deploy(self, version: Version) -> None:
        channel = self._channels.get(version.name)
        try:
            if channel is None:
                version.opened()
                self._channels[version.name] = channel = Channel(version, self._plant)
                await channel.start()
            elif channel.version.digest != version.digest or channel.version.located.file != version.located.file:
                await channel.replace(version)
        except ConfigurationError as error:
            self.problems = tuple(sorted({*self.problems, *error.problems}))
        except Exception as error:  # one channel that cannot be deployed must not keep the others from it
            self.events.tell(Fault(f"deployment of {version.name}", type(error).__name__))

    def reload_certificates(self) -> None:
        """Read all certificates again, for connections to come."""
        for channel in self._channels.values():
            channel.reload_certificates()

    async def stop(self, grace: float = GRACE) -> None:
        """Close every door, answer and settle what is in hand within `grace` seconds, and let go of everything but the store."""
        async with self._turn:
            if self._watching is not None:
                self._watching.cancel()
            await asyncio.gather(*(channel.stop(grace) for channel in self._channels.values()))
            await self._plant.settling.finish(grace)

    # -- the store's health

    def _store_changed(self) -> None:
        if self.watch.failing_since and (self._watching is None or self._watching.done()):
            self._watching = self._loop.create_task(self._watch_store())

    async def _watch_store(self) -> None:
        """While the store fails: see whether it works again; if it lasts, close the doors meanwhile."""
        waited = 0.0
        while self.watch.failing_since:
            await asyncio.sleep(STORE_PROBE)
            waited += STORE_PROBE
            if waited >= DOORS_CLOSE_AFTER and self._doors_open:
                self._doors_open = False
                await asyncio.gather(*(channel.close_door() for channel in self._channels.values()))
            await self._probe_store()
        if not self._doors_open:
            self._doors_open = True
            running = (ChannelState.STARTED, ChannelState.PAUSED)
            await asyncio.gather(*(channel.reopen_door() for channel in self._channels.values() if channel.state in running))

    async def _probe_store(self) -> None:
        try:
            for channel in self._channels.values():
                version = await self.store.version(channel.version.digest)
                if version is not None:
                    await self.store.keep_version(version)
                    self.watch.worked()
                    return
        except Exception as error:  # whatever it is, it does not work yet
            self.watch.failed(error)

    # -- what is there

    def channels(self) -> tuple[ChannelView, ...]:
        """Every channel as it is now, by name."""
        return tuple(channel_view(self._channels[name]) for name in sorted(self._channels))

    def health(self) -> Health:
        """Whether everything that should run does."""
        store = f"failing: {self.watch.why}" if self.watch.failing_since else "ok"
        views = self.channels()
        failed = any(view.state == ChannelState.FAILED.value for view in views)
        return Health(self._started and store == "ok" and not failed, store, views, tuple(map(str, self.problems)))

    def channel(self, name: str) -> Channel:
        """A channel by name; raises Unknown."""
        if name not in self._channels:
            raise Unknown(f"there is no channel {name}")
        return self._channels[name]

    # -- what people do

    async def start_channel(self, name: str) -> None:
        """Take messages and deliver (again)."""
        await self.channel(name).start()

    async def pause_channel(self, name: str) -> None:
        """Take no messages; go on delivering."""
        await self.channel(name).pause()

    async def stop_channel(self, name: str) -> None:
        """Close it."""
        await self.channel(name).stop()

    def start_destination(self, channel: str, name: str) -> None:
        """Deliver (again)."""
        self._outlet(channel, name).delivering.resume()

    def pause_destination(self, channel: str, name: str) -> None:
        """Deliver nothing; messages queue up."""
        self._outlet(channel, name).delivering.pause()

    async def replay(
        self, ids: Iterable[int] = (), query: Query | None = None, *, destinations: Sequence[str] = (), under: Under = "then",
        force: bool = False, dry_run: bool = False,
    ) -> list[Replayed]:  # fmt: skip
        """Send messages again, by id or by a search, oldest first; or say what would be sent.  Raises Unknown."""
        wanted = [*ids, *(await found(self.store, query) if query is not None else ())]
        replayed = []
        for id in wanted:
            message = await self.store.message(id)
            if message is None:
                raise Unknown(f"there is no message {id}")
            channel = self.channel(message.channel)
            for name in destinations:
                channel.version.channel.destination(name)
            replayed.append(await replay(channel, message, under=under, destinations=tuple(destinations), force=force, dry_run=dry_run))
        return replayed

    async def merged(self) -> list[MergeView]:
        """All merges, newest first, those that were taken back too."""
        return await listed(self.store, self.merges.rows)

    async def undo_merge(self, message_id: int, *, dry_run: bool = False) -> Undone:
        """Take back what a message merged, or say what would be sent.  Raises Unknown."""
        message = await self.store.message(message_id)
        if message is None or all(row.undone for row in self.merges.of(message_id)):
            raise Unknown(f"message {message_id} merged nothing that is in force")
        return await undo(self.channel(message.channel), message, self.merges, dry_run)

    async def retry(self, message_id: int, destination: str = "", part: int | None = None, *, force: bool = False) -> list[DeliveryRow]:
        """Send dead letters, unsure and held deliveries of a message again.  Returns what they were.  `force`: held ones as they are."""
        return await self._decide(message_id, destination, part, True, force)

    async def dismiss(self, message_id: int, destination: str = "", part: int | None = None) -> list[DeliveryRow]:
        """Give up dead letters, unsure and held deliveries of a message for good, so that their lanes go on."""
        return await self._decide(message_id, destination, part, False, False)

    async def _decide(self, message_id: int, destination: str, part: int | None, again: bool, force: bool) -> list[DeliveryRow]:
        message = await self.store.message(message_id)
        if message is None:
            raise Unknown(f"there is no message {message_id}")
        rows = [
            row for row in await self.store.deliveries(message_id)
            if row.status in ACTIONABLE and destination in ("", row.destination) and part in (None, row.part)
        ]  # fmt: skip
        for row in rows:
            await self._outlet(message.channel, row.destination).decide(row, message, again, force)
            message = await self.store.message(message_id) or message
        return rows

    def _outlet(self, channel: str, name: str) -> Outlet:
        outlets = self.channel(channel).outlets
        if name not in outlets:
            raise Unknown(f"channel {channel} has no open destination {name}")
        return outlets[name]

"""A stage for the runtime's tests: real channels, a real store, virtual time, and a receiver that answers as it is told.

Time passes only when nothing else is to be done, so a test of a five-minute wait takes no time, and a deadlock shows at once.
"""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic.dataclasses import dataclass

from channels import loading
from channels.connector import Receive, Surroundings
from channels.errors import ConnectorError
from channels.message import Outcome, Outgoing, RawMessage, Response, Verdict
from engine.events import Event, Events
from engine.runtime.delivery import World
from engine.runtime.engine import Engine
from engine.store.contract import StoreUnavailable
from engine.store.records import Arrival, ChannelVersion, Query, Settlement
from engine.store.sqlite import SqliteStore, open_store
from transforms.component import destination, option, source, step
from transforms.document import Document, Note, Part
from transforms.errors import ErrorCode, MessageError
from transforms.hl7.acknowledgment import read_acknowledgment

EPOCH = 1_800_000_000.0
T = TypeVar("T")

SENT = Outcome(Verdict.SENT, "200", response=b"{}", sent=b"x")
REFUSED = Outcome(Verdict.REFUSED, "422", "refused", response=b"{}", sent=b"x")
HELD = Outcome(Verdict.HELD, "412", "held", response=b"{}", sent=b"x")
FAILING = Outcome(Verdict.FAILING, "timeout", "no answer")
COUNTED = Outcome(Verdict.COUNTED, "500", "broken", response=b"oops")


class Deadlock(Exception):
    """Something waits for ever."""


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: the loop's clock jumps to the next timer instead."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list:
        if timeout is None and not self.loop.outside:
            raise Deadlock("nothing is to be done, and no timer runs")
        if timeout:
            self.loop.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock only moves when there is nothing to do."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 0.0
        self.outside = False
        super().__init__(selector)

    def time(self) -> float:
        return self.now


class Keeping:
    """The store, which a test may break: `down`, it takes nothing and says so; `dead`, the process is no more."""

    def __init__(self, store: SqliteStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store, self._loop = store, loop
        self.down = self.dead = False
        self.written: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def receive(self, arrival: Arrival) -> Any:
        return self._write(self._store.receive, arrival)

    def settle(self, settlement: Settlement) -> Any:
        return self._write(self._store.settle, settlement)

    def keep_version(self, version: ChannelVersion) -> Any:
        return self._write(self._store.keep_version, version)

    def _write(self, write: Callable[[Any], Any], record: Any) -> Any:
        if self.dead or self.down:
            future = self._loop.create_future()
            if not self.dead:
                future.set_exception(StoreUnavailable("nothing can be kept now"))
            return future
        self.written.append(type(record).__name__)
        return write(record)


class Receiver:
    """Stands for a receiving system.  `answer` decides about each attempt; `sent` is what was tried, `taken` what got through."""

    def __init__(self) -> None:
        self.answer: Callable[[Outgoing], Outcome | Awaitable[Outcome]] = lambda outgoing: SENT
        self.sent: list[str] = []
        self.taken: list[str] = []
        self.outgoing: list[Outgoing] = []
        self.times: list[float] = []
        self.now: Callable[[], float] = lambda: 0.0
        self.fails_to_open = ""
        self.opened = self.closed = 0

    async def send(self, outgoing: Outgoing) -> Outcome:
        self.sent.append(outgoing.control_id)
        self.times.append(self.now())
        self.outgoing.append(outgoing)
        outcome = self.answer(outgoing)
        if not isinstance(outcome, Outcome):
            outcome = await outcome
        if outcome.verdict is Verdict.SENT:
            self.taken.append(outgoing.control_id)
        return outcome

    async def close(self) -> None:
        self.closed += 1

    def reload(self) -> None:
        """No certificates."""


class Door:
    """A source that a test hands messages to."""

    port = 0

    def __init__(self, receive: Receive, stage: Stage) -> None:
        self.receive, self._stage = receive, stage
        self.paused = self.open = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def reload(self) -> None:
        """No certificates."""

    async def close(self) -> None:
        self.open = False


_stage: Stage | None = None


@source("handed")
@dataclass(frozen=True)
class Handed:
    """A source for tests."""

    name: str = option("Which door.", default="door")

    async def open(self, surroundings: Surroundings, receive: Receive) -> Door:
        assert _stage is not None
        if _stage.ports_in_use:
            raise ConnectorError("the port is in use")
        door = _stage.doors[self.name] = Door(receive, _stage)
        door.open = True
        return door


@destination("staged")
@dataclass(frozen=True)
class Staged:
    """An idempotent destination for tests."""

    receiver: str = option("Which receiver.", default="receiver")
    in_flight: int = option("How many lanes.", default=4)
    idempotent: ClassVar[bool] = True

    async def open(self, surroundings: Surroundings) -> Receiver:
        assert _stage is not None
        receiver = _stage.receiver(self.receiver)
        if receiver.fails_to_open:
            raise ConnectorError(receiver.fails_to_open)
        receiver.opened += 1
        return receiver


@destination("staged_once")
@dataclass(frozen=True)
class StagedOnce(Staged):
    """A destination for tests where sending twice doubles."""

    idempotent: ClassVar[bool] = False


@step("go_wrong")
@dataclass(frozen=True)
class GoWrong:
    """A step that refuses (`how: refuse`), breaks, marks parts to be held, or splits a message in parts, if PID-8 says so."""

    def __call__(self, document: Document) -> Document:
        how = document.body.get("PID-8") or ""
        if how == "refuse":
            raise MessageError(ErrorCode.TABLE_VALUE, "PID-8", "is none of the table's codes", origin="my.yaml:3")
        if how == "break":
            raise ValueError("JANE DOE")
        if how == "hold":
            note = Note("invalid", "Bundle.entry[2].resource.status", "is required")
            return replace(document, parts=(Part(hold="invalid"),)).with_notes(note)
        if how == "split":
            return replace(document, parts=(Part("left"), Part("right")))
        if how == "leave":
            return replace(document, leftover=("PID-8",))
        return document


CHANNEL = """
channel: lab
source: { handed: {} }
destinations:
  - { name: repository, staged: {}, retry: { attempts: 3, first: 1s, longest: 60s } }
"""


class Stage:
    """An engine on its stage."""

    def __init__(self, folder: Path, channel: str = CHANNEL, **channels: str) -> None:
        self.folder = folder
        self.doors: dict[str, Door] = {}
        self.receivers: dict[str, Receiver] = {}
        self.ports_in_use = False
        self.loop = VirtualLoop()
        self.events = Events()
        self.told: list[Event] = []
        self.numbers = itertools.count(1)
        self.chance = 0.0
        self.store: Any
        self.sqlite: SqliteStore
        self.engine: Engine
        self.write("channel.yaml", channel)
        for name, text in channels.items():
            self.write(f"channels/{name}.yaml", text)
        for kind in Event.__args__:
            self.events.listen(kind, self.told.append)

    def write(self, name: str, text: str) -> None:
        """Write a file of the configuration."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def now(self) -> float:
        return EPOCH + self.loop.now

    def receiver(self, name: str = "receiver") -> Receiver:
        """The receiving system of that name."""
        if name not in self.receivers:
            self.receivers[name] = Receiver()
            self.receivers[name].now = self.now
        return self.receivers[name]

    def tell_of(self, kind: type[T]) -> list[T]:
        """The events of a kind so far."""
        return [event for event in self.told if isinstance(event, kind)]

    @contextmanager
    def running(self) -> Iterator[Stage]:
        """With the engine started; killed at the end, as a crash would."""
        global _stage
        _stage = self
        asyncio.set_event_loop(self.loop)
        try:
            self.do(self._start())
            yield self
        finally:
            self.crash()
            self.loop.close()

    async def _start(self) -> None:
        self.sqlite = await open_store(self.folder / "data", loop=self.loop, committer="loop")
        self.store = Keeping(self.sqlite, self.loop)
        world = World(self.loop, self.now, lambda: self.chance, lambda: f"ACK{next(self.numbers)}")

        async def load() -> loading.Loading:
            return loading.load(self.folder)

        self.engine = Engine(load, self.store, self.events, world, None)
        await self.engine.start()

    def crash(self) -> None:
        """Everything in memory is gone; what was committed stays."""
        self.store.dead = True
        if tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(tasks))
        self.loop._scheduled.clear()
        self.loop._ready.clear()
        self.loop.outside = True  # the store's own thread, if it has one, is waited for
        self.loop.run_until_complete(self.sqlite.close())
        self.loop.outside = False

    def restart(self) -> None:
        """Crash, and start again on what is durable."""
        self.crash()
        self.do(self._start())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`."""
        return self.loop.run_until_complete(work)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.do(asyncio.sleep(seconds))

    def send(self, *messages: bytes, door: str = "door", problem: str = "") -> list[str]:
        """Hand messages in together; the codes they are answered with (the last, where there are several)."""
        return [self.code(response) for response in self.responses(*messages, door=door, problem=problem)]

    def responses(self, *messages: bytes, door: str = "door", problem: str = "") -> list[Response]:
        """Hand messages in together; what the sender is owed for each."""

        async def all_of() -> list[Response]:
            receive = self.doors[door].receive
            tasks = [self.loop.create_task(receive(RawMessage(message, self.now(), "lis:1", problem))) for message in messages]
            return [await task for task in tasks]

        return self.do(all_of())

    @staticmethod
    def code(response: Response) -> str:
        return read_acknowledgment(response.contents[-1]).code if response.contents else ""

    # what the store says

    def messages(self, **query: Any) -> list:
        """Messages found, oldest first."""
        return self.do(self.sqlite.search(Query(limit=5000, **query)))[::-1]

    def statuses(self) -> list[str]:
        """Every message's status, oldest first."""
        return [message.status.value for message in self.messages()]

    def deliveries(self, id: int) -> list[tuple[str, str]]:
        """(destination, status) of a message's rows."""
        return [(row.destination, row.status.value) for row in self.do(self.sqlite.deliveries(id))]


def oru(
    control_id: str, patient: str = "P1", *, type: str = "ORU^R01", msh15: str = "", msh16: str = "", processing: str = "P", how: str = "",
    more: str = "",
) -> bytes:  # fmt: skip
    """A small result message."""
    return (
        f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304050607||{type}|{control_id}|{processing}|2.5.1|||{msh15}|{msh16}\r"
        f"PID|1||{patient}^^^HOSP^MR||DOE^JANE|||{how}\r"
        f"OBR|1|ORD{control_id}|FIL{control_id}|58410-2^CBC^LN\r"
        f"OBX|1|NM|718-7^Hb^LN||13.2|g/dL|||||F\r{more}"
    ).encode()

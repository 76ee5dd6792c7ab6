"""The process: loop, reactor, store, engine, door, signals; and the order in which they start and stop.

Nothing else installs a reactor, reads the clock for the runtime, or looks at signals.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
import signal
import sys
import time
from functools import partial
from pathlib import Path

from channels import loading
from engine import configuration
from engine.admin_api import routes
from engine.configuration import Configuration, Configured
from engine.events import Events, StoreFailing, StoreRecovered
from engine.metrics.counting import Metrics
from engine.runtime.delivery import World
from engine.runtime.engine import Engine
from engine.store.lock import StoreLocked
from engine.store.sqlite import SqliteStore, open_store
from engine.web.serving import Door, serve

log = logging.getLogger("flue")
SWITCH = 0.0002  # seconds: a busy loop must not starve the committer's thread at Python's 5 ms
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def run(conf: Path, data: Path | None = None) -> int:
    """Run the engine until SIGINT or SIGTERM.  Returns the exit status: 0 stopped, 1 it could not start."""
    configured = configuration.load(conf, starting=True)
    _log_to_stderr(configured.configuration)
    for problem in configured.problems:
        print(problem, file=sys.stderr)
    if configured.errors:
        return 1
    sys.setswitchinterval(SWITCH)
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    from twisted.internet import asyncioreactor

    asyncioreactor.install(loop)
    from twisted.internet import reactor

    process = Process(conf, data or conf / configured.configuration.store.path, configured, loop, reactor)
    reactor.callLater(0, process.begin)
    reactor.run(installSignalHandlers=False)
    return process.status


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Process:
    """An engine from start to stop."""

    def __init__(self, conf: Path, data: Path, configured: Configured, loop: asyncio.AbstractEventLoop, reactor: object) -> None:
        self.status = 0
        self._conf, self._data, self._configured, self._loop, self._reactor = conf, data, configured, loop, reactor
        self._store: SqliteStore | None = None
        self._engine: Engine | None = None
        self._door: Door | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Start everything; signals end it."""
        for each in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(each, self._spawn, self._stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._spawn, self._reload)
        self._spawn(self._start)

    def _spawn(self, work) -> None:  # noqa: ANN001 - a coroutine function
        task = self._loop.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self) -> None:
        settings = self._configured.configuration
        try:
            self._store = await open_store(self._data, loop=self._loop, committer=settings.committer)
            events, metrics = Events(), Metrics()
            metrics.listen(events)
            _log_changes(events)
            self._engine = Engine(self._load, self._store, events, self._world(), self._reactor)
            host, port = _address(settings.http.listen)
            found = await self._engine.start()
            self._door = await serve(partial(routes.add, self._engine, metrics), host, port)
        except (OSError, StoreLocked) as error:
            log.error("the engine cannot start: %s", error)
            self.status = 1
            await self._stop()
            return
        for problem in found.problems:
            log.warning("%s", problem)
        for view in self._engine.channels():
            log.info("channel %s is %s%s", view.name, view.state, f" on port {view.port}" if view.port else f": {view.why}" if view.why else "")
        log.info("HTTP on http://%s:%d", host, self._door.port if self._door else 0)

    def _load(self) -> loading.Loading:
        return loading.load(self._conf, identity=self._configured.identity, starting=True)

    def _world(self) -> World:
        started, counter = _base36(int(time.time() * 1000)), itertools.count(1)
        return World(self._loop, time.time, random.random, lambda: f"F{started}-{next(counter):x}")

    async def _reload(self) -> None:
        if self._engine is None:
            return
        self._engine.reload_certificates()
        found = await self._engine.reload()
        for problem in found.problems:
            log.warning("%s", problem)
        log.info("files and certificates were read again")

    async def _stop(self) -> None:
        """Doors first, then what is in hand, then the store."""
        if self._door is not None:
            door, self._door = self._door, None
            await door.close()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            await engine.stop()
        if self._store is not None:
            store, self._store = self._store, None
            await store.close()
        if self._reactor.running:
            self._reactor.stop()


def _address(listen: str) -> tuple[str, int]:
    """Host and port of a `tcp:8080:interface=127.0.0.1`."""
    kind, port, *rest = listen.replace("\\:", "\0").split(":")
    given = dict(each.split("=", 1) for each in rest)
    if kind != "tcp" or not port.isdigit():
        raise OSError(f"http.listen must be tcp:PORT or tcp:PORT:interface=ADDRESS, not {listen}")
    return given.get("interface", "127.0.0.1").replace("\0", ":"), int(port)


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text


class _JsonLines(logging.Formatter):
    """One JSON object a line, for a collector."""

    def format(self, record: logging.LogRecord) -> str:
        said = {"time": self.formatTime(record), "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        return json.dumps(said | ({"exception": self.formatException(record.exc_info)} if record.exc_info else {}))


def _log_to_stderr(settings: Configuration) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if settings.log.format == "json" else logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=settings.log.level.upper(), handlers=[handler], force=True)


def _log_changes(events: Events) -> None:
    """What changes is logged once: channels, receivers, the store, defects.  Messages are counted, not logged."""
    from engine.events import ChannelChanged, DeadLetter, DestinationFailing, DestinationRecovered, Fault

    events.listen(ChannelChanged, lambda event: log.info("channel %s: %s%s", event.channel, event.state, f" ({event.why})" if event.why else ""))
    events.listen(DestinationFailing, lambda event: log.warning("%s/%s fails with %s and is probed", event.channel, event.destination, event.code))
    events.listen(DestinationRecovered, lambda event: log.info("%s/%s recovered after %.0f s", event.channel, event.destination, event.seconds))
    events.listen(DeadLetter, lambda event: log.warning("%s/%s: message %d is a dead letter (%s)", event.channel, event.destination, event.message_id, event.code))
    events.listen(StoreFailing, lambda event: log.error("the store takes nothing: %s", event.why))
    events.listen(StoreRecovered, lambda event: log.info("the store takes messages again after %.0f s", event.seconds))
    events.listen(Fault, lambda event: log.error("a defect in %s: %s", event.where, event.kind))


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conf", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    sys.exit(run(asked.conf, asked.data))

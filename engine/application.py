"""Starts everything and stops it: reactor and loop, store, channels, doors, signals.

SIGINT and SIGTERM stop the engine when what is in hand is answered and settled; a second one stops it at once.  SIGHUP reads
channel files and certificates again.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from itertools import count
from pathlib import Path
from typing import Any

from channels import loading
from channels.http.address import address
from channels.loading import Loading
from engine import configuration
from engine.admin_api import routes
from engine.configuration import Configuration
from engine.events import Events
from engine.metrics.counting import Metrics
from engine.runtime import report
from engine.runtime.delivery import World
from engine.runtime.engine import Engine
from engine.store.lock import StoreLocked
from engine.store.schema import NewerStore
from engine.store.sqlite import DAY, SqliteStore, open_store
from engine.web.serving import Door, serve

SWITCH = 0.0002  # seconds: Python's own 5 ms would let a busy loop starve the thread that commits
GARBAGE = (50_000, 20, 20)  # bundles are many small objects, and no cycles: looking for some every 700 of them is wasted
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

log = logging.getLogger("flue")


def run(conf: Path, data: Path | None = None) -> int:
    """Run the engine until it is told to stop.  Returns the exit status: 0, or 1 where it could not start."""
    configured = configuration.load(conf, starting=True)
    _set_up_log(configured.configuration.log)
    if configured.errors:
        return _cannot_start(map(str, configured.errors))
    sys.setswitchinterval(SWITCH)
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    from twisted.internet import asyncioreactor

    asyncioreactor.install(loop)
    from twisted.internet import reactor

    application = Application(conf, data, configured.configuration, dict(configured.identity), loop, reactor)
    reactor.callLater(0, application.begin)
    reactor.run(installSignalHandlers=False)
    return application.status


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _cannot_start(why: Iterable[str]) -> int:
    for line in why:
        print(line, file=sys.stderr)
    return 1


class Application:
    """One run of the engine."""

    def __init__(
        self, conf: Path, data: Path | None, options: Configuration, identity: dict, loop: asyncio.AbstractEventLoop, reactor: Any
    ) -> None:
        self._conf, self._data, self._options, self._identity = conf, data, options, identity
        self._loop, self._reactor = loop, reactor
        self._stopping: asyncio.Future[None] = loop.create_future()
        self._jobs: set[asyncio.Task[object]] = set()
        self.status = 0

    def begin(self) -> None:
        """Called by the reactor when it runs."""
        self._main = self._loop.create_task(self._run())

    async def _run(self) -> None:
        try:
            self.status = await self._serve()
        except (StoreLocked, NewerStore, OSError) as error:
            self.status = _cannot_start([str(error)])
        except Exception as error:  # nothing above would say it
            log.critical("the engine cannot run: %s", type(error).__name__, exc_info=error)
            self.status = 1
        finally:
            self._reactor.stop()

    async def _serve(self) -> int:
        loaded = self._load()
        if loaded.errors and not loaded.channels:
            return _cannot_start(map(str, loaded.problems))
        for problem in loaded.problems:
            log.warning("%s", problem)
        window = max((version.channel.duplicates.window for version in loaded.channels), default=0.0) or DAY
        where = self._data or self._conf / self._options.store.path
        store = await open_store(where, loop=self._loop, committer=self._options.committer, window=window)
        try:
            await self._with(store, loaded)
        finally:
            await store.close()
        return 0

    async def _with(self, store: SqliteStore, loaded: Loading) -> None:
        """Run until it is told to stop."""
        events, metrics, first = Events(), Metrics(), [loaded]
        report.listen(events)
        metrics.listen(events)
        world = World(self._loop, time.time, random.random, control_ids(time.time(), os.getpid()))

        async def load() -> Loading:
            return first.pop() if first else await asyncio.to_thread(self._load)

        engine = Engine(load, store, events, world, self._reactor)
        self._on_signals(engine)
        door = await self._open_door(engine, metrics)
        await engine.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        self._say_ready(engine, door)
        await self._stopping
        log.info("stopping: what is in hand is answered and settled")
        await door.close()
        await engine.stop()

    def _load(self) -> Loading:
        return loading.load(self._conf, identity=self._identity, starting=True)

    async def _open_door(self, engine: Engine, metrics: Metrics) -> Door:
        host, port = address(self._options.http.listen)
        return await serve(lambda application: routes.add(engine, metrics, application), host, port)

    def _say_ready(self, engine: Engine, door: Door) -> None:
        listening = ", ".join(f"{view.name} on {view.port}" if view.port else view.name for view in engine.channels())
        log.info("ready: %s; HTTP on %d", listening or "no channel", door.port)

    # -- signals

    def _on_signals(self, engine: Engine) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._stop)
        self._loop.add_signal_handler(signal.SIGHUP, lambda: self._start_job(self._reload(engine)))

    def _stop(self) -> None:
        if self._stopping.done():  # again: whoever stops it has no patience
            os._exit(1)
        self._stopping.set_result(None)

    async def _reload(self, engine: Engine) -> None:
        loaded = await engine.reload()
        engine.reload_certificates()
        for problem in loaded.problems:
            log.warning("%s", problem)
        log.info("read again: %d channels, %d errors", len(loaded.channels), len(loaded.errors))

    def _start_job(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)


def control_ids(now: float, process: int) -> Callable[[], str]:
    """Makes control ids for messages of our own: unlike any this or an earlier run made, at most 20 characters."""
    prefix = _spelled(int(now * 1000))[-7:] + _spelled(process)[-3:]
    numbers = count(1)
    return lambda: f"{prefix}-{next(numbers):X}"


def _spelled(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text or "0"


class JsonLines(logging.Formatter):
    """Log records as JSON, one a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _set_up_log(options: configuration.Log) -> None:
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-8s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if options.format == "json" else plain)
    logging.basicConfig(level=options.level.upper(), handlers=[handler], force=True)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description="Run the engine in the foreground.")
    parser.add_argument("--conf", type=Path, default=Path("conf"))
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    sys.exit(run(asked.conf, asked.data))

"""One reactor and one event loop for every test that opens real sockets.

Twisted's reactor can be installed once in a process, so all tests share one: asyncioreactor, on a uvloop loop where uvloop
installs.  It is made by the first test that asks for the fixture `runner` (tests/conftest.py), not before.  A test is an
ordinary function which hands its coroutine over:

    def test_answers(runner: Runner) -> None:
        async def conversation() -> None:
            listening = await MllpSource(listen="tcp:0:interface=127.0.0.1").open(runner.surroundings(folder), receive)
            ...
        runner.run(conversation())

`run` ends the coroutine after `timeout` seconds, and fails the test for tasks it left behind.  Tests may still use `asyncio.run`
for what needs no reactor; the two do not disturb each other.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from channels.connector import Surroundings

T = TypeVar("T")


async def _nothing_learned(keys: Sequence[str]) -> Mapping[str, str]:
    """A memory without entries."""
    return {}


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Runner:
    """Runs coroutines on the loop that Twisted's reactor shares."""

    def __init__(self) -> None:
        if "twisted.internet.reactor" in sys.modules:
            raise RuntimeError("a test imported twisted.internet.reactor at module level; take it from the fixture `runner`")
        from twisted.internet import asyncioreactor

        self.loop = _new_loop()
        asyncio.set_event_loop(self.loop)
        asyncioreactor.install(self.loop)
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.reactor.startRunning(installSignalHandlers=False)  # thread pool and name resolver work from here on

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 20.0) -> T:
        """The result of `work`; TimeoutError when it takes longer than `timeout` seconds."""
        return self.loop.run_until_complete(self._watched(work, timeout))

    async def _watched(self, work: Coroutine[Any, Any, T], timeout: float) -> T:
        before = asyncio.all_tasks(self.loop)
        result = await asyncio.wait_for(work, timeout)
        for _ in range(10):  # what has been cancelled or is just finishing may do so
            await asyncio.sleep(0)
        left = asyncio.all_tasks(self.loop) - before
        for task in left:
            task.cancel()
        assert not left, f"tasks left behind: {left}"
        return result

    def surroundings(self, folder: Path) -> Surroundings:
        """What a connector's `open` is given."""
        return Surroundings(self.loop, self.reactor, folder, _nothing_learned)

    def close(self) -> None:
        """Stop the reactor's threads, so that the process can end."""
        self.reactor.fireSystemEvent("shutdown")

"""An engine with its HTTP door, in this process: real sockets, a real store in a temporary folder, and files as its receiver.

    def test_something(laboratory: Laboratory) -> None:
        async def story() -> None:
            assert await laboratory.send(RESULT) == "AA"
            status, body = await laboratory.ask("GET", "/v1/messages")
        laboratory.tell(story())

The engine starts with the story and stops with it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
from click.testing import CliRunner, Result

from channels import loading
from channels.loading import Loading
from engine.admin_api import routes
from engine.cli.main import main
from engine.events import Events
from engine.metrics.counting import Metrics
from engine.runtime.delivery import World
from engine.runtime.engine import Engine
from engine.store.sqlite import open_store
from engine.web.serving import serve
from tests.reactor import Runner

CHANNEL = """
channel: lab
description: Results, as files.
source:
  mllp: { listen: "tcp:0:interface=127.0.0.1" }
identity: { base: "https://site.example/id", secret: "${env:FLUE_IDENTITY_SECRET:-only for tests}" }
filter:
  - equals: { field: MSH-9.1, to: ORU }
transform:
  - map_to_fhir
  - validate
destinations:
  - name: repository
    file: { folder: out }
"""

RESULT = (
    b"MSH|^~\\&|LAB|HOSP|FLUE|CLINIC|20260314103000+0100||ORU^R01^ORU_R01|C1|P|2.5.1\r"
    b"PID|1||4711^^^HOSP^MR||Keller^Ana\r"
    b"OBR|1|P1^EHR|F1^LAB|24323-8^Panel^LN|||20260314080500+0100|||||||||||||||20260314102500+0100||CH|F\r"
    b"OBX|1|NM|2345-7^Glucose^LN||95|mg/dL^^UCUM|70-99|N|||F\r"
)
ADMISSION = b"MSH|^~\\&|ADT|HOSP|FLUE|CLINIC|20260314103000+0100||ADT^A01|A1|P|2.5.1\rPID|1||4711^^^HOSP^MR||Keller^Ana\r"
NOBODYS = RESULT.replace(b"4711^^^HOSP^MR", b"").replace(b"|C1|", b"|N1|")


class Laboratory:
    """The engine, while a story runs."""

    def __init__(self, runner: Runner, folder: Path) -> None:
        self._runner, self.folder = runner, folder
        (folder / "channel.yaml").write_text(CHANNEL)
        self.engine: Engine
        self.url = ""

    def tell(self, story: Coroutine[Any, Any, None]) -> None:
        """Start the engine, run a story beside it, stop it."""
        self._runner.run(self._with_engine(story), timeout=30)

    async def _with_engine(self, story: Awaitable[None]) -> None:
        loop, events, metrics, ids = self._runner.loop, Events(), Metrics(), itertools.count(1)
        metrics.listen(events)
        store = await open_store(self.folder / "data", loop=loop)
        try:
            world = World(loop, time.time, random.random, lambda: f"OWN{next(ids)}")
            self.engine = Engine(self._load, store, events, world, self._runner.reactor)
            problems = (await self.engine.start()).problems
            assert not problems, problems
            door = await serve(lambda application: routes.add(self.engine, metrics, application), "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{door.port}"
            try:
                await story
            finally:
                await door.close()
                await self.engine.stop()
        finally:
            await store.close()

    async def _load(self) -> Loading:
        return loading.load(self.folder, starting=True)

    # -- doors

    async def send(self, message: bytes) -> str:
        """MSA-1 of what a message is answered over MLLP."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.engine.channels()[0].port)
        writer.write(b"\x0b" + message + b"\x1c\r")
        answer = await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 10)
        writer.close()
        return answer.decode().split("\rMSA|")[1][:2]

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and answer of the HTTP door; JSON read, other text as it is.  `body`: bytes are sent as they are."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with aiohttp.ClientSession() as session, session.request(method, self.url + path, data=data, headers=sent) as reply:
            text = await reply.text()
            return reply.status, json.loads(text) if "json" in reply.content_type else text

    async def flue(self, *arguments: str) -> Result:
        """A command, which finds this engine."""
        return await asyncio.to_thread(CliRunner(env={"FLUE_URL": self.url}).invoke, main, list(arguments))

    async def settled(self) -> None:
        """Wait until nothing is on its way any more."""
        for _ in range(1000):
            if not sum(number for (_, status), number in (await self.engine.store.counts()).items() if status == "received"):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("messages are still on their way")

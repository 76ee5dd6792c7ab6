"""A laboratory that does not give up, and a receiver that counts: what crash and load journeys stand on.

The feed sends on several connections, several messages ahead of their answers, connects again when a connection ends, and sends
everything again that was not acknowledged.  Each of its messages is a new version of some report: the value of the only result
is the message's number in its lane, so that the receiver's last value tells which version it has.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

START, END = b"\x0b", b"\x1c\r"
LANES = 3  # patients a connection sends for
VERSIONS = 4  # messages a report is sent in
ANSWER = b'{"resourceType":"Bundle","type":"transaction-response"}'


class Background:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, Any], timeout: float = 30.0) -> Any:
        """The result of `work`, run over there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def close(self) -> None:
        """End it, and whatever still runs there."""

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.do(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)


def message(connection: int, number: int) -> tuple[str, bytes]:
    """The n-th message of a connection: (control id, content)."""
    control_id = f"CTL{connection:02}-{number:06}"
    lane, version = number % LANES, number // LANES
    patient, order = f"P{connection:02}{lane}", f"F{connection:02}{lane}{version // VERSIONS:05}"
    time = f"2026030{1 + version // 86400}{version // 3600 % 24:02}{version // 60 % 60:02}{version % 60:02}+0000"
    lines = (
        f"MSH|^~\\&|LIS{connection}|LAB|EHR|HOSP|{time}||ORU^R01^ORU_R01|{control_id}|P|2.5.1",
        f"PID|1||{patient}^^^HOSP^MR||DOE^JANE",
        f"OBR|1||{order}^LAB|718-7^Hemoglobin^LN|||20260301080000|||||||||||||||{time}||LAB|{'C' if version % VERSIONS else 'F'}",
        f"OBX|1|NM|718-7^Hemoglobin^LN||{version}|g/dL|||||{'C' if version % VERSIONS else 'F'}",
    )
    return control_id, "\r".join(lines).encode() + b"\r"


def place(control_id: str) -> tuple[str, int]:
    """(lane, number in it) of a control id."""
    connection, number = control_id[3:].split("-")
    return f"{connection}/{int(number) % LANES}", int(number) // LANES


def last_versions(sent: set[str]) -> dict[str, int]:
    """Of each report, by its filler number, the last version that was sent."""
    found: dict[str, int] = {}
    for control_id in sent:
        lane, version = place(control_id)
        order = f"F{lane.replace('/', '')}{version // VERSIONS:05}"
        found[order] = max(found.get(order, 0), version)
    return found


@dataclass
class Feed:
    """The laboratory.  `room` says whether more may be sent now."""

    port: int
    background: Background
    connections: int = 8
    ahead: int = 16
    room: Callable[[], bool] = lambda: True
    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reconnected: int = 0
    _more: bool = True
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Send until `finish`."""

        async def begin() -> None:
            self._tasks = [asyncio.ensure_future(self._send(connection)) for connection in range(self.connections)]

        self.background.do(begin())

    def finish(self, within: float = 60.0) -> None:
        """Send nothing new; wait until everything sent is acknowledged."""
        self._more = False

        async def end() -> None:
            await asyncio.gather(*self._tasks)

        self.background.do(end(), within)

    async def _send(self, connection: int) -> None:
        number, open_messages = 0, {}  # control id -> content, in the order they were sent
        while self._more or open_messages:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            self.reconnected += 1
            try:
                for content in open_messages.values():
                    writer.write(START + content + END)
                while self._more or open_messages:
                    while self._more and len(open_messages) < self.ahead and self.room():
                        control_id, content = message(connection, number)
                        number += 1
                        self.sent.add(control_id)
                        open_messages[control_id] = content
                        writer.write(START + content + END)
                    if not open_messages:
                        await asyncio.sleep(0.01)
                        continue
                    self._take(await asyncio.wait_for(reader.readuntil(END), 30), open_messages)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                await asyncio.sleep(0.02)
            finally:
                writer.close()

    def _take(self, answer: bytes, open_messages: dict[str, bytes]) -> None:
        fields = next(line for line in answer.split(b"\r") if line.startswith(b"MSA")).decode().split("|")
        if fields[1] in ("AA", "CA"):
            open_messages.pop(fields[2], None)
            self.acknowledged.add(fields[2])
        else:
            self.refused[fields[1]] += 1


class Sink:
    """A receiver of transactions that keeps results by id, the last one winning, and remembers what came in which order."""

    def __init__(self, background: Background, delay: float = 0.0) -> None:
        self.delay = delay
        self.arrived: list[str] = []  # control ids
        self.results: dict[str, tuple[str, int]] = {}  # id -> (order number, value)
        self._background = background
        self._server = background.do(asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/fhir"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                size = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length"))
                self._take(json.loads(await reader.readexactly(size)))
                await asyncio.sleep(self.delay)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            writer.close()

    def _take(self, bundle: dict[str, Any]) -> None:
        self.arrived.append(bundle["identifier"]["value"])
        orders = {}
        for entry in bundle["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] == "DiagnosticReport":
                number = next(each["value"] for each in resource["identifier"] if each["value"].startswith("F"))
                orders |= {each["reference"]: number for each in resource["result"]}
        for entry in bundle["entry"]:
            if entry["resource"]["resourceType"] == "Observation":
                order = orders.get(entry["fullUrl"]) or orders.get(f"Observation/{entry['resource']['id']}")
                assert order, "a result without a report"
                self.results[entry["resource"]["id"]] = (order, int(entry["resource"]["valueQuantity"]["value"]))

    def out_of_order(self) -> list[str]:
        """Control ids that came after a successor of their lane."""
        newest: dict[str, int] = {}
        wrong = []
        for control_id in self.arrived:
            lane, number = place(control_id)
            if number < newest.get(lane, -1):
                wrong.append(control_id)
            newest[lane] = max(newest.get(lane, -1), number)
        return wrong

    def close(self) -> None:
        """Serve no more."""

        async def end() -> None:
            self._server.close()

        self._background.do(end())

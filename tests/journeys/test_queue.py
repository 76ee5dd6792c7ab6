"""A receiver that is down while messages pile up: memory stays, nothing is lost, and the queue drains as fast at its end.

FLUE_QUEUE_MB says how much is queued: 128 where nobody says, 1024 for the full measure.  The run prints what it measured.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from bench.sink import Counted, Receiver
from tests.journeys.engine_process import EngineProcess, code, laboratory
from tests.journeys.feed import Background
from tests.journeys.peers import free_port

pytestmark = pytest.mark.journey

QUEUED = int(os.environ.get("FLUE_QUEUE_MB", "128")) * 2**20
MEMORY = 200  # megabytes the engine may have, whatever waits
SENDERS, AHEAD = 4, 8
PATIENTS = 400  # lanes
SIZES = (1, 20, 60)  # results in a message: 0.3 to 30 KB and more; a note of a page stands after each third
PAGE = " ".join(f"word{number}" for number in range(110))


def message(number: int) -> bytes:
    """The n-th message: of one of many patients, a report of its own."""
    results = "".join(
        f"OBX|{index}|NM|{1000 + index}-{index % 10}^Test {index}^L||{number % 500}.{index}|mmol/L|1-500|N|||F\r"
        + (f"NTE|{index}||{PAGE}\r" if index % 3 == 0 else "")
        for index in range(1, SIZES[number % len(SIZES)] + 1)
    )
    return (
        f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304120000||ORU^R01^ORU_R01|CTL{number:07}|P|2.5.1\r"
        f"PID|1||P{number % PATIENTS}^^^HOSP^MR||Meier^Eva\r"
        f"OBR|1|O{number}^EHR|F{number}^LAB|24323-8^Panel^LN|||20260304|||||||||||||||20260304110000|||F\r{results}"
    ).encode()


class Arrivals(Counted):
    """A receiver's view: which message came when."""

    def reset(self) -> None:
        super().reset()
        self.times: list[tuple[float, int, int]] = []  # when, number, bytes

    def take(self, body: bytes) -> None:
        super().take(body)
        at = body.find(b"CTL")
        self.times.append((self.last, int(body[at + 3 : at + 10]), len(body)))
        self.body = b""


class Watch(threading.Thread):
    """Looks at the engine's memory ten times a second."""

    def __init__(self, engine: EngineProcess) -> None:
        super().__init__(daemon=True)
        self._engine, self.most, self.over = engine, 0.0, False

    def run(self) -> None:
        while not self.over and self._engine.alive:
            self.most = max(self.most, self._engine.memory())
            time.sleep(0.1)

    def stop(self) -> float:
        """The most there was, in megabytes."""
        self.over = True
        self.join()
        return max(self.most, self._engine.memory())


class Senders:
    """A few connections that send until enough is acknowledged."""

    def __init__(self, engine: EngineProcess) -> None:
        self._engine, self._lock = engine, threading.Lock()
        self.number = self.bytes = 0
        self.times: list[tuple[float, int]] = []  # when, bytes acknowledged
        self.codes: set[str] = set()

    def run(self) -> None:
        """Return when `QUEUED` bytes are acknowledged."""
        threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _next(self) -> bytes | None:
        with self._lock:
            if self.bytes >= QUEUED:
                return None
            content = message(self.number)
            self.number += 1
            self.bytes += len(content)
            return content

    def _send(self) -> None:
        with self._engine.line(timeout=60) as line:
            sizes: list[int] = []
            while True:
                while len(sizes) < AHEAD and (content := self._next()):
                    line.push(content)
                    sizes.append(len(content))
                if not sizes:
                    return
                self.codes.add(code(line.read()))
                self.times.append((time.monotonic(), sizes.pop(0)))


def rates(moments: list[tuple[float, int]]) -> list[float]:
    """Megabytes a second in each quarter of the bytes."""
    moments = sorted(moments)
    total, quarter, found, done = sum(size for _, size in moments), 1, [moments[0][0]], 0
    for moment, size in moments:
        done += size
        if done >= total * quarter / 4:
            found.append(moment)
            quarter += 1
    return [total / 4 / 2**20 / max(0.001, after - before) for before, after in pairwise(found)]


def quarters(found: list[float]) -> str:
    """Rates as people read them."""
    return " ".join(f"{rate:.1f}" for rate in found) + " MB/s by quarters"


def test_a_long_queue_costs_disk_and_nothing_else(tmp_path: Path) -> None:
    """The receiver is down, then it comes: memory below 200 MB all the time, every message once, no slower at the end."""
    background, port = Background(), free_port()
    arrivals = Arrivals()
    with EngineProcess(tmp_path, laboratory(f"http://127.0.0.1:{port}/fhir", fhir={"max_entries": 0})) as engine:
        watch = Watch(engine)
        watch.start()
        senders = Senders(engine)
        began = time.monotonic()
        senders.run()
        queued = time.monotonic() - began
        assert senders.codes == {"AA"}
        assert engine.counts() == {"received": senders.number}
        filled = watch.most
        server = background.do(background.loop.create_server(lambda: Receiver(arrivals), "127.0.0.1", port))  # type: ignore[arg-type]
        began = time.monotonic()
        engine.wait_for(lambda: arrivals.count >= senders.number, within=60 + QUEUED / 2**20, every=0.2)
        drained = time.monotonic() - began
        engine.settled()
        most = watch.stop()
        counts = engine.counts()
        disk = sum(file.stat().st_size for file in (tmp_path / "data").rglob("*") if file.is_file())
    background.loop.call_soon_threadsafe(server.close)
    background.close()
    into, out = rates(senders.times), rates([(moment, size) for moment, _, size in arrivals.times])
    print(
        f"\n{senders.number} messages of {senders.bytes / 2**20:.0f} MB: taken in {queued:.0f} s ({quarters(into)}), "
        f"drained in {drained:.0f} s, {senders.number / drained:.0f}/s (bundles: {quarters(out)}), "
        f"memory {filled:.0f} MB full, {most:.0f} MB at most, {disk / 2**20:.0f} MB on disk"
    )
    assert counts == {"sent": senders.number}
    assert arrivals.count == len(arrivals.seen) == senders.number, "something came twice"
    assert most < MEMORY
    assert out[-1] > 0.7 * out[0], "the drain slows down"
    assert into[-1] > 0.4 * into[0], "a long queue slows the senders down"
    for numbers in by_lane(arrivals).values():
        assert numbers == sorted(numbers), "a lane is out of order"


def by_lane(arrivals: Arrivals) -> dict[int, list[int]]:
    """Patient -> his messages, as they came."""
    found: dict[int, list[int]] = defaultdict(list)
    for _, number, _ in arrivals.times:
        found[number % PATIENTS].append(number)
    return found

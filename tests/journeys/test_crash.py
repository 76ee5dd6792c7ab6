"""Killed at any point, the engine loses nothing it acknowledged, doubles nothing, and keeps every lane in order."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.faults import POINTS
from tests.journeys.engine_process import EngineProcess, laboratory
from tests.journeys.feed import Background, Feed, Sink, last_versions, place
from tests.journeys.fhir_server import FhirServer
from tests.journeys.peers import free_port

pytestmark = pytest.mark.journey

OPEN = 100  # messages that shall be on their way at every kill
KILLS = 3  # at each fault point
RANDOM_KILLS = 20


@pytest.fixture
def background() -> Iterator[Background]:
    running = Background()
    yield running
    running.close()


class Mortal:
    """An engine that is killed and started again, under a feed that keeps more than enough messages on their way."""

    def __init__(self, folder: Path, background: Background, url: str, delivered: object, most_open: int = 400) -> None:
        self.port = free_port()
        channel = laboratory(url, source={"mllp": {"listen": f"tcp:{self.port}:interface=127.0.0.1"}})
        self.engine = EngineProcess(folder, channel)
        self.feed = Feed(self.port, background, room=lambda: len(self.feed.sent) - delivered() < most_open)
        self._delivered = delivered
        self.open_at_death: list[int] = []

    def open(self) -> int:
        """Messages sent that the receiver does not have."""
        return len(self.feed.sent) - self._delivered()

    def start(self, **environment: str) -> None:
        """Start it; it may die of its fault before it is ready."""
        try:
            self.engine.start(**environment)
        except AssertionError:
            assert not self.engine.alive and environment, self.engine.said()[-2000:]

    def die_of(self, point: str, times: int) -> None:
        """Run with a fault, until it kills."""
        self.engine.kill()
        self.start(FLUE_FAULT=f"{point}:{times}")
        until = time.monotonic() + 30
        while self.engine.alive:
            assert time.monotonic() < until, f"{point} was not reached {times} times"
            time.sleep(0.005)
        self.open_at_death.append(self.open())

    def wait_for_load(self) -> None:
        self.engine.wait_for(lambda: self.open() >= OPEN, 30)

    def finish(self, within: float) -> None:
        """The last life: everything is acknowledged, delivered and settled."""
        self.engine.kill()
        self.start()
        self.feed.finish(within)
        self.engine.settled(within)
        assert self.feed.acknowledged == self.feed.sent and not self.feed.refused
        assert self.engine.counts() == {"sent": len(self.feed.sent)} | {status: 0 for status in self.engine.counts() if status != "sent"}
        assert self.engine.stop() == 0
        assert "defect" not in self.engine.said()


def test_killed_at_every_point(tmp_path: Path, background: Background) -> None:
    """Three kills at each point, then twenty at random moments; the receiver has everything once, in order, in its last version."""
    dice = random.Random(20260314)
    sink = Sink(background, delay=0.08)
    mortal = Mortal(tmp_path, background, sink.url, lambda: len(set(sink.arrived)))
    mortal.feed.start()
    try:
        mortal.wait_for_load()
        for point in POINTS:
            for kill in range(KILLS):
                mortal.die_of(point, 1 if kill == 0 else dice.randrange(2, 60))
        for _ in range(RANDOM_KILLS):
            mortal.start()
            mortal.wait_for_load()
            time.sleep(dice.uniform(0, 0.6))
            mortal.open_at_death.append(mortal.open())
            mortal.engine.kill()
        sink.delay = 0.0
        mortal.finish(120)
    finally:
        mortal.engine.kill()
    sent = mortal.feed.sent
    kills = mortal.open_at_death
    print(f"\n{len(sent)} messages, {len(kills)} kills with {min(kills)} to {max(kills)} open, {len(sink.arrived) - len(sent)} repeated")
    assert len(kills) == len(POINTS) * KILLS + RANDOM_KILLS and min(kills) >= OPEN
    assert set(sink.arrived) == sent
    assert sink.out_of_order() == []
    assert dict(sink.results.values()) == last_versions(sent) and len(sink.results) == len(last_versions(sent))


def test_killed_before_a_real_receiver(tmp_path: Path, background: Background) -> None:
    """Into a FHIR server nobody here wrote: every patient and every result once by identifier, each in its last version."""
    dice = random.Random(7)
    with FhirServer() as server:
        more = [0]  # the feed goes on a little in each life
        mortal = Mortal(tmp_path, background, server.url, lambda: more[0], most_open=150)
        mortal.feed.start()
        try:
            for point in POINTS[POINTS.index("after_commit") :]:
                mortal.engine.kill()
                more[0] += 80
                mortal.die_of(point, 1 if point.endswith(("commit", "ack")) else dice.randrange(1, 40))
            for _ in range(5):
                more[0] += 80
                mortal.start()
                time.sleep(dice.uniform(0.1, 0.8))
                mortal.engine.kill()
            mortal.finish(120)
        finally:
            mortal.engine.kill()
        sent = mortal.feed.sent
        observations = server.all("Observation")
        reports = {_order(report): report for report in server.all("DiagnosticReport")}
        expected = last_versions(sent)
        print(f"\n{len(sent)} messages, {len(observations)} results, {len(mortal.open_at_death)} kills")
        assert len(observations) == len(expected) and set(reports) == set(expected)
        assert len(server.all("Patient")) == len({place(control_id)[0] for control_id in sent})
        value = {f"Observation/{each['id']}": int(each["valueQuantity"]["value"]) for each in observations}
        assert {order: value[report["result"][0]["reference"]] for order, report in reports.items()} == expected


def _order(report: dict) -> str:
    return next(each["value"] for each in report["identifier"] if each["value"].startswith("F"))

"""Receivers that are down, slow, broken, or forget to answer: nothing is lost, nothing doubled, and other lanes go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.journeys.engine_process import EngineProcess, laboratory
from tests.journeys.feed import Background, Feed, Sink, last_versions, message, place
from tests.journeys.fhir_server import FhirServer
from tests.journeys.proxy import MODES, Proxy

pytestmark = pytest.mark.journey


@pytest.fixture
def background() -> Iterator[Background]:
    running = Background()
    yield running
    running.close()


def through(proxy: Proxy, url: str) -> str:
    """The receiver's address by way of the proxy."""
    return f"http://127.0.0.1:{proxy.port}{urlsplit(url).path}"


def behind(background: Background, url: str) -> Proxy:
    return Proxy(background, urlsplit(url).port or 80)


def suffer(engine: EngineProcess, proxy: Proxy, feed: Feed, seconds: float) -> None:
    """Everything that can go wrong with a receiver, one after the other, while the laboratory goes on sending."""
    feed.start()
    for mode in (*MODES[1:], *reversed(MODES[1:])):
        proxy.become(mode)
        time.sleep(seconds)
        proxy.become("pass")
        time.sleep(seconds / 4)
    feed.finish()
    engine.settled(90)
    assert feed.acknowledged == feed.sent and not feed.refused and feed.reconnected == feed.connections
    assert {status for status, number in engine.counts().items() if number} == {"sent"}


def test_a_receiver_in_every_trouble(tmp_path: Path, background: Background) -> None:
    """The feed notices nothing; the receiver gets everything, each lane in order."""
    sink = Sink(background, delay=0.01)
    proxy = behind(background, sink.url)
    with EngineProcess(tmp_path, laboratory(through(proxy, sink.url), fhir={"timeout": "1s"}, retry={"attempts": 1000})) as engine:
        feed = Feed(engine.ports["lab"], background, connections=4, ahead=2, room=lambda: len(feed.sent) - len(set(sink.arrived)) < 300)
        suffer(engine, proxy, feed, 1.5)
    print(f"\n{len(feed.sent)} messages, {proxy.requests} requests, {len(sink.arrived) - len(feed.sent)} of them taken twice")
    assert set(sink.arrived) == feed.sent and sink.out_of_order() == []
    assert dict(sink.results.values()) == last_versions(feed.sent) and len(sink.results) == len(last_versions(feed.sent))


def test_a_real_receiver_in_every_trouble(tmp_path: Path, background: Background) -> None:
    """A FHIR server nobody here wrote ends up with each patient and each result once, in its last version."""
    with FhirServer() as server:
        proxy = behind(background, server.url)
        with EngineProcess(tmp_path, laboratory(through(proxy, server.url), fhir={"timeout": "1s"}, retry={"attempts": 1000})) as engine:
            began = time.monotonic()
            feed = Feed(engine.ports["lab"], background, 4, ahead=2, room=lambda: len(feed.sent) < 30 * (time.monotonic() - began))
            suffer(engine, proxy, feed, 1.5)
        observations = server.all("Observation")
        expected = last_versions(feed.sent)
        print(f"\n{len(feed.sent)} messages, {proxy.requests} requests, {len(observations)} results")
        assert len(observations) == len(expected)
        assert len(server.all("Patient")) == len({place(control_id)[0] for control_id in feed.sent})
        value = {f"Observation/{each['id']}": int(each["valueQuantity"]["value"]) for each in observations}
        told = {
            next(each["value"] for each in report["identifier"] if each["value"].startswith("F")): value[report["result"][0]["reference"]]
            for report in server.all("DiagnosticReport")
        }
        assert told == expected


def test_one_poisonous_message(tmp_path: Path, background: Background) -> None:
    """A message that the receiver breaks over uses up its attempts and parks its own lane; the others wait for nothing.
    When the receiver is mended a person sends it again, and its lane goes on in order."""
    sink = Sink(background)
    proxy = behind(background, sink.url)
    bad, content = message(0, 0)  # lane 00/0
    proxy.poison = lambda request: bad.encode() in request
    retry = {"attempts": 4, "first": "100ms", "longest": "400ms"}
    with EngineProcess(tmp_path, laboratory(through(proxy, sink.url), retry=retry)) as engine, engine.line() as line:
        assert line.send(content) == "AA"
        slowest, number = 0.0, 1
        until = time.monotonic() + 3
        while time.monotonic() < until:
            control_id, content = message(0, number)
            assert line.send(content) == "AA"
            if place(control_id)[0] != "00/0":
                began = time.monotonic()
                engine.wait_for(lambda: control_id in sink.arrived, 5, every=0.002)
                slowest = max(slowest, time.monotonic() - began)
            number += 1
        print(f"\n{number} messages; the slowest of other lanes took {1000 * slowest:.0f} ms")
        assert slowest < 1.0
        (dead,) = engine.messages(status="error")
        assert dead["control_id"] == bad and engine.deliveries(dead["id"]) == {"repository": "dead_letter"}
        waiting = engine.messages(status="held")
        assert waiting and {place(each["control_id"])[0] for each in waiting} == {"00/0"}
        proxy.poison = None
        assert engine.flue("replay", "retry", str(dead["id"])).returncode == 0
        engine.wait_for(lambda: engine.counts().get("sent") == number, 30)
    assert sink.out_of_order() == [] and len(sink.arrived) == number

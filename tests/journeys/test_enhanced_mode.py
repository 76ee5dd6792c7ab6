"""Enhanced mode on real sockets: the commit acknowledgment when the message is durable, the application's when it is delivered."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.engine_process import EngineProcess, Line, code, fields, laboratory
from tests.journeys.feed import Background, Sink, message

pytestmark = pytest.mark.journey

SLOW = 1.5  # seconds a receiver takes


@pytest.fixture
def background() -> Iterator[Background]:
    running = Background()
    yield running
    running.close()


@pytest.fixture
def sink(background: Background) -> Sink:
    return Sink(background, delay=SLOW)


def asking(number: int, accept: str = "AL", application: str = "AL") -> tuple[str, bytes]:
    """(control id, content) of a message that says which acknowledgments it wants."""
    control_id, content = message(0, number)
    return control_id, content.replace(b"|P|2.5.1", f"|P|2.5.1|||{accept}|{application}".encode())


def told(answer: bytes) -> tuple[str, str]:
    """MSA-1 and 2."""
    return code(answer), fields(answer, "MSA")[2]


def counted(engine: EngineProcess, name: str) -> dict[str, float]:
    """A counter of /metrics: labels -> value."""
    text = urllib.request.urlopen(f"{engine.url}/metrics", timeout=10).read().decode()
    return {line.split(" ")[0]: float(line.split(" ")[1]) for line in text.splitlines() if line.startswith(f"{name}_total")}


def delivered(sink: Sink, **options: str) -> dict:
    return laboratory(sink.url, acknowledge="when_delivered", **options)


def test_a_slow_receiver_holds_up_no_commit_acknowledgment(tmp_path: Path, sink: Sink) -> None:
    """A sender goes on after each CA; the application acknowledgments come on the same connection, one by one."""
    with EngineProcess(tmp_path, delivered(sink)) as engine, engine.line() as line:
        asked, took = [], 0.0
        for number in range(3):
            control_id, content = asking(number)
            began = time.monotonic()
            accepted = line.ask(content)
            took = max(took, time.monotonic() - began)
            asked.append(control_id)
            assert told(accepted) == ("CA", control_id)
        print(f"\nslowest CA after {1000 * took:.1f} ms, the receiver takes {1000 * SLOW:.0f}")
        assert took < SLOW / 2 and len(sink.arrived) <= 3
        later = [line.read() for _ in asked]
        assert sorted(map(told, later)) == [("AA", each) for each in asked]
        for each in later:
            header = fields(each, "MSH")
            assert header[8] == "ACK^R01^ACK" and header[14:16] == ["NE", "NE"]  # MSH-n is [n - 1]
        assert len({fields(each, "MSH")[9] for each in later}) == 3
        engine.settled()
        assert counted(engine, "flue_answers") == {
            'flue_answers_total{channel="lab",code="CA"}': 3.0, 'flue_answers_total{channel="lab",code="AA"}': 3.0,
        }  # fmt: skip
        assert counted(engine, "flue_answers_undelivered") == {}


def test_a_sender_that_hangs_up_after_ca(tmp_path: Path, sink: Sink) -> None:
    """Its application acknowledgment is counted as undelivered; the message is delivered, and who sends it again is told so."""
    with EngineProcess(tmp_path, delivered(sink)) as engine:
        control_id, content = asking(0)
        with engine.line() as line:
            assert line.send(content) == "CA"
        with engine.line() as line:  # while the first is under way
            assert told(line.ask(content)) == ("CA", control_id) and told(line.read()) == ("AA", control_id)
        engine.wait_for(lambda: counted(engine, "flue_answers_undelivered"))
        assert counted(engine, "flue_answers_undelivered") == {'flue_answers_undelivered_total{channel="lab",code="AA"}': 1.0}
        engine.settled()
        with engine.line() as line:
            assert told(line.ask(content)) == ("CA", control_id) and told(line.read()) == ("AA", control_id)
        assert sink.arrived == [control_id]


def test_a_receiver_that_takes_too_long(tmp_path: Path, sink: Sink) -> None:
    """CA, AE after `answer_within`, and after the delivery the truth."""
    with EngineProcess(tmp_path, delivered(sink, answer_within="300ms")) as engine, engine.line() as line:
        control_id, content = asking(0)
        assert told(line.ask(content)) == ("CA", control_id) and told(line.read()) == ("AE", control_id)
        engine.settled()
        assert told(line.ask(content)) == ("CA", control_id) and told(line.read()) == ("AA", control_id)
        assert sink.arrived == [control_id]


def test_stopping_answers_first(tmp_path: Path, sink: Sink) -> None:
    """The engine is asked to stop between the two answers: the sender still gets the second."""
    with EngineProcess(tmp_path, delivered(sink)) as engine, engine.line() as line:
        control_id, content = asking(0)
        assert line.send(content) == "CA"
        assert engine.stop() == 0
        assert told(line.read()) == ("AA", control_id)
        engine.start()


def test_a_crash_between_the_two_answers(tmp_path: Path, sink: Sink) -> None:
    """CA was a promise: after kill -9 it is delivered, and who sends again is told so."""
    with EngineProcess(tmp_path, delivered(sink)) as engine:
        control_id, content = asking(0)
        line = engine.line()
        assert line.send(content) == "CA"
        engine.kill()
        with pytest.raises((ConnectionError, OSError)):
            line.read()
        engine.start()
        engine.settled()
        again: Line = engine.line()
        assert told(again.ask(content)) == ("CA", control_id) and told(again.read()) == ("AA", control_id)
        assert set(sink.arrived) == {control_id} and len(sink.results) == 1


def test_flue_send_prints_both(tmp_path: Path, sink: Sink) -> None:
    """Our own command waits for what a message asks for."""
    control_id, content = asking(0)
    file = tmp_path / "one.hl7"
    file.write_bytes(content)
    with EngineProcess(tmp_path / "engine", delivered(sink)) as engine:
        done = engine.flue("send", f"mllp://127.0.0.1:{engine.ports['lab']}", str(file))
        assert (done.returncode, done.stdout.split("\n")) == (0, [f"{control_id} CA", f"{control_id} AA", ""])

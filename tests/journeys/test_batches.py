"""Batches over real sockets: one answer, nothing lost by a crash in the middle, nothing kept twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.engine_process import EngineProcess, laboratory
from tests.journeys.feed import message
from transforms.hl7.acknowledgment import read_acknowledgment
from transforms.hl7.batch import is_batch, read_envelope

pytestmark = pytest.mark.journey

FHS = b"FHS|^~\\&|LIS|LAB|EHR|HOSP|20260304||nightly||F1\r"
BHS = b"BHS|^~\\&|LIS|LAB|EHR|HOSP|20260304||||B1\r"
COUNT = 120


def whole(first: int, count: int, said: int | None = None) -> bytes:
    """A file with one batch of the feed's messages."""
    messages = b"".join(message(1, first + number)[1] for number in range(count))
    return FHS + BHS + messages + b"BTS|%d\rFTS|1\r" % (count if said is None else said)


def answered(answer: bytes) -> list[tuple[str, str]]:
    assert is_batch(answer) and read_envelope(answer).all_faults == ()
    return [(each.control_id, each.code) for each in map(read_acknowledgment, read_envelope(answer).messages)]


def expected(first: int, count: int) -> list[tuple[str, str]]:
    return [(message(1, first + number)[0], "AA") for number in range(count)]


@pytest.fixture
def engine(tmp_path: Path) -> EngineProcess:
    files = {"name": "repository", "file": {"folder": str(tmp_path / "out")}}
    return EngineProcess(tmp_path, laboratory("http://127.0.0.1:9", destinations=[files]))


def test_batches_over_a_socket(engine: EngineProcess, tmp_path: Path) -> None:
    """Several in a row, single messages between them, one with a wrong count, one that comes again; `flue send --batch` prints it all."""
    with engine:
        with engine.line() as line:
            for frame in (whole(0, 5), message(1, 5)[1], whole(6, 3, said=9), whole(0, 5)):
                line.push(frame)
            first, single, wrong, again = (line.read() for _ in range(4))
        assert answered(first) == answered(again) == expected(0, 5)
        assert read_acknowledgment(single).code == "AA" and not is_batch(single)
        assert answered(wrong) == expected(6, 3) and b"BTS-1 says 9, 3 messages came" in wrong
        assert "BTS-1 says 9, 3 messages came" in engine.said()
        engine.settled()
        assert engine.counts()["sent"] == 9
        (tmp_path / "batch.hl7").write_bytes(whole(20, 2))
        sent = engine.flue("send", "--batch", f"mllp://127.0.0.1:{engine.ports['lab']}", str(tmp_path / "batch.hl7"))
        assert (sent.returncode, sent.stdout.split()) == (0, [text for pair in expected(20, 2) for text in pair])
        engine.settled()


@pytest.mark.parametrize("fault", ["before_commit:2", "after_commit:1", "after_commit:3", "before_ack:1"])
def test_killed_in_the_middle_of_a_batch(engine: EngineProcess, fault: str) -> None:
    """No answer was given, so it comes again: everything is kept once and answered."""
    assert engine.stop() == 0
    engine.start(FLUE_FAULT=fault)
    with pytest.raises(OSError), engine.line() as line:
        line.ask(whole(0, COUNT))
    engine.kill()
    engine.start()
    with engine:
        kept = len(engine.messages())
        with engine.line() as line:
            assert answered(line.ask(whole(0, COUNT))) == expected(0, COUNT)
        engine.settled()
        assert engine.counts()["sent"] == COUNT and 0 <= kept <= COUNT

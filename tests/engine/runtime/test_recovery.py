"""After a crash, at whatever moment: nothing acknowledged is lost, nothing goes out of order, nothing is doubled that need not be."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import integers

from channels.message import Outcome, Outgoing
from engine.events import Fault
from engine.runtime.states import ACTIONABLE
from tests.engine.runtime.stage import CHANNEL, COUNTED, FAILING, REFUSED, SENT, Stage, oru

SetStage = Callable[..., Stage]
ONCE = CHANNEL.replace("staged: {}", "staged_once: {}")


def test_what_was_not_delivered_is_delivered(stage: SetStage) -> None:
    """Everything acknowledged before the crash goes out after it, in order."""
    lab = stage(CHANNEL + "window: 10\n")
    lab.receiver().answer = lambda outgoing: FAILING
    assert set(lab.send(*(oru(f"{lane}{n}", lane) for n in range(40) for lane in "AB"))) == {"AA"}
    lab.restart()
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(100)
    for lane in "AB":
        assert [each for each in lab.receiver().taken if each[0] == lane] == [f"{lane}{n}" for n in range(40)]
    assert set(lab.statuses()) == {"sent"}
    assert [message.id for message in lab.messages(patient="A")] == list(range(1, 81, 2))


def test_retry_times_survive(stage: SetStage) -> None:
    """A delivery that waits for its third attempt waits as long after a restart, and has two attempts behind it."""
    lab = stage(CHANNEL.replace("first: 1s", "first: 10s"))
    lab.receiver().answer = lambda outgoing: COUNTED if outgoing.control_id == "A0" else SENT
    lab.send(oru("A0", "A"))
    lab.wait(5)
    lab.send(oru("B0", "B"))
    lab.wait(6)
    lab.restart()
    before = lab.now()
    lab.send(oru("B1", "B"))
    lab.wait(60)
    again = [time for sent, time in zip(lab.receiver().sent, lab.receiver().times, strict=True) if sent == "A0" and time > before]
    assert again[0] - before == pytest.approx(19, abs=0.1) and lab.receiver().outgoing[-1].attempt == 3
    assert lab.statuses()[0] == "error"


def test_dead_letters_park_their_lanes_across_a_restart(stage: SetStage) -> None:
    """The lane still waits for a person, and still goes on in order."""
    lab = stage()
    lab.receiver().answer = lambda outgoing: REFUSED if outgoing.control_id == "A0" else SENT
    lab.send(*(oru(f"A{n}", "A") for n in range(5)))
    lab.wait(1)
    lab.restart()
    lab.receiver().answer = lambda outgoing: SENT
    lab.send(oru("A5", "A"), oru("B0", "B"))
    lab.wait(1)
    assert lab.receiver().taken == ["B0"]
    lab.do(lab.engine.retry(1))
    lab.restart()
    lab.wait(1)
    assert lab.receiver().taken == ["B0", "A0", "A1", "A2", "A3", "A4", "A5"]
    assert set(lab.statuses()) == {"sent"}


async def _never(outgoing: Outgoing) -> Outcome:
    await asyncio.sleep(1e9)
    return SENT


def test_died_while_sending(stage: SetStage) -> None:
    """Where sending twice would double: unsure; the lane waits for a person, who may send it again."""
    lab = stage(ONCE)
    lab.receiver().answer = _never
    lab.send(oru("A0", "A"), oru("A1", "A"))
    lab.wait(1)
    assert lab.deliveries(1) == [("repository", "sending")]
    lab.restart()
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(10)
    assert lab.deliveries(1) == [("repository", "unsure")] and lab.statuses() == ["held", "held"]
    assert lab.receiver().sent == ["A0"]
    lab.do(lab.engine.retry(1))
    lab.wait(1)
    assert lab.receiver().taken == ["A0", "A1"] and lab.statuses() == ["sent", "sent"]


def test_died_while_sending_and_told_to_resend(stage: SetStage) -> None:
    """`on_unsure: resend` sends it again, before the next of its lane."""
    lab = stage(ONCE.replace("staged_once: {}", "staged_once: {}, on_unsure: resend"))
    lab.receiver().answer = _never
    lab.send(oru("A0", "A"), oru("A1", "A"))
    lab.wait(1)
    lab.restart()
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(1)
    assert lab.receiver().sent == ["A0", "A0", "A1"] and lab.statuses() == ["sent", "sent"]


RESENT = ONCE.replace("staged_once: {}", "staged_once: {}, on_unsure: resend")


@pytest.mark.parametrize("channel", [CHANNEL, ONCE, RESENT])
@pytest.mark.parametrize("answer", [FAILING, COUNTED, None], ids=["receiver down", "message fails", "killed while sending"])
def test_what_a_person_wants_sent_as_it_is(stage: SetStage, channel: str, answer: Outcome | None) -> None:
    """A held delivery that was forced stays so across any number of crashes and failed attempts, until it is over."""
    lab = stage(channel + "transform: [go_wrong]\n")
    lab.send(oru("M0", how="hold"), oru("M1", how="hold"))
    lab.wait(1)

    async def never(outgoing: Outgoing) -> Outcome:
        return await asyncio.Event().wait()

    lab.receiver().answer = (lambda outgoing: answer) if answer else never
    lab.do(lab.engine.retry(1, force=True))
    for _ in range(2):
        lab.wait(0.5)
        lab.restart()
    lab.wait(0.5)
    lab.receiver().answer = lambda outgoing: SENT
    lab.restart()
    lab.wait(200)
    if answer is None and channel is ONCE:
        assert lab.statuses() == ["held", "held"] and lab.do(lab.sqlite.deliveries(1))[0].status == "unsure"
        lab.do(lab.engine.retry(1, force=True))
        lab.wait(1)
    assert lab.statuses() == ["sent", "held"] and lab.receiver().taken == ["M0"]


def test_a_version_of_an_earlier_day(stage: SetStage, tmp_path: Path) -> None:
    """What came in under an earlier version is run by that version after the restart; what comes later by today's."""
    lab = stage(CHANNEL + "transform:\n  - set: { field: PID-8, to: before }\n")
    assert lab.engine.channels(), lab.engine.problems
    lab.receiver().answer = lambda outgoing: FAILING
    lab.send(oru("M1"))
    lab.write("channel.yaml", CHANNEL + "transform:\n  - set: { field: PID-8, to: after }\n")
    lab.restart()
    lab.receiver().answer = lambda outgoing: SENT
    lab.send(oru("M2"))
    lab.wait(100)
    assert [each.document.body.get("PID-8") for each in lab.receiver().outgoing[-2:]] == ["before", "after"]


def test_a_destination_that_is_no_more(stage: SetStage) -> None:
    """What an earlier version owes a destination which was taken away is held, and does not stay open for ever."""
    lab = stage()
    lab.receiver().answer = lambda outgoing: FAILING
    lab.send(oru("M1"))
    lab.write("channel.yaml", CHANNEL.replace("name: repository", "name: other"))
    lab.restart()
    lab.wait(10)
    assert lab.statuses() == ["held"] and lab.deliveries(1) == [("repository", "held")]


def test_a_version_that_cannot_be_run(stage: SetStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its messages become errors that say so, and can be replayed under today's."""
    monkeypatch.setenv("FLUE_TEST_DAY", "that day")
    lab = stage(CHANNEL + 'description: "${env:FLUE_TEST_DAY}"\n')
    lab.receiver().answer = lambda outgoing: FAILING
    lab.send(oru("M1"))
    monkeypatch.delenv("FLUE_TEST_DAY")
    lab.write("channel.yaml", CHANNEL + "description: another\n")
    lab.restart()
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(10)
    assert lab.statuses() == ["error"] and "version" in lab.do(lab.sqlite.message(1)).error_text
    lab.do(lab.engine.replay([1], under="today"))
    lab.wait(1)
    assert lab.statuses() == ["error", "sent"]


SOAK = """
channel: lab
source: { handed: {} }
window: 6
destinations:
  - { name: one, staged: { receiver: one, in_flight: 3 }, retry: { attempts: 2, first: 1s, longest: 8s } }
  - { name: two, staged_once: { receiver: two, in_flight: 2 }, on_unsure: resend, retry: { attempts: 3, first: 1s, longest: 4s } }
"""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=integers(0, 10**9))
def test_whatever_happens(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Random loads, receivers in every mood, people who decide, crashes at any time: in the end each destination has every message,
    each lane in order, and the idempotent one nothing after its successor."""
    dice = random.Random(seed)
    with Stage(tmp_path_factory.mktemp("soak"), SOAK).running() as lab:
        sick = {"one": 0.3, "two": 0.3}

        def moody(name: str) -> Callable[[Outgoing], object]:
            async def answer(outgoing: Outgoing) -> Outcome:
                await asyncio.sleep(dice.choice([0, 0, 0.01, 0.5]))
                return dice.choice([REFUSED, COUNTED, FAILING]) if dice.random() < sick[name] else SENT

            return answer

        lab.chance = 0.3
        number = 0
        for name in sick:
            lab.receiver(name).answer = moody(name)
        for _ in range(dice.randrange(3, 9)):
            burst = [oru(f"{dice.choice('ABC')}{number + n:03}", "") for n in range(dice.randrange(1, 12))]
            burst = [message.replace(b"PID|1||", b"PID|1||" + message[message.index(b"ORU^R01|") + 8 :][:1]) for message in burst]
            number += len(burst)
            assert set(lab.send(*burst)) == {"AA"}
            lab.wait(dice.choice([0, 0.001, 0.1, 1, 20]))
            if dice.random() < 0.4:
                lab.restart()
            if dice.random() < 0.3:
                sick[dice.choice(["one", "two"])] = dice.choice([0, 0.3, 1])
            for message in lab.messages(status=dice.choice(["error", "partly_sent", "held"]))[:5]:
                lab.do(lab.engine.retry(message.id))
        _make_well(lab, sick)
        ids = [message.control_id for message in lab.messages()]
        assert len(ids) == number and set(lab.statuses()) == {"sent"}, (seed, lab.statuses())
        assert not lab.tell_of(Fault), (seed, lab.tell_of(Fault))
        assert lab.engine.channels()[0].in_hand == 0
        for name in sick:
            taken = lab.receiver(name).taken
            assert set(taken) == set(ids), (seed, name)
            for lane in "ABC":
                first = list(dict.fromkeys(each for each in taken if each[0] == lane))
                assert first == [each for each in ids if each[0] == lane], (seed, name, lane)


def _make_well(lab: Stage, sick: dict[str, float]) -> None:
    """The receivers are well; a person sends every dead letter again, oldest first, until nothing is left."""
    for name in sick:
        sick[name] = 0
    for _ in range(60):
        lab.wait(30)
        waiting = [message for message in lab.messages() if message.status.value != "sent"]
        if not waiting:
            return
        for message in waiting:
            if any(row.status in ACTIONABLE for row in lab.do(lab.sqlite.deliveries(message.id))):
                lab.do(lab.engine.retry(message.id))

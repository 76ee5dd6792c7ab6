"""How documents leave: in order inside a lane, side by side across lanes, again when a receiver was at fault."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from channels.message import Outcome, Outgoing, Verdict
from engine.events import DestinationFailing, DestinationRecovered
from tests.engine.runtime.stage import CHANNEL, COUNTED, FAILING, HELD, REFUSED, SENT, Stage, oru

SetStage = Callable[..., Stage]
TWO = """
channel: lab
source: { handed: {} }
window: 10
destinations:
  - { name: one, staged: { receiver: one } }
  - { name: two, staged: { receiver: two } }
"""


def test_order_inside_a_lane(stage: SetStage) -> None:
    """A patient's messages leave one after the other, each after its predecessor is settled; several patients side by side."""
    lab = stage()
    under_way: Counter[str] = Counter()
    most = 0

    async def slowly(outgoing: Outgoing) -> Outcome:
        nonlocal most
        lane = outgoing.control_id[0]
        under_way[lane] += 1
        most = max(most, sum(under_way.values()))
        assert under_way[lane] == 1
        await asyncio.sleep(1)
        under_way[lane] -= 1
        return SENT

    lab.receiver().answer = slowly
    lab.send(*(oru(f"{lane}{n}", lane) for n in range(5) for lane in "ABCDEF"))
    lab.wait(60)
    for lane in "ABCDEF":
        assert [each for each in lab.receiver().taken if each[0] == lane] == [f"{lane}{n}" for n in range(5)]
    assert most == 4  # in_flight


def test_a_failing_receiver_costs_no_attempt(stage: SetStage) -> None:
    """It is probed with growing waits, one delivery at a time, without limit; when it is back everything goes out in order."""
    lab = stage()
    lab.receiver().answer = lambda outgoing: FAILING
    lab.send(*(oru(f"{lane}{n}", lane) for n in range(10) for lane in "AB"))
    lab.wait(3600)
    assert lab.statuses() == ["received"] * 20 and not lab.receiver().taken
    gaps = [round(b - a, 3) for a, b in zip(lab.receiver().times[1:], lab.receiver().times[2:], strict=False)]
    assert gaps[:7] == [1, 2, 4, 8, 16, 32, 60] and set(gaps[7:]) == {60.0}
    assert set(lab.receiver().sent[2:]) == {"A0", "B0"}  # probes take turns
    assert len(lab.tell_of(DestinationFailing)) == 1
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(120)
    assert len(lab.tell_of(DestinationRecovered)) == 1
    for lane in "AB":
        assert [each for each in lab.receiver().taken if each[0] == lane] == [f"{lane}{n}" for n in range(10)]
    assert set(lab.statuses()) == {"sent"}


def test_a_person_says_that_the_receiver_is_back(stage: SetStage) -> None:
    """Starting the destination tries it at once, whatever the wait has grown to."""
    lab = stage()
    lab.receiver().answer = lambda outgoing: FAILING
    lab.send(oru("M1"))
    lab.wait(100)
    lab.receiver().answer = lambda outgoing: SENT
    lab.engine.start_destination("lab", "repository")
    lab.wait(0.01)
    assert lab.receiver().taken == ["M1"]


def test_retry_after(stage: SetStage) -> None:
    """A receiver that says when to come back is not asked before."""
    lab = stage()
    answers = [Outcome(Verdict.FAILING, "429", retry_after=30.0)]
    lab.receiver().answer = lambda outgoing: answers.pop() if answers else SENT
    lab.send(oru("M1"))
    lab.wait(60)
    assert lab.receiver().times[1] - lab.receiver().times[0] == pytest.approx(30)


def test_a_refused_message_is_a_dead_letter_and_parks_its_lane(stage: SetStage) -> None:
    """Other lanes go on; the parked lane goes on, in order, when a person sends it again."""
    lab = stage()
    lab.receiver().answer = lambda outgoing: REFUSED if outgoing.control_id == "A1" else SENT
    lab.send(*(oru(f"{lane}{n}", lane) for n in range(4) for lane in "AB"))
    lab.wait(10)
    assert lab.receiver().taken == ["A0", "B0", "B1", "B2", "B3"] or sorted(lab.receiver().taken) == ["A0", "B0", "B1", "B2", "B3"]
    assert Counter(lab.statuses()) == {"sent": 5, "error": 1, "held": 2}
    lab.send(oru("A4", "A"))
    lab.wait(10)
    assert "A4" not in lab.receiver().sent
    lab.receiver().answer = lambda outgoing: SENT
    (row,) = lab.do(lab.engine.retry(lab.messages(control_id="A1")[0].id))
    assert row.status.value == "dead_letter" and row.code == "422"
    lab.wait(10)
    assert [each for each in lab.receiver().taken if each[0] == "A"] == ["A0", "A1", "A2", "A3", "A4"]
    assert set(lab.statuses()) == {"sent"}
    lab.send(oru("A5", "A"))
    lab.wait(1)
    assert lab.receiver().taken[-1] == "A5"


def test_a_dismissed_dead_letter_lets_its_lane_go_on(stage: SetStage) -> None:
    """What is given up for good stands in nobody's way."""
    lab = stage()
    lab.receiver().answer = lambda outgoing: REFUSED if outgoing.control_id == "A0" else SENT
    lab.send(oru("A0", "A"), oru("A1", "A"), oru("A2", "A"))
    lab.wait(10)
    lab.do(lab.engine.dismiss(1))
    lab.wait(10)
    assert lab.receiver().taken == ["A1", "A2"] and lab.statuses() == ["error", "sent", "sent"]
    assert lab.do(lab.engine.retry(1)) == []  # dismissed is dismissed


def test_on_dead_letter_pass(stage: SetStage) -> None:
    """Where the channel says so, the next may pass a dead letter."""
    lab = stage(CHANNEL.replace("staged: {}", "staged: {}, on_dead_letter: pass"))
    lab.receiver().answer = lambda outgoing: REFUSED if outgoing.control_id == "A0" else SENT
    lab.send(oru("A0", "A"), oru("A1", "A"))
    lab.wait(10)
    assert lab.receiver().taken == ["A1"]
    lab.receiver().answer = lambda outgoing: SENT
    lab.do(lab.engine.retry(1))
    lab.send(oru("A2", "A"))
    lab.wait(10)
    assert lab.receiver().taken == ["A1", "A0", "A2"] and set(lab.statuses()) == {"sent"}


def test_a_message_that_alone_goes_wrong_uses_up_its_attempts(stage: SetStage) -> None:
    """500 for one message while others get through: after `attempts` it is a dead letter, and nobody else waited for it."""
    lab = stage()
    lab.receiver().answer = lambda outgoing: COUNTED if outgoing.control_id == "A0" else SENT
    lab.send(oru("A0", "A"))
    for n in range(30):
        lab.wait(1)
        before = len(lab.receiver().taken)
        lab.send(oru(f"B{n}", "B"))
        lab.wait(0.01)
        assert len(lab.receiver().taken) == before + 1
    assert lab.receiver().sent.count("A0") == 3 and lab.statuses()[0] == "error"
    (row,) = lab.do(lab.sqlite.deliveries(1))
    assert (row.status.value, row.attempts, row.code, row.response) == ("dead_letter", 3, "500", b"oops")


def test_500_for_everything_is_the_receivers_fault(stage: SetStage) -> None:
    """When nobody gets through no message pays more than its first attempt, however long it lasts."""
    lab = stage()
    lab.receiver().answer = lambda outgoing: COUNTED
    lab.send(*(oru(f"{lane}0", lane) for lane in "ABCDEFGH"))
    lab.wait(7200)
    assert "dead_letter" not in {status for id in range(1, 9) for _, status in lab.deliveries(id)}
    lab.receiver().answer = lambda outgoing: SENT
    lab.wait(200)
    assert set(lab.statuses()) == {"sent"}


def test_a_connector_that_raises(stage: SetStage) -> None:
    """A broken connector loses nothing and stops nobody."""
    lab = stage()

    def broken(outgoing: Outgoing) -> Outcome:
        if outgoing.control_id == "A0" and len(lab.receiver().sent) < 3:
            raise RuntimeError("JANE DOE")
        return SENT

    lab.receiver().answer = broken
    lab.send(oru("A0", "A"), oru("B0", "B"))
    lab.wait(30)
    assert sorted(lab.receiver().taken) == ["A0", "B0"] and lab.statuses() == ["sent", "sent"]


def test_held_by_the_destination(stage: SetStage) -> None:
    """What the receiver must not get as it is waits for a person; its lane goes on."""
    lab = stage()
    lab.receiver().answer = lambda outgoing: HELD if outgoing.control_id == "A0" else SENT
    lab.send(oru("A0", "A"), oru("A1", "A"))
    lab.wait(1)
    assert lab.statuses() == ["held", "sent"]
    lab.receiver().answer = lambda outgoing: SENT
    lab.do(lab.engine.retry(1))
    lab.wait(1)
    assert lab.receiver().taken == ["A1", "A0"] and lab.statuses() == ["sent", "sent"]


def test_destinations_are_independent(stage: SetStage) -> None:
    """One that is down holds none of the others, however much piles up; when it is back it gets everything in order."""
    lab = stage(TWO)
    lab.receiver("two").answer = lambda outgoing: FAILING
    for n in range(0, 100, 5):
        lab.send(*(oru(f"A{n + m}", "A") for m in range(5)))
        lab.wait(0.1)
        assert lab.receiver("one").taken == [f"A{k}" for k in range(n + 5)]
    assert lab.statuses() == ["received"] * 100
    assert lab.engine.channels()[0].in_hand <= 11 and not lab.engine.channels()[0].destinations[1].caught_up
    assert [message.id for message in lab.messages(patient="A")] == list(range(1, 101))  # found though nothing is settled
    lab.receiver("two").answer = lambda outgoing: SENT
    lab.wait(400)
    assert lab.receiver("two").taken == [f"A{n}" for n in range(100)] and set(lab.statuses()) == {"sent"}
    assert lab.receiver("one").sent == [f"A{n}" for n in range(100)]
    assert lab.engine.channels()[0].in_hand == 0


def test_partly_sent(stage: SetStage) -> None:
    """A message that one of two destinations refused."""
    lab = stage(TWO)
    lab.receiver("two").answer = lambda outgoing: REFUSED
    lab.send(oru("M1"))
    lab.wait(1)
    assert lab.statuses() == ["partly_sent"] and sorted(lab.deliveries(1)) == [("one", "sent"), ("two", "dead_letter")]
    lab.receiver("two").answer = lambda outgoing: SENT
    lab.do(lab.engine.retry(1))
    lab.wait(1)
    assert lab.statuses() == ["sent"]


def test_a_dead_letter_is_sent_again_while_another_destination_is_down(stage: SetStage) -> None:
    """The message is not settled yet; a person may still decide about its dead letter."""
    lab = stage(TWO)
    lab.receiver("one").answer = lambda outgoing: REFUSED
    lab.receiver("two").answer = lambda outgoing: FAILING
    lab.send(oru("M1"), oru("M2"))
    lab.wait(1)
    lab.receiver("one").answer = lambda outgoing: SENT
    lab.do(lab.engine.retry(1, "one"))
    lab.wait(1)
    assert lab.receiver("one").taken == ["M1", "M2"] and lab.statuses() == ["received", "received"]
    lab.receiver("two").answer = lambda outgoing: SENT
    lab.wait(60)
    assert lab.statuses() == ["sent", "sent"] and lab.receiver("two").taken == ["M1", "M2"]


def test_parts_have_lanes_of_their_own(stage: SetStage) -> None:
    """Several patients in one message: one's failure does not repeat the other's."""
    lab = stage(CHANNEL + "transform: [go_wrong]\n")
    lab.receiver().answer = lambda outgoing: REFUSED if outgoing.part == 0 else SENT
    lab.send(oru("M1", how="split"))
    lab.wait(1)
    assert lab.statuses() == ["partly_sent"] and lab.deliveries(1) == [("repository", "dead_letter"), ("repository", "sent")]
    lab.receiver().answer = lambda outgoing: SENT
    lab.do(lab.engine.retry(1))
    lab.wait(1)
    assert lab.statuses() == ["sent"] and [each.part for each in lab.receiver().outgoing] == [0, 1, 0]


def test_lanes_that_wait_do_not_fill_the_window(stage: SetStage) -> None:
    """A poisonous message retried for minutes, with a hundred behind it, keeps nobody else waiting."""
    lab = stage(CHANNEL.replace("attempts: 3", "attempts: 8") + "window: 10\n")
    lab.receiver().answer = lambda outgoing: COUNTED if outgoing.control_id == "A0" and lab.now() < 1_800_000_000 + 50 else SENT
    lab.send(oru("B0", "B"))
    lab.send(*(oru(f"A{n}", "A") for n in range(60)))
    for n in range(1, 30):
        lab.send(oru(f"B{n}", "B"))
        lab.wait(1)
        assert lab.receiver().taken == [f"B{k}" for k in range(n + 1)]
    lab.wait(200)
    assert [each for each in lab.receiver().taken if each[0] == "A"] == [f"A{n}" for n in range(60)]
    assert set(lab.statuses()) == {"sent"}


def test_a_paused_destination(stage: SetStage) -> None:
    """A person pauses it: messages are taken and wait; it goes on when started."""
    lab = stage()
    lab.engine.pause_destination("lab", "repository")
    assert lab.send(oru("M1"), oru("M2")) == ["AA", "AA"]
    lab.wait(100)
    assert lab.receiver().sent == [] and lab.engine.channels()[0].destinations[0].state == "paused"
    lab.engine.start_destination("lab", "repository")
    lab.wait(1)
    assert lab.receiver().taken == ["M1", "M2"]

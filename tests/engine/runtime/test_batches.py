"""Batches: each message by itself, one batch answers them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from channels.message import RawMessage, Response
from engine.events import BatchAtFault, Undelivered
from engine.runtime.batches import IN_HAND
from tests.engine.runtime.stage import CHANNEL, FAILING, Stage, oru
from transforms.hl7.acknowledgment import read_acknowledgment
from transforms.hl7.batch import is_batch, read_envelope

SetStage = Callable[..., Stage]
FHS = b"FHS|^~\\&|LAB|HOSP|EHR|CLINIC|20260304||nightly||F1\r"
BHS = b"BHS|^~\\&|LAB|HOSP|EHR|CLINIC|20260304||||B1\r"


def batch(*messages: bytes, said: int | None = None) -> bytes:
    """A batch of messages whose BTS-1 is right, or says something else."""
    return BHS + b"".join(messages) + b"BTS|%d\r" % (len(messages) if said is None else said)


def answered(response: Response) -> list[tuple[str, str]]:
    """Control id and code of each acknowledgment in the batch that answers."""
    assert is_batch(response.contents[0])
    found = [read_acknowledgment(each) for each in read_envelope(response.contents[0]).messages]
    return [(each.control_id, each.code) for each in found]


def test_each_message_goes_by_itself(stage: SetStage) -> None:
    """Stored, delivered, found and replayed by itself; one batch answers, in the order of the messages."""
    lab = stage()
    (response,) = lab.responses(FHS + batch(oru("M1"), oru("M2", "P2")) + batch(oru("M3")) + b"FTS|2\r")
    assert answered(response) == [("M1", "AA"), ("M2", "AA"), ("M3", "AA")] and len(response.contents) == 1
    assert read_envelope(response.contents[0]).all_faults == () and response.contents[0].count(b"BHS|") == 2
    lab.wait(1)
    assert lab.statuses() == ["sent"] * 3 and sorted(lab.receiver().taken) == ["M1", "M2", "M3"]
    lab.do(lab.engine.replay([2]))
    lab.wait(1)
    assert lab.receiver().taken.count("M2") == 2
    assert not lab.tell_of(BatchAtFault)


def test_good_messages_are_kept_whatever_the_envelope_says(stage: SetStage) -> None:
    """A wrong count is told and said in the answer; a bad message is answered AE or AR among the good ones."""
    lab = stage(CHANNEL + "transform: [go_wrong]\n")
    (response,) = lab.responses(batch(oru("M1"), oru("M2", how="refuse"), oru("", "P3"), oru("M4"), said=7))
    assert answered(response) == [("M1", "AA"), ("M2", "AE"), ("", "AR"), ("M4", "AA")] and response.code == "AA"
    fault = "batch 1: BTS-1 says 7, 4 messages came"
    assert fault.encode() in response.contents[0]
    assert lab.tell_of(BatchAtFault) == [BatchAtFault("lab", 4, (fault,))]
    lab.wait(1)
    assert lab.statuses() == ["sent", "error", "error", "sent"]


def test_a_batch_that_comes_again(stage: SetStage) -> None:
    """Nothing is kept twice; the answers are those of the first time, in a batch."""
    lab = stage()
    twice = [batch(oru("M1"), oru("M2")), batch(oru("M2"), oru("M1"), oru("M3"))]
    (first,) = lab.responses(twice[0])
    (second,) = lab.responses(twice[1])
    acknowledgments = read_envelope(first.contents[0]).messages
    assert read_envelope(second.contents[0]).messages[:2] == acknowledgments[::-1]
    lab.wait(1)
    assert lab.statuses() == ["sent"] * 3


def test_a_crash_in_the_middle_loses_nothing(stage: SetStage) -> None:
    """What was durable is delivered after the start; the batch sent again brings the rest, and everything is answered."""
    lab = stage()

    def taken_until_the_third(receive: Callable) -> Callable:
        count = iter(range(99))

        def receives(arrival: object) -> object:
            if next(count) == 2:
                lab.store.dead = True
            return receive(arrival)

        return receives

    lab.store.receive = taken_until_the_third(lab.store.receive)
    whole = batch(*[oru(f"M{number}", f"P{number}") for number in range(5)])

    async def asked() -> bool:
        task = lab.loop.create_task(lab.doors["door"].receive(RawMessage(whole, lab.now(), "lis:1")))
        for _ in range(50):
            await asyncio.sleep(0)
        return task.done()

    assert lab.do(asked()) is False  # no answer: not all of it is durable
    lab.restart()
    kept = len(lab.messages())
    assert 0 < kept < 5
    (response,) = lab.responses(whole)
    assert answered(response) == [(f"M{number}", "AA") for number in range(5)]
    lab.wait(1)
    assert lab.statuses() == ["sent"] * 5 and set(lab.receiver().taken) == {f"M{number}" for number in range(5)}


def test_a_store_that_is_down(stage: SetStage) -> None:
    """Nothing is promised: every message is answered AR, to be sent again."""
    lab = stage()
    lab.store.down = True
    (response,) = lab.responses(batch(oru("M1"), oru("M2")))
    assert answered(response) == [("M1", "AR"), ("M2", "AR")] and (response.code, response.id) == ("AR", 0)
    lab.store.down = False


def test_enhanced_mode(stage: SetStage) -> None:
    """The batch holds what is owed at once; application acknowledgments follow in another."""
    lab = stage()
    asking = [oru("M1", msh15="AL", msh16="AL"), oru("M2", msh15="AL", msh16="NE"), oru("M3", msh15="NE", msh16="NE")]
    (response,) = lab.responses(batch(*asking))
    assert answered(response) == [("M1", "CA"), ("M2", "CA")]
    assert answered(Response(response.contents[1:])) == [("M1", "AA")] and len(response.contents) == 2
    (silent,) = lab.responses(batch(oru("M4", msh15="NE", msh16="NE")))
    assert silent.contents == ()
    (empty,) = lab.responses(batch(said=3))
    assert b"BTS|0|batch 1: BTS-1 says 3, 0 messages came\r" in empty.contents[0]


def test_application_acknowledgments_that_wait_for_deliveries(stage: SetStage) -> None:
    """They come together, when all are known."""
    lab = stage(CHANNEL + "acknowledge: when_delivered\nanswer_within: 20s\n")
    lab.receiver().answer = lambda outgoing: FAILING
    (response,) = lab.responses(batch(oru("M1", msh15="AL", msh16="AL"), oru("M2", "P2", msh15="AL", msh16="AL")))
    assert answered(response) == [("M1", "CA"), ("M2", "CA")] and response.later is not None

    async def later() -> Response:
        assert response.later is not None
        return await response.later

    assert answered(lab.do(later())) == [("M1", "AE"), ("M2", "AE")]


def test_more_messages_than_are_in_hand_at_once(stage: SetStage) -> None:
    """A large batch is taken in its order."""
    lab = stage()
    count = IN_HAND + 20
    (response,) = lab.responses(batch(*[oru(f"M{number}", f"P{number % 7}") for number in range(count)]))
    assert answered(response) == [(f"M{number}", "AA") for number in range(count)]
    assert [message.control_id for message in lab.messages()] == [f"M{number}" for number in range(count)]


def test_an_answer_that_does_not_arrive(stage: SetStage) -> None:
    """It is told for each message that it was about."""
    lab = stage()
    (response,) = lab.responses(batch(oru("M1"), oru("M2")))
    assert response.lost is not None
    response.lost()
    assert len(lab.tell_of(Undelivered)) == 2

"""Which acknowledgments a sender gets, by MSH-15 and MSH-16 and by what its message comes to, and when it gets them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from channels.message import RawMessage, Response
from engine.events import Answered, Delivered, Undelivered
from engine.store.states import ANSWER
from tests.engine.runtime.stage import CHANNEL, FAILING, REFUSED, SENT, Receiver, Stage, oru
from transforms.hl7.acknowledgment import read_acknowledgment
from transforms.hl7.message import parse

SetStage = Callable[..., Stage]

LAB = CHANNEL + "processing: [P]\ntransform: [go_wrong]\n"
WHEN_DELIVERED = LAB + "acknowledge: when_delivered\nanswer_within: 5s\n"

ORIGINAL = "AA | AE | AR | AR"
OWED = {  # MSH-15, MSH-16: all is well | its content is at fault | its header is | it cannot be kept
    "": ORIGINAL,
    "AL AL": "CA AA | CA AE | CR | CE",
    "AL NE": "CA | CA | CR | CE",
    "AL ER": "CA | CA AE | CR | CE",
    "AL SU": "CA AA | CA | CR | CE",
    "AL": "CA | CA | CR | CE",
    "NE AL": "AA | AE | AR | AR",
    "NE NE": "| | |",
    "NE ER": "| AE | AR | AR",
    "NE SU": "AA | | |",
    "NE": "| | |",
    "ER AL": "AA | AE | CR | CE",
    "ER NE": "| | CR | CE",
    "ER ER": "| AE | CR | CE",
    "ER SU": "AA | | CR | CE",
    "ER": "| | CR | CE",
    "SU AL": "CA AA | CA AE | AR | AR",
    "SU NE": "CA | CA | |",
    "SU ER": "CA | CA AE | AR | AR",
    "SU SU": "CA AA | CA | |",
    "SU": "CA | CA | |",
    '"" AL': "AA | AE | AR | AR",
    '"" ""': ORIGINAL,
    "ZZ": ORIGINAL,  # none of table 0155: silence
}
SILENCE = {"": OWED["AL"], '"" AL': OWED["AL AL"], '"" ""': OWED["AL"], "ZZ": OWED["AL"]}
MODES = {
    "as_asked": OWED,
    "original": dict.fromkeys(OWED, ORIGINAL),
    "enhanced": OWED | SILENCE,
}
"""What silence means is the channel's to say; with `original` it does not matter what a sender asks for."""


def whole(lab: Stage, response: Response) -> list[bytes]:
    """All that a sender gets in the end."""
    contents = list(response.contents)
    if response.later is not None:
        contents += lab.do(asyncio.wait_for(response.later, 1000)).contents
    return contents


def codes(lab: Stage, response: Response) -> str:
    return " ".join(read_acknowledgment(content).code for content in whole(lab, response))


@pytest.mark.parametrize("when", ["when_stored", "when_transformed", "when_delivered"])
@pytest.mark.parametrize("mode", MODES)
def test_every_wish_and_every_outcome(stage: SetStage, mode: str, when: str) -> None:
    """AL always, NE never, ER what fails, SU what succeeds: for the commit and for the application acknowledgment."""
    lab = stage(LAB + f"acknowledgment_mode: {mode}\nacknowledge: {when}\n")
    found = {}
    for number, wish in enumerate(OWED):
        msh15, msh16 = (*wish.split(" "), "")[:2]
        told = []
        for outcome, options in enumerate(({}, {"how": "refuse"}, {"processing": "T"}, {})):
            lab.store.down = outcome == 3
            (response,) = lab.responses(oru(f"M{number}-{outcome}", msh15=msh15, msh16=msh16, **options))
            told.append(codes(lab, response))
            lab.store.down = False
        lab.wait(1)
        found[wish] = told
    expected = {wish: [each.strip() for each in owed.split("|")] for wish, owed in MODES[mode].items()}
    if when == "when_stored":  # what the content is worth is not known yet
        expected = {wish: [good, good, *rest] for wish, (good, _, *rest) in expected.items()}
    assert found == expected
    assert not lab.tell_of(Undelivered)


@pytest.mark.parametrize(("answer", "expected"), [(SENT, "CA AA | CA | CA AA | AA |"), (REFUSED, "CA AE | CA AE | CA | | AE")])
def test_what_the_receiver_says_decides(stage: SetStage, answer: object, expected: str) -> None:
    """With when_delivered, conditions go by the first attempt."""
    lab = stage(WHEN_DELIVERED)
    lab.receiver().answer = lambda outgoing: answer
    wishes = (("AL", "AL"), ("AL", "ER"), ("AL", "SU"), ("NE", "SU"), ("NE", "ER"))
    responses = lab.responses(*(oru(f"M{n}", f"P{n}", msh15=one, msh16=two) for n, (one, two) in enumerate(wishes)))
    assert [codes(lab, response) for response in responses] == [each.strip() for each in expected.split("|")]


class Slow:
    """A receiver that answers when it is told to."""

    def __init__(self, receiver: Receiver) -> None:
        self.go_on = asyncio.Event()
        self.outcome = SENT
        receiver.answer = lambda outgoing: self._answer()

    async def _answer(self) -> object:
        await self.go_on.wait()
        return self.outcome


def test_the_commit_acknowledgment_waits_for_no_delivery(stage: SetStage) -> None:
    """It goes out when the message is durable; the application's follows as a message of its own."""
    lab = stage(WHEN_DELIVERED)
    slow = Slow(lab.receiver())
    began = lab.now()
    one, two = lab.responses(oru("M1", msh15="AL", msh16="AL"), oru("M2", "P2", msh15="AL", msh16="AL"))
    assert lab.now() == began and [lab.code(each) for each in (one, two)] == ["CA", "CA"]
    assert lab.statuses() == ["received", "received"] and not one.later.done()
    lab.wait(2)
    slow.go_on.set()
    accepted, applied = (parse(content) for content in whole(lab, one))
    assert [applied.get(path) for path in ("MSA-1", "MSA-2", "MSH-15", "MSH-16")] == ["AA", "M1", "NE", "NE"]
    assert accepted.get("MSH-10") != applied.get("MSH-10")
    lab.wait(1)
    assert [message.answer.code for message in lab.messages()] == ["AA", "AA"]
    assert lab.do(lab.sqlite.message(1)).answer.contents == (one.contents[0], one.later.result().contents[0])
    assert [(told.code, round(told.seconds)) for told in lab.tell_of(Answered)] == [("CA", 0), ("CA", 0), ("AA", 2), ("AA", 2)]


def test_too_late_an_outcome(stage: SetStage) -> None:
    """AE after `answer_within`; delivery goes on, and who sends again is told that it got there."""
    lab = stage(WHEN_DELIVERED)
    slow = Slow(lab.receiver())
    began = lab.now()
    (first,) = lab.responses(oru("M1", msh15="AL", msh16="AL"))
    assert codes(lab, first) == "CA AE" and lab.now() - began == pytest.approx(5)
    (again,) = lab.responses(oru("M1", msh15="AL", msh16="AL"))
    assert whole(lab, again) == whole(lab, first)
    slow.go_on.set()
    lab.wait(1)
    (again,) = lab.responses(oru("M1", msh15="AL", msh16="AL"))
    assert codes(lab, again) == "CA AA" and lab.receiver().sent == ["M1"]
    (third,) = lab.responses(oru("M1", msh15="AL", msh16="AL"))
    assert whole(lab, third) == whole(lab, again)


def test_the_same_again_while_the_first_waits(stage: SetStage) -> None:
    """Both get the same two answers; one that hangs up takes nothing from the other."""
    lab = stage(WHEN_DELIVERED)
    slow = Slow(lab.receiver())
    first, again, gone = lab.responses(*[oru("M1", msh15="AL", msh16="AL")] * 3)
    assert first.contents == again.contents == gone.contents
    gone.later.cancel()
    lab.wait(1)
    assert not first.later.done()
    slow.go_on.set()
    assert whole(lab, first) == whole(lab, again) and codes(lab, first) == "CA AA"
    lab.wait(1)
    assert lab.responses(oru("M1", msh15="AL", msh16="AL"))[0].contents == tuple(whole(lab, first))


def test_in_original_mode_who_hangs_up_takes_nothing_from_others(stage: SetStage) -> None:
    """The first sender's connection is dropped; who sent the same still gets the outcome, and the drop is counted."""
    lab = stage(WHEN_DELIVERED)
    slow = Slow(lab.receiver())

    async def scene() -> Response:
        receive = lab.doors["door"].receive
        first, again = (lab.loop.create_task(receive(RawMessage(oru("M1"), lab.now()))) for _ in range(2))
        await asyncio.sleep(1)
        first.cancel()
        await asyncio.sleep(1)
        slow.go_on.set()
        return await again

    assert lab.code(lab.do(scene())) == "AA"
    assert lab.tell_of(Undelivered) == [Undelivered("lab", 0, "")]


def test_nobody_waits_any_more(stage: SetStage) -> None:
    """The connection is dropped: the answer is that it is not delivered yet, and counted; the resend is told the truth."""
    lab = stage(WHEN_DELIVERED)
    slow = Slow(lab.receiver())
    (first,) = lab.responses(oru("M1", msh15="AL", msh16="AL"))
    first.later.cancel()
    lab.wait(0.1)
    assert lab.tell_of(Undelivered) == [Undelivered("lab", 1, "")]
    assert codes(lab, lab.responses(oru("M1", msh15="AL", msh16="AL"))[0]) == "CA AE"
    slow.go_on.set()
    lab.wait(1)
    assert codes(lab, lab.responses(oru("M1", msh15="AL", msh16="AL"))[0]) == "CA AA"


def test_an_answer_that_could_not_be_given(stage: SetStage) -> None:
    """Its source says so; the answer stands for who sends again."""
    lab = stage(WHEN_DELIVERED)
    (first,) = lab.responses(oru("M1", msh15="AL", msh16="AL"))
    assert first.lost is not None
    contents = whole(lab, first)
    first.later.result().lost()
    assert lab.tell_of(Undelivered) == [Undelivered("lab", 1, "AA")]
    lab.wait(1)
    assert lab.responses(oru("M1", msh15="AL", msh16="AL"))[0].contents == tuple(contents)


@pytest.mark.parametrize(("outcome", "code"), [(SENT, "AA"), (FAILING, "AE")])
def test_a_crash_between_the_two_answers(stage: SetStage, outcome: object, code: str) -> None:
    """What was accepted is delivered; who sends again is told what is true by then, and the same the next time."""
    lab = stage(WHEN_DELIVERED)
    Slow(lab.receiver())
    assert lab.send(oru("M1", msh15="AL", msh16="AL")) == ["CA"]
    lab.receiver().answer = lambda outgoing: outcome
    lab.restart()
    lab.wait(1)
    (again,) = lab.responses(oru("M1", msh15="AL", msh16="AL"))
    assert codes(lab, again) == f"CA {code}"
    assert len(lab.tell_of(Delivered)) == (code == "AA")
    lab.wait(1)
    assert lab.responses(oru("M1", msh15="AL", msh16="AL"))[0].contents == again.contents


def test_modes_may_change_from_message_to_message(stage: SetStage) -> None:
    """A lane's order is that of its messages, however each is answered."""
    lab = stage(WHEN_DELIVERED)
    wishes = [("", ""), ("AL", "AL"), ("AL", "NE"), ("NE", "AL"), ("NE", "NE")]
    messages = [oru(f"M{n:02}", msh15=wishes[n % 5][0], msh16=wishes[n % 5][1]) for n in range(20)]
    assert [codes(lab, each) for each in lab.responses(*messages)] == ["AA", "CA AA", "CA", "AA", ""] * 4
    lab.wait(1)
    assert lab.receiver().sent == [f"M{n:02}" for n in range(20)]


def test_the_states_of_an_answer() -> None:
    """Owed, then given or not; none is written: what is written is the answer."""
    assert ANSWER.follows["owed"] == {"given", "undelivered", "not_owed"}
    assert all(not ANSWER.follows[state] for state in ("given", "undelivered", "not_owed")) and not ANSWER.written

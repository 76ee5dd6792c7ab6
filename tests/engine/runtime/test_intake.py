"""What a sender is told, and what is kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channels.message import RawMessage
from engine.runtime.intake import PROBLEMS
from tests.engine.runtime.stage import CHANNEL, FAILING, REFUSED, SENT, Stage, oru
from transforms.hl7.acknowledgment import read_acknowledgment

SetStage = Callable[..., Stage]


def test_the_straight_way(stage: SetStage) -> None:
    """A message is answered AA, delivered, and found by what it holds."""
    lab = stage()
    assert lab.send(oru("M1")) == ["AA"]
    lab.wait(1)
    assert lab.receiver().taken == ["M1"]
    assert lab.statuses() == ["sent"] and lab.deliveries(1) == [("repository", "sent")]
    for query in ({"control_id": "M1"}, {"patient": "P1"}, {"order": "FILM1"}, {"type": "ORU^R01"}):
        assert [message.id for message in lab.messages(**query)] == [1], query
    assert lab.messages(control_id="M1")[0].answer.code == "AA"


def test_two_writes_on_the_straight_way(stage: SetStage) -> None:
    """A message costs the store exactly two records."""
    lab = stage()
    lab.store.written.clear()
    lab.send(oru("M1"), oru("M2", "P2"))
    lab.wait(1)
    assert lab.store.written == ["Arrival", "Arrival", "Settlement", "Settlement"]


def test_what_is_no_hl7_is_kept_and_answered(stage: SetStage) -> None:
    """Anything at all gets AR, and can be found among the errors with its bytes."""
    lab = stage()
    assert lab.send(b"hello", b"\xff\x00", b"MSH") == ["AR"] * 3
    lab.wait(1)
    assert lab.statuses() == ["error"] * 3
    assert lab.do(lab.sqlite.message(1)).content == b"hello"
    assert lab.receiver().sent == []


@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_a_frame_that_is_no_message(stage: SetStage, problem: str) -> None:
    """What a source found wrong with a frame is answered AR; the bytes are kept."""
    lab = stage()
    assert lab.send(oru("M1"), problem=problem) == ["AR"]
    lab.wait(1)
    assert lab.statuses() == ["error"]
    assert lab.send(oru("M1")) == ["AA"]  # whole, it is no duplicate


def test_other_processing_ids_are_refused(stage: SetStage) -> None:
    """A test message in a production channel is answered AR with 0357#202."""
    lab = stage(CHANNEL + "processing: [P]\n")
    (response,) = lab.responses(oru("M1", processing="T"))
    acknowledgment = read_acknowledgment(response.contents[0])
    assert (acknowledgment.code, acknowledgment.error_code) == ("AR", "202")
    lab.wait(1)
    assert lab.statuses() == ["error"]


def test_what_the_filter_does_not_want_is_accepted(stage: SetStage) -> None:
    """AA, status filtered, with the rule and its line."""
    lab = stage(CHANNEL + "filter:\n  - equals: { field: MSH-9.1, to: ORU }\n")
    assert lab.send(oru("M1", type="ADT^A01")) == ["AA"]
    lab.wait(1)
    message = lab.do(lab.sqlite.message(1))
    assert message.status.value == "filtered" and message.error_origin.endswith("channel.yaml:7") and message.error_text == "equals"
    assert lab.receiver().sent == []


GO_WRONG = CHANNEL + "transform: [go_wrong]\n"


def test_a_step_that_refuses(stage: SetStage) -> None:
    """AE with the place; the message is kept as an error with step, file and line."""
    lab = stage(GO_WRONG)
    (response,) = lab.responses(oru("M1", how="refuse"))
    acknowledgment = read_acknowledgment(response.contents[0])
    assert (acknowledgment.code, acknowledgment.error_code, acknowledgment.error_place) == ("AE", "103", "PID-8")
    lab.wait(1)
    message = lab.do(lab.sqlite.message(1))
    assert (message.status.value, message.error_code, message.error_place) == ("error", "103", "PID-8")
    assert "channel.yaml:6" in message.error_origin and "go_wrong" in message.error_origin and "my.yaml:3" in message.error_origin
    assert [one.id for one in lab.messages(status="error", patient="P1")] == [1]


def test_a_step_that_breaks(stage: SetStage) -> None:
    """AE; what the exception said is nobody's business, for it may be about a patient."""
    lab = stage(GO_WRONG)
    assert lab.send(oru("M1", how="break"), oru("M2")) == ["AE", "AA"]
    lab.wait(1)
    message = lab.do(lab.sqlite.message(1))
    assert message.status.value == "error" and message.error_code == "207" and "JANE" not in repr(message.error_text)
    assert lab.receiver().taken == ["M2"]


def test_what_may_not_leave(stage: SetStage) -> None:
    """AA, for it is in our hands; the delivery is held with the reason until a person sends or dismisses it."""
    lab = stage(GO_WRONG)
    assert lab.send(oru("M1", how="hold"), oru("M2", how="hold")) == ["AA", "AA"]
    lab.wait(1)
    assert lab.statuses() == ["held", "held"] and lab.receiver().sent == []
    (held,) = lab.do(lab.sqlite.deliveries(1))
    assert (held.code, held.reason) == ("invalid", "Bundle.entry[2].resource.status: is required")
    lab.do(lab.engine.retry(1, force=True))
    lab.do(lab.engine.dismiss(2))
    lab.wait(1)
    assert lab.receiver().sent == ["M1"] and lab.statuses() == ["sent", "error"]
    assert not lab.receiver().outgoing[0].document.parts[0].hold  # nor does the destination refuse it now


def test_fields_nobody_reads(stage: SetStage) -> None:
    """`unmapped` decides: counted per path, refused, or ignored."""
    lab = stage(GO_WRONG)
    assert lab.send(oru("M1", how="leave"), oru("M2", how="leave")) == ["AA", "AA"]
    lab.wait(1)
    assert lab.do(lab.sqlite.leftovers("lab")) == {"PID-8": 2}


def test_fields_nobody_reads_are_an_error_where_that_is_asked_for(stage: SetStage) -> None:
    """AE with the field's place."""
    lab = stage(GO_WRONG + "unmapped: error\n")
    (response,) = lab.responses(oru("M1", how="leave"))
    assert read_acknowledgment(response.contents[0]).error_place == "PID-8"


def test_a_duplicate_gets_the_stored_answer(stage: SetStage) -> None:
    """The same bytes again: the first answer again, byte for byte, and nothing is delivered twice."""
    lab = stage()
    (first,) = lab.responses(oru("M1"))
    assert lab.responses(oru("M1")) == [first]
    lab.wait(1)
    assert lab.responses(oru("M1")) == [first]
    assert lab.receiver().sent == ["M1"]
    assert lab.responses(oru("M1", more="NTE|1||other\r")) != [first]
    lab.wait(1)
    assert lab.receiver().sent == ["M1", "M1"]


def test_duplicates_that_arrive_together(stage: SetStage) -> None:
    """A sender that repeats itself before it was answered gets one answer twice."""
    lab = stage()
    one, two = lab.responses(oru("M1"), oru("M1"))
    assert one == two and len(one.contents) == 1
    lab.wait(1)
    assert lab.receiver().sent == ["M1"] and lab.statuses() == ["sent"]


def test_a_duplicate_after_the_window_is_a_message(stage: SetStage) -> None:
    """Counters restart: what comes again days later is delivered again."""
    lab = stage(CHANNEL + "duplicates: { window: 1h }\n")
    lab.send(oru("M1"))
    lab.wait(3700)
    assert lab.send(oru("M1")) == ["AA"]
    lab.wait(1)
    assert lab.receiver().sent == ["M1", "M1"]


def test_a_duplicate_across_a_crash(stage: SetStage) -> None:
    """A resend after the engine died is recognised, answered and not doubled."""
    lab = stage()
    lab.receiver().answer = lambda outgoing: FAILING
    lab.send(oru("M1"))
    lab.restart()
    lab.receiver().answer = lambda outgoing: SENT
    assert lab.send(oru("M1")) == ["AA"]
    lab.wait(400)
    assert lab.receiver().taken == ["M1"] and lab.statuses() == ["sent"]


def test_a_store_that_takes_nothing(stage: SetStage) -> None:
    """AR (or CE): nothing is promised.  If it lasts the door closes; it opens again, and settlements that were owed are written."""
    lab = stage()
    store = lab.store
    lab.send(oru("M0"))
    store.down = True
    assert lab.send(oru("M1"), oru("M2", msh15="AL")) == ["AR", "CE"]
    assert not lab.engine.health().ready and lab.doors["door"].open
    lab.wait(10)
    assert not lab.doors["door"].open
    store.down = False
    lab.wait(30)
    assert lab.doors["door"].open and lab.engine.health().ready
    assert lab.send(oru("M1")) == ["AA"]
    lab.wait(1)
    assert lab.statuses() == ["sent", "sent"] and sorted(lab.receiver().taken) == ["M0", "M1"]


WHEN_DELIVERED = CHANNEL + "acknowledge: when_delivered\n"


def test_when_delivered(stage: SetStage) -> None:
    """The answer is the first attempt's outcome."""
    lab = stage(WHEN_DELIVERED)
    assert lab.send(oru("M1")) == ["AA"] and lab.receiver().taken == ["M1"]
    lab.receiver().answer = lambda outgoing: REFUSED
    assert lab.send(oru("M2")) == ["AE"]
    lab.wait(1)
    assert [message.answer.code for message in lab.messages()] == ["AA", "AE"]


def test_when_delivered_is_late(stage: SetStage) -> None:
    """AE after a while; delivery goes on, and the resend is told that it got there."""
    lab = stage(WHEN_DELIVERED + "answer_within: 5s\n")
    lab.engine.pause_destination("lab", "repository")
    before = lab.now()
    assert lab.send(oru("M1")) == ["AE"] and lab.now() - before == pytest.approx(5)
    lab.engine.start_destination("lab", "repository")
    lab.wait(1)
    assert lab.send(oru("M1")) == ["AA"] and lab.receiver().sent == ["M1"]


def test_answer_within_counts_from_the_frame(stage: SetStage) -> None:
    """However long keeping the message took."""
    lab = stage(WHEN_DELIVERED + "answer_within: 5s\n")
    lab.engine.pause_destination("lab", "repository")
    began = lab.now()
    receive = lab.doors["door"].receive
    lab.wait(3)
    assert lab.code(lab.do(receive(RawMessage(oru("M1"), began)))) == "AE" and lab.now() - began == pytest.approx(5)


def test_when_stored(stage: SetStage) -> None:
    """The answer says that it is kept, whatever comes of it."""
    lab = stage(CHANNEL + "acknowledge: when_stored\ntransform:\n  - drop_segments: [OBX]\n")
    assert lab.engine.channels(), lab.engine.problems
    assert lab.send(*(oru(f"M{n}", f"P{n % 2}") for n in range(20))) == ["AA"] * 20
    lab.wait(1)
    assert sorted(lab.receiver().taken) == sorted(f"M{n}" for n in range(20))
    assert [each for each in lab.receiver().taken if int(each[1:]) % 2] == [f"M{n}" for n in range(1, 20, 2)]
    assert all(message.answer.code == "AA" for message in lab.messages())

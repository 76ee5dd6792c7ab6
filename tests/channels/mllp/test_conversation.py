"""Conversation: what is owed, in which order, and when to stop reading.  Values only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import DataObject, booleans, integers, lists, sampled_from
from hypothesis.strategies import data as draws

from channels.mllp.conversation import FOLLOWING, SILENCE, Begun, Conversation, Counts
from channels.mllp.framing import frame

pieces = sampled_from([b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"\x00", b"a", b"MSH|", frame(b"one"), frame(b"two")])


def conversation(outstanding: int = 64, limit: int = 1000, counts: Counts | None = None) -> Conversation:
    return Conversation(counts or Counts(), limit, outstanding, now=0.0)


def test_messages_begin_at_once() -> None:
    """Those of one packet begin together, so that they may share a commit."""
    begun = conversation().receive(frame(b"one") + frame(b"two"), 1.0)
    assert begun == [Begun(0, b"one", ""), Begun(1, b"two", "")]


@given(count=integers(1, 12), draw=draws())
def test_answers_leave_in_the_order_of_the_messages(count: int, draw: DataObject) -> None:
    """Whichever is ready first."""
    talk = conversation()
    begun = talk.receive(b"".join(frame(b"%d" % each) for each in range(count)), 1.0)
    order = draw.draw(integers(0, 10**6).map(lambda seed: sorted(begun, key=lambda each: hash((seed, each.ticket)))))
    written = [content for each in order for content in talk.answered(each.ticket, (each.content,), 2.0)]
    assert written == [b"%d" % each for each in range(count)]
    assert talk.outstanding == 0


@given(stream=lists(pieces, max_size=30).map(b"".join), draw=draws())
def test_every_frame_of_any_stream_is_answered_once_in_order(stream: bytes, draw: DataObject) -> None:
    """However broken the stream, however it is cut, whenever answers become ready, however few may be in hand."""
    counts = Counts()
    talk = conversation(outstanding=draw.draw(integers(1, 4)), limit=draw.draw(sampled_from([6, 1000])), counts=counts)
    in_hand: list[Begun] = []
    handed: list[Begun] = []
    written: list[bytes] = []

    def take(begun: list[Begun]) -> None:
        in_hand.extend(begun)
        handed.extend(begun)

    def answer_one() -> None:
        each = in_hand.pop(draw.draw(integers(0, len(in_hand) - 1)))
        written.extend(talk.answered(each.ticket, (each.content,), 1.0))
        take(talk.begin())

    while stream:
        size = draw.draw(integers(1, len(stream)))
        take(talk.receive(stream[:size], 1.0))
        stream = stream[size:]
        while in_hand and (not talk.wants_more or draw.draw(booleans())):
            answer_one()
    take(talk.end(2.0))
    while in_hand:
        answer_one()
    assert talk.finished and talk.outstanding == 0
    assert written == [each.content for each in handed]
    assert [each.ticket for each in handed] == list(range(counts.messages))


def test_an_answer_may_be_two_or_none() -> None:
    """Commit and application acknowledgment are written together; what is owed nothing gets nothing, and holds up nobody."""
    talk = conversation()
    one, two, three = talk.receive(frame(b"one") + frame(b"two") + frame(b"three"), 1.0)
    assert talk.answered(two.ticket, (), 2.0) == ()
    assert talk.answered(three.ticket, (b"AA",), 2.0) == ()
    assert talk.answered(one.ticket, (b"CA", b"AA"), 2.0) == [b"CA", b"AA", b"AA"]


def test_reading_pauses_while_much_is_in_hand() -> None:
    """At most `outstanding` messages begin; the rest of what has arrived waits for its turn."""
    talk = conversation(outstanding=2)
    begun = talk.receive(b"".join(frame(b"%d" % each) for each in range(5)), 1.0)
    assert [each.content for each in begun] == [b"0", b"1"]
    assert not talk.wants_more
    talk.answered(1, (b"",), 2.0)
    assert talk.begin() == []  # answered out of turn: it is still owed
    talk.answered(0, (b"",), 2.0)
    assert [each.content for each in talk.begin()] == [b"2", b"3"]
    assert not talk.wants_more
    for ticket in (2, 3):
        talk.answered(ticket, (b"",), 2.0)
    assert [each.content for each in talk.begin()] == [b"4"]
    assert talk.wants_more


def test_who_only_stops_sending_still_gets_answers() -> None:
    """The end of the stream finishes the conversation once everything is answered."""
    talk = conversation(outstanding=1)
    talk.receive(frame(b"one") + frame(b"two"), 1.0)
    assert talk.end(2.0) == []
    assert not talk.finished
    assert talk.answered(0, (b"AA",), 3.0) == (b"AA",)
    assert [each.content for each in talk.begin()] == [b"two"]
    assert not talk.finished
    talk.answered(1, (b"AA",), 3.0)
    assert talk.finished


def test_a_frame_cut_short_is_handed_in_as_such() -> None:
    """By the end of the stream, or by the next frame: kept and answered, never mistaken for a message."""
    counts = Counts()
    talk = conversation(counts=counts)
    begun = talk.receive(b"\x0bMSH|cut" + frame(b"whole") + b"\x0bcut too", 1.0)
    assert begun == [Begun(0, b"MSH|cut", "truncated"), Begun(1, b"whole", "")]
    assert talk.end(2.0) == [Begun(2, b"cut too", "truncated")]
    assert (counts.messages, counts.truncated) == (3, 2)


def test_a_frame_too_long_ends_the_connection_after_its_answer() -> None:
    """What came before is answered, its beginning is handed in, what follows is thrown away."""
    talk = conversation(limit=10)
    begun = talk.receive(frame(b"one") + b"\x0b" + b"x" * 11 + frame(b"two"), 1.0)
    assert begun == [Begun(0, b"one", ""), Begun(1, b"x" * 10, "too_long")]
    assert talk.receive(frame(b"three"), 2.0) == []
    assert talk.wants_more and not talk.finished
    talk.answered(0, (b"AA",), 3.0)
    assert talk.answered(1, (b"AR",), 3.0) == (b"AR",)
    assert talk.finished


def test_behind_an_answer_that_failed_none_is_written() -> None:
    """The sender would take it for the failed one's; it sends again on a new connection instead."""
    talk = conversation()
    for ticket in range(len(talk.receive(frame(b"one") + frame(b"two") + frame(b"three"), 1.0))):
        written = talk.answered(ticket, None if ticket == 1 else (b"AA",), 2.0)
        assert written == ((b"AA",) if ticket == 0 else ())
    assert talk.finished


def test_what_could_not_be_written_behind_it_is_known() -> None:
    """So that somebody can be told that these answers were not given."""
    talk = conversation()
    talk.receive(frame(b"one") + frame(b"two") + frame(b"three"), 1.0)
    assert talk.answered(2, (b"AA",), 2.0) == () and talk.answered(1, (b"AE", b"AA"), 2.0) == ()
    talk.answered(0, None, 2.0)
    assert talk.mute and talk.unwritten == [b"AE", b"AA", b"AA"]


def test_what_follows_an_answer_keeps_the_connection_and_holds_up_nothing() -> None:
    """An application acknowledgment may come long after the commit acknowledgment; until then nobody hangs up, or is idle."""
    talk = conversation(outstanding=1)
    assert len(talk.receive(frame(b"one"), 1.0)) == 1
    assert talk.answered(0, (b"CA",), 2.0) == (b"CA",)
    talk.follow()
    assert len(talk.receive(frame(b"two"), 3.0)) == 1
    assert talk.answered(1, (b"CA",), 3.0) == (b"CA",)
    assert not talk.is_idle(1000.0, 60.0)
    talk.end(1000.0)
    assert not talk.finished
    talk.followed(1000.0)
    assert talk.finished and not talk.is_idle(1059.0, 60.0) and talk.is_idle(1060.0, 60.0)


def test_not_too_much_is_awaited() -> None:
    """A sender that is told CA for everything, and waits for what it came to, is slowed in the end."""
    talk = conversation()
    for _ in range(FOLLOWING):
        (begun,) = talk.receive(frame(b"one"), 1.0)
        talk.answered(begun.ticket, (b"CA",), 1.0)
        talk.follow()
    assert not talk.wants_more and talk.receive(frame(b"two"), 2.0) == []
    talk.followed(3.0)
    assert [each.content for each in talk.begin()] == [b"two"]


def test_leaving_answers_what_is_in_hand_only() -> None:
    """What has not begun was never promised: it is dropped, and the sender sends it again."""
    talk = conversation(outstanding=1)
    talk.receive(frame(b"one") + frame(b"two"), 1.0)
    talk.stop()
    assert not talk.finished
    assert talk.answered(0, (b"AA",), 2.0) == (b"AA",)
    assert talk.begin() == []
    assert talk.finished


@pytest.mark.parametrize(
    ("pieces", "idle_at_70"),
    [
        ([], True),
        ([(50.0, frame(b"one"))], False),  # in hand
        ([(5.0, b"\x0b")] + [(second, b"x") for second in range(6, 70)], True),  # a frame that drips
        ([(50.0, b"\x0bMSH")], False),
        ([(second, b"\x00") for second in range(1, 70)], True),  # noise is not a sign of life
    ],
)
def test_idle(pieces: list[tuple[float, bytes]], idle_at_70: bool) -> None:
    """Idle is who brings no message, however many bytes it sends."""
    talk = conversation()
    for second, piece in pieces:
        talk.receive(piece, second)
    assert talk.is_idle(70.0, 60.0) == idle_at_70


def test_an_answer_is_a_sign_of_life() -> None:
    """The idle time begins anew when a message has been answered."""
    talk = conversation()
    talk.receive(frame(b"one"), 1.0)
    assert not talk.is_idle(1000.0, 60.0)
    talk.answered(0, (b"AA",), 1000.0)
    assert not talk.is_idle(1059.0, 60.0)
    assert talk.is_idle(1060.0, 60.0)


def test_a_lone_fs_ends_a_frame_when_silence_follows() -> None:
    """Some senders forget the closing CR and wait for the answer."""
    talk = conversation()
    assert talk.receive(b"\x0bone\x1c", 1.0) == []
    assert talk.notice_silence(1.0 + SILENCE / 2) == []
    assert talk.notice_silence(1.0 + SILENCE) == [Begun(0, b"one", "")]
    assert talk.receive(b"\x0btw", 5.0) == []
    assert talk.notice_silence(60.0) == []


def test_junk_is_counted() -> None:
    """It is never kept."""
    counts = Counts()
    talk = conversation(counts=counts)
    talk.receive(b"\x00\x00" + frame(b"one") + b"\r\n", 1.0)
    assert counts.junk == 4

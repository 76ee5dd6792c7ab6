"""What one MLLP connection owes its peer: a plain state machine, without I/O and without a clock.

Every frame is answered, in the order the frames came, however the answers become ready.  At most `outstanding` messages are in
hand; what has arrived beyond them waits, and nothing more is read.  A peer that only stops sending still gets its answers.  A frame
that is too long, or a message whose answer failed, ends the connection: behind a hole no later answer may be written.

In enhanced mode an application acknowledgment may follow a message's answer as a message of its own, whenever it is known: the peer
pairs it by MSA-2.  So many may be awaited, and the connection lasts until they are written.  What an answer is, is nobody's business
here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from channels.mllp.framing import Deframer, Event, Junk, Message, Truncated

SILENCE = 1.0  # seconds after which a lone FS at the end of what has come counts as the end of its frame
FOLLOWING = 1024  # application acknowledgments that may be awaited: then nothing more begins until one has come

A = TypeVar("A")


@dataclass(eq=False)
class Counts:
    """What has happened on the connections of a source, since it was opened (`connections`: now)."""

    connections: int = 0
    accepted: int = 0  # connections, in all
    refused: int = 0  # connections over the cap
    forbidden: int = 0  # connections from networks that are not allowed
    messages: int = 0
    junk: int = 0  # bytes outside frames
    truncated: int = 0
    too_long: int = 0
    idle: int = 0  # connections closed for being idle
    unanswered: int = 0  # messages whose answer could not be written: the peer was gone


class Begun(NamedTuple):
    """A message to be handed in now; its answer is given back with the `ticket`."""

    ticket: int
    content: bytes
    problem: str  # as in RawMessage


class Conversation(Generic[A]):
    """One connection.  Times are seconds on any steady clock."""

    __slots__ = (
        "_begun", "_counts", "_deframer", "_early", "_heard", "_limit", "_next", "_progress", "_waiting",
        "broken", "ended", "following", "mute", "overrun", "unwritten",
    )  # fmt: skip

    def __init__(self, counts: Counts, frame_limit: int, outstanding: int, now: float) -> None:
        self._counts, self._deframer, self._limit = counts, Deframer(frame_limit), outstanding
        self._waiting: deque[tuple[bytes, str]] = deque()  # frames that have arrived and not begun
        self._begun = 0  # tickets given out
        self._next = 0  # the ticket whose answer is written next
        self._early: dict[int, Sequence[A] | None] = {}  # answers that are ready before their turn
        self.following = 0  # application acknowledgments that are awaited
        self._heard = self._progress = now
        self.mute = False  # an answer failed: those behind it may not be written
        self.unwritten: list[A] = []  # what that concerns
        self.ended = False  # the peer sends no more
        self.overrun = False  # a frame was too long
        self.broken = False  # nothing more is taken in: the connection ends once what is owed is written

    @property
    def outstanding(self) -> int:
        """How many messages are in hand."""
        return self._begun - self._next

    @property
    def wants_more(self) -> bool:
        """Whether to read on.  What a broken conversation reads is thrown away, so that its last answer arrives."""
        return not self.ended and (self.broken or (not self._waiting and self._begun - self._next < self._limit and self.following < FOLLOWING))

    @property
    def finished(self) -> bool:
        """Nothing will come and nothing is owed."""
        return (self.ended or self.broken) and not self._waiting and self._begun == self._next and (self.mute or not self.following)

    def receive(self, data: bytes, now: float) -> list[Begun]:
        """Bytes have arrived; returns the messages that begin now."""
        self._heard = now
        inside = self._deframer.inside
        self._take(self._deframer.receive(data), now)
        if self._deframer.inside and not inside:
            self._progress = now  # a frame has begun; from here it has the idle time to end
        return self.begin()

    def end(self, now: float) -> list[Begun]:
        """The peer sends no more; returns what begins because of it."""
        self.ended = True
        self._take(self._deframer.finish(), now)
        return self.begin()

    def stop(self) -> None:
        """We take nothing more; what has not begun was never promised."""
        self.broken = True
        self._waiting.clear()

    def begin(self) -> list[Begun]:
        """Messages that may begin now, oldest first."""
        waiting, begun = self._waiting, []
        while waiting and self._begun - self._next < self._limit and self.following < FOLLOWING:
            begun.append(Begun(self._begun, *waiting.popleft()))
            self._begun += 1
        return begun

    def answered(self, ticket: int, contents: Sequence[A] | None, now: float) -> Sequence[A]:
        """The answer to a message is ready (None: there will be none); returns the answers to write now, oldest first."""
        self._progress = now
        if ticket != self._next:
            self._early[ticket] = contents
            return ()
        if not self._early:
            return self._told(contents)
        ready = list(self._told(contents))
        while self._next in self._early:
            ready += self._told(self._early.pop(self._next))
        return ready

    def follow(self) -> None:
        """An application acknowledgment will follow what was just written."""
        self.following += 1

    def followed(self, now: float) -> None:
        """It has come, or never will."""
        self.following -= 1
        self._progress = now

    def is_idle(self, now: float, longest: float) -> bool:
        """No message is in hand, and none has come, or been completed, for `longest` seconds."""
        return self._begun == self._next and not self.following and now - self._progress >= longest

    def notice_silence(self, now: float) -> list[Begun]:
        """A frame that ended in a lone FS is whole when nothing follows; returns what begins."""
        if not self._deframer.unsure or now - self._heard < SILENCE:
            return []
        self._take(self._deframer.finish(), now)
        return self.begin()

    def _told(self, contents: Sequence[A] | None) -> Sequence[A]:
        """One answer in its turn; behind one that failed there are none."""
        self._next += 1
        if contents is None:
            self.mute = True
            self.stop()
            return ()
        if self.mute:
            self.unwritten += contents
            return ()
        return contents

    def _take(self, events: list[Event], now: float) -> None:
        if self.broken:
            return
        for event in events:
            kind = type(event)
            if kind is Junk:
                self._counts.junk += event.size
                continue
            self._progress = now
            self._counts.messages += 1
            if kind is Message:
                self._waiting.append((event.content, ""))
            elif kind is Truncated:
                self._counts.truncated += 1
                self._waiting.append((event.content, "truncated"))
            else:
                self._counts.too_long += 1
                self._waiting.append((event.content, "too_long"))
                self.broken = self.overrun = True

"""MLLP framing: bytes in, events out.  No I/O, no Twisted, no clock.

Follows HL7's "Transport Specification: MLLP, Release 1": a frame is START, content, FS CR.  Borne besides: anything between frames
(NULs, line ends, text), LF in place of the closing CR, and a lone FS right before the next START or before the end of the stream.
An FS that anything else follows belonged to the content.
"""

from __future__ import annotations

from typing import NamedTuple

START, FS, END = b"\x0b", b"\x1c", b"\x1c\r"
HEAD = 64 * 2**10  # so much is kept of an over-long frame: enough to name the message and its sender

_CR = 0x0D
_BETWEEN, _INSIDE, _UNSURE, _OVER = range(4)  # frames; _UNSURE: inside, and the last byte was an FS; _OVER: one was too long


class Message(NamedTuple):
    """A whole frame's content."""

    content: bytes


class Junk(NamedTuple):
    """Bytes outside any frame: how many, never what."""

    size: int


class Truncated(NamedTuple):
    """A frame that never ended: the peer began another one, or hung up."""

    content: bytes


class TooLong(NamedTuple):
    """A frame over the limit: its first bytes.  Nothing more comes out of this stream."""

    content: bytes


Event = Message | Junk | Truncated | TooLong


def frame(content: bytes) -> bytes:
    """`content` as it goes over the wire."""
    return b"\x0b%b\x1c\r" % content


class Deframer:
    """Gathers what the network delivers, holding at most `limit` bytes of it.

    Every byte is looked at a fixed number of times, however small the pieces it comes in.
    """

    __slots__ = ("_buffer", "_limit", "_state")

    def __init__(self, limit: int = 16 * 2**20) -> None:
        self._limit = limit
        self._state = _BETWEEN
        self._buffer = bytearray()  # content of the open frame, from earlier pieces

    @property
    def inside(self) -> bool:
        """A frame has begun and not ended."""
        return self._state in (_INSIDE, _UNSURE)

    @property
    def unsure(self) -> bool:
        """The last byte was an FS: it ends the frame if nothing follows."""
        return self._state == _UNSURE

    def receive(self, data: bytes) -> list[Event]:
        """What `data` completed, oldest first.

        A START inside a frame ends it as Truncated: two patients never share a message.  What precedes an over-long frame is
        still delivered; junk between frames is counted and dropped.
        """
        size = len(data) - 2
        if (
            self._state == _BETWEEN  # by far the most common: one whole frame
            and 0 < size <= self._limit
            and data.rfind(START) == 0
            and data.find(FS) == size
            and data[-1] == _CR
        ):
            return [Message(data[1:-2])]
        return self._walk(data) if data else []

    def finish(self) -> list[Event]:
        """What is left of an open frame when the stream ends, or stays silent after an FS."""
        if self._state == _UNSURE:
            return [Message(self._close())]
        if self._state == _INSIDE:
            return [self._cut(self._close())]
        return []

    def _walk(self, data: bytes) -> list[Event]:
        """The general case: any number of frames, begun or ended anywhere."""
        events: list[Event] = []
        size = len(data)
        at = self._decide(data[:1], events) if self._state == _UNSURE else 0
        start = end = -1  # the next START and FS from `at` on, `size` where there is none
        junk = 0
        while at < size and self._state != _OVER:
            start = start if start >= at else _next(START, data, at)
            if self._state == _BETWEEN:
                junk += start - at
                self._state = _INSIDE if start < size else _BETWEEN
                at = start + 1
                continue
            end = end if end >= at else _next(FS, data, at)
            at = self._gather(data, at, start, end, events)
        if junk:
            events.append(Junk(junk))
        return events

    def _gather(self, data: bytes, at: int, start: int, end: int, events: list[Event]) -> int:
        """Inside a frame: take content up to whatever comes first; returns where to go on."""
        stop = min(start, end)
        if len(self._buffer) + stop - at > self._limit:
            head = min(HEAD, self._limit)
            events.append(TooLong(bytes(self._buffer[:head]) + data[at : at + head - len(self._buffer[:head])]))
            self._buffer, self._state = bytearray(), _OVER
            return len(data)
        if stop == len(data):
            self._buffer += data[at:]
            return stop
        if start < end:
            events.append(self._cut(self._close(data[at:start])))
            self._state = _INSIDE
            return start + 1
        following = data[end + 1 : end + 2]
        if following and following in b"\r\n\x0b":
            events.append(Message(self._close(data[at:end])))
            return end + 1 + (following != START)
        self._buffer += data[at:end]
        if following:
            self._buffer += FS
        else:
            self._state = _UNSURE
        return end + 1

    def _decide(self, following: bytes, events: list[Event]) -> int:
        """The byte after an FS that ended the last piece says what that was; returns how many bytes it took."""
        if following in b"\r\n\x0b":
            events.append(Message(self._close()))
            return following != START
        self._buffer += FS
        self._state = _INSIDE
        return 0

    def _close(self, rest: bytes = b"") -> bytes:
        """The open frame's content, ending in `rest`; after this there is none open."""
        content = bytes(self._buffer) + rest if self._buffer else rest
        if self._buffer:
            self._buffer = bytearray()
        self._state = _BETWEEN
        return content

    @staticmethod
    def _cut(content: bytes) -> Event:
        """A frame without an end; one without content is a stray START."""
        return Truncated(content) if content else Junk(1)


def _next(byte: bytes, data: bytes, at: int) -> int:
    """Where `byte` is next, or the length of `data`."""
    found = data.find(byte, at)
    return len(data) if found < 0 else found

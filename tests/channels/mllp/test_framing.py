"""Framing: whatever the network does to the stream, the same messages come out."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, lists, sampled_from

from channels.mllp.framing import HEAD, Deframer, Event, Junk, Message, TooLong, Truncated, frame

frameable = binary(max_size=60).map(lambda content: content.translate(None, b"\x0b\x1c"))
noise = binary(max_size=8).map(lambda content: content.translate(None, b"\x0b"))
pieces = sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"\x1c\r", b"\x00", b"a", b"MSH|"])


def cut(stream: bytes, cuts: list[int]) -> Iterator[bytes]:
    """`stream` in pieces of the sizes `cuts`, over and over."""
    at = turn = 0
    while at < len(stream):
        yield stream[at : at + cuts[turn % len(cuts)]]
        at, turn = at + cuts[turn % len(cuts)], turn + 1


def events_of(stream: bytes, cuts: list[int], limit: int = 2**16) -> tuple[list[Event], int]:
    """What comes out of `stream`: events other than junk, and how many bytes of junk."""
    deframer = Deframer(limit)
    events = [event for chunk in cut(stream, cuts) for event in deframer.receive(chunk)] + deframer.finish()
    return [event for event in events if not isinstance(event, Junk)], sum(event.size for event in events if isinstance(event, Junk))


@given(messages=lists(frameable), between=noise, cuts=lists(integers(min_value=1, max_value=64), min_size=1))
def test_chunking_does_not_matter(messages: list[bytes], between: bytes, cuts: list[int]) -> None:
    """However the network cuts the stream, and whatever lies between frames, the same messages come out."""
    stream = b"noise" + b"".join(frame(message) + between for message in messages)
    events, junk = events_of(stream, cuts)
    assert events == [Message(message) for message in messages]
    assert junk == 5 + len(between) * len(messages)


@given(stream=lists(pieces, max_size=40).map(b"".join), cuts=lists(integers(min_value=1, max_value=9), min_size=1), limit=integers(0, 12))
def test_chunking_does_not_matter_for_broken_streams(stream: bytes, cuts: list[int], limit: int) -> None:
    """The same holds for streams that no sender should send, and for any limit."""
    assert events_of(stream, cuts, limit) == events_of(stream, [len(stream) + 1], limit)


@given(stream=lists(pieces, max_size=40).map(b"".join), cuts=lists(integers(min_value=1, max_value=9), min_size=1))
def test_nothing_is_lost(stream: bytes, cuts: list[int]) -> None:
    """Every byte is framing, content or counted as junk."""
    events, junk = events_of(stream, cuts)
    content = sum(len(event.content) for event in events)
    assert len(stream) - 3 * len(events) <= content + junk <= len(stream)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"\x0bone\x1c\r\x0btwo\x1c\r", [Message(b"one"), Message(b"two")]),
        (b"\x00\x00\r\n\x0bone\x1c\r\r\n\x00", [Message(b"one")]),
        (b"\x0bone\x1c\n\x0btwo\x1c\r\n", [Message(b"one"), Message(b"two")]),
        (b"\x0bone\x1c\x0btwo\x1c\r", [Message(b"one"), Message(b"two")]),
        (b"\x0bone\x1c", [Message(b"one")]),
        (b"\x0bo\x1cne\x1c\r", [Message(b"o\x1cne")]),
        (b"\x0bone\x1c\x1c\r", [Message(b"one\x1c")]),
        (b"\x0bon\x0btwo\x1c\r", [Truncated(b"on"), Message(b"two")]),
        (b"\x0b\x0b\x0btwo\x1c\r", [Message(b"two")]),
        (b"\x0b\x1c\r", [Message(b"")]),
        (b"\x0bone", [Truncated(b"one")]),
        (b"\x0bone\r\x1c\r", [Message(b"one\r")]),
        (b"MSH|no frame at all\r", []),
        (b"", []),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_what_peers_send(stream: bytes, expected: list[Event], size: int) -> None:
    """Odd framing seen in the field is borne; what is cut short is never taken for a message."""
    assert events_of(stream, [size])[0] == expected


def test_a_frame_over_the_limit_ends_the_stream() -> None:
    """What precedes it is delivered, its beginning is kept, and nothing after it is believed."""
    events, _ = events_of(frame(b"one") + frame(b"x" * 101) + frame(b"two"), [7], limit=100)
    assert events == [Message(b"one"), TooLong(b"x" * 100)]
    assert events_of(frame(b"x" * 100), [7], limit=100)[0] == [Message(b"x" * 100)]
    assert len(events_of(frame(b"x" * 10**6), [9999], limit=10**5)[0][0].content) == HEAD


@pytest.mark.parametrize("size", [1, 3, 1460, 65536])
def test_memory_stays_at_the_limit(size: int) -> None:
    """A peer that never ends its frame costs at most the limit, twice while the buffer grows; pieces of one byte as well."""
    limit = 2**18
    deframer = Deframer(limit)
    tracemalloc.start()
    try:
        deframer.receive(b"\x0b")
        for _ in range(min(2 * limit // size + 1, 2**19)):
            deframer.receive(b"x" * size)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * limit + 2 * size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("hostile", [b"\x0b" * 2**16, b"\x0b" + b"\x1c" * 2**16, b"\x0b" + b"a\x1c" * 2**15, b"\x0ba" * 2**15])
def test_hostile_pieces_cost_no_more_than_their_length(hostile: bytes) -> None:
    """No stream makes the search start over again and again (64 KiB in well under a second)."""
    started = time.perf_counter()
    Deframer().receive(hostile)
    assert time.perf_counter() - started < 1.0

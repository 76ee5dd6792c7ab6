"""Spans: keys are found before and after they are written, whatever is settled when."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.store import recent, search
from engine.store.records import Arrival, MessageStatus, Query, SearchKeys, Settlement
from engine.store.sqlite import SqliteStore

DAY = 86400.0


@pytest.fixture(autouse=True)
def short_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans of eight messages."""
    monkeypatch.setattr(recent, "SPAN_BITS", 3)
    monkeypatch.setattr(recent, "MOST_OPEN", 4)
    monkeypatch.setattr(search, "SPAN_BITS", 3)


def arrival(number: int, received: float | None = None, channel: str = "lab") -> Arrival:
    """A message with a control id and a key of its own."""
    received = 1000.0 + number if received is None else received
    return Arrival(channel, "v", b"%d" % number, received, control_id=f"C{number}", duplicate_key=b"k%d" % number)


def settlement(id: int, number: int) -> Settlement:
    """It is sent, and can be found by its patient and order."""
    keys = SearchKeys("ORU^R01" if number % 10 else "ADT^A01", f"C{number}", "A|B", (f"P{number % 7}",), (f"O{number}",))
    return Settlement(id, MessageStatus.SENT, keys=keys)


async def fill(store: SqliteStore, numbers: range, settle: bool = True) -> list[int]:
    """Receive and settle one after the other."""
    ids = []
    for number in numbers:
        ids.append((await store.receive(arrival(number, channel="adt" if number % 10 == 0 else "lab"))).id)
        if settle:
            await store.settle(settlement(ids[-1], number))
    return ids


async def found(store: SqliteStore, **conditions: object) -> list[int]:
    """The numbers of the messages a search finds."""
    return [int(row.control_id[1:]) for row in await store.search(Query(**conditions))]


async def all_found(store: SqliteStore, count: int) -> None:
    """Every way of searching finds what it should."""
    every = range(count - 1, -1, -1)
    assert await found(store, limit=1000) == list(every)
    assert await found(store, patient="P3", limit=1000) == [n for n in every if n % 7 == 3]
    assert await found(store, patient="P3", before=50, limit=1000) == [n for n in every if n % 7 == 3 and n + 1 < 50]
    assert await found(store, type="ADT^A01", limit=1000) == [n for n in every if n % 10 == 0]
    assert await found(store, channel="adt", limit=3) == [n for n in every if n % 10 == 0][:3]
    assert await found(store, since=1005.0, until=1009.0) == [8, 7, 6, 5]
    for number in (0, 7, 8, count // 2, count - 1):
        assert await found(store, order=f"O{number}") == await found(store, control_id=f"C{number}") == [number]
        assert (await store.receive(arrival(number, channel="adt" if number % 10 == 0 else "lab"))).duplicate


def test_everything_is_found_in_old_and_new_spans(play) -> None:  # noqa: ANN001
    """Also after the store was closed and opened again."""

    async def scene(store: SqliteStore) -> None:
        await fill(store, range(100))
        assert store._committer.writer.recent.written == 11
        await all_found(store, 100)

    async def check(store: SqliteStore) -> None:
        await all_found(store, 100)

    play(scene)
    play(check)


def test_what_is_settled_late_is_found(play) -> None:  # noqa: ANN001
    """A backlog longer than what is kept in memory: the spans are written, and the keys added when they are known."""

    async def scene(store: SqliteStore) -> None:
        ids = await fill(store, range(100), settle=False)
        assert 5 < store._committer.writer.recent.written < 11
        assert await found(store, control_id="C2") == [2]
        assert await found(store, patient="P2") == []
        await asyncio.gather(*(store.settle(settlement(id, number)) for number, id in enumerate(ids)))
        await all_found(store, 100)

    play(scene)


def test_one_unsettled_message_does_not_hold_memory(play) -> None:  # noqa: ANN001
    """However long it waits, only a few spans are kept in memory."""

    async def scene(store: SqliteStore) -> None:
        await fill(store, range(1), settle=False)
        await fill(store, range(1, 200))
        assert len(store._committer.writer.recent.spans) <= recent.MOST_OPEN + 2

    play(scene)


def test_keys_fall_off_after_the_window(play) -> None:  # noqa: ANN001
    """What no resend within the window can bring again is dropped, period by period; younger keys stay."""

    async def scene(store: SqliteStore) -> None:
        def kept() -> int:
            return store._committer.connection.execute("SELECT count(*) FROM duplicates").get

        for day in range(6):
            for number in range(16):
                stored = await store.receive(arrival(number, day * 1.5 * DAY + number))
                assert not stored.duplicate
                await store.settle(Settlement(stored.id, MessageStatus.SENT))
        assert 16 <= kept() <= 48

    play(scene)


def test_a_failed_commit_loses_no_keys(play, tmp_path: Path) -> None:  # noqa: ANN001
    """A span that was written in a transaction that failed is written again."""

    async def scene(store: SqliteStore) -> None:
        connection = store._committer.connection
        await fill(store, range(15))
        connection.pragma("max_page_count", connection.pragma("page_count"))
        big = Arrival("lab", "v", b"x" * 30_000, 1.0)
        results = await asyncio.gather(*(store.receive(big) for _ in range(40)), return_exceptions=True)
        assert all(isinstance(result, Exception) for result in results)
        connection.pragma("max_page_count", 10**9)
        await fill(store, range(15, 60))
        await all_found(store, 60)

    play(scene)

"""How records share commits, and what happens when the disk fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from engine.store import committer as module
from engine.store.contract import StoreUnavailable
from engine.store.records import Arrival, DeliveryRow, DeliveryStatus, MessageStatus, Settlement
from engine.store.sqlite import SqliteStore

BOTH = pytest.mark.parametrize("committer", ["loop", "thread"])


def arrival(number: int, size: int = 100, received: float = 1.0) -> Arrival:
    """A message of some size."""
    return Arrival("lab", "v", b"%d " % number + b"x" * size, received, control_id=f"C{number}", duplicate_key=b"k%d" % number)


class Disk(apsw.VFS):
    """A file system that fails when told to."""

    def __init__(self) -> None:
        self.fails: type[Exception] | None = None
        self.syncs = 0
        super().__init__("disk", "", makedefault=True)

    def xOpen(self, name: object, flags: list[int]) -> apsw.VFSFile:
        return File(self, name, flags)


class File(apsw.VFSFile):
    """A file of it."""

    def __init__(self, disk: Disk, name: object, flags: list[int]) -> None:
        self.disk = disk
        super().__init__("unix", name, flags)

    def xSync(self, flags: int) -> None:
        self.disk.syncs += 1
        if self.disk.fails is apsw.IOError:
            raise apsw.IOError("the disk is broken")
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self.disk.fails is apsw.FullError:
            raise apsw.FullError("the disk is full")
        super().xWrite(data, offset)


@pytest.fixture
def disk() -> Iterator[Disk]:
    """The file system that stores are opened on in a test."""
    made = Disk()
    yield made
    made.unregister()


@BOTH
def test_what_arrives_together_shares_a_commit(play, disk: Disk, committer: str) -> None:  # noqa: ANN001
    """A hundred messages at once cost a handful of syncs; the settlements that follow cost a handful more."""

    async def scene(store: SqliteStore) -> None:
        before = disk.syncs
        ids = [stored.id for stored in await asyncio.gather(*(store.receive(arrival(n)) for n in range(100)))]
        await asyncio.gather(*(store.settle(Settlement(id, MessageStatus.SENT)) for id in ids))
        assert disk.syncs - before <= 12

    play(scene, committer)


@BOTH
def test_a_settlement_by_itself_does_not_wait_long(play, committer: str) -> None:  # noqa: ANN001
    """Without arrivals to share a commit with, it is written within milliseconds."""

    async def scene(store: SqliteStore) -> None:
        stored = await store.receive(arrival(1))
        await asyncio.wait_for(store.settle(Settlement(stored.id, MessageStatus.SENT)), 2)

    play(scene, committer)


@BOTH
@pytest.mark.parametrize("fails", [apsw.IOError, apsw.FullError])
def test_a_failing_disk_keeps_nothing_and_recovers(play, disk: Disk, committer: str, fails: type[Exception]) -> None:  # noqa: ANN001
    """While it fails everyone is told; nothing of it is kept; then it goes on, with what was acknowledged before."""

    async def scene(store: SqliteStore) -> None:
        first = await asyncio.gather(*(store.receive(arrival(n)) for n in range(20)))
        disk.fails = fails
        for _ in range(3):
            results = await asyncio.gather(*(store.receive(arrival(n)) for n in range(20, 40)), return_exceptions=True)
            assert {type(result) for result in results} == {StoreUnavailable}
            with pytest.raises(StoreUnavailable):
                await store.settle(Settlement(first[0].id, MessageStatus.SENT))
        disk.fails = None
        again = await asyncio.gather(*(store.receive(arrival(n)) for n in range(20, 60)))
        assert not any(stored.duplicate for stored in again)
        await store.settle(Settlement(first[0].id, MessageStatus.SENT))
        assert await store.counts() == {("lab", "received"): 59, ("lab", "sent"): 1}

    async def check(store: SqliteStore) -> None:
        rows = await store.unsettled("lab", 0, 1000)
        assert [row.content.split()[0] for row in rows] == [b"%d" % number for number in range(1, 60)]

    play(scene, committer)
    play(check, committer)


@BOTH
def test_a_full_disk_is_survived(play, committer: str) -> None:  # noqa: ANN001
    """At the end of the space messages are refused, those before it stay, and with new space all goes on."""

    async def scene(store: SqliteStore) -> None:
        connection = store._committer.connection
        connection.pragma("max_page_count", connection.pragma("page_count") + 100)
        kept, number = [], 0
        with pytest.raises(StoreUnavailable):
            for number in range(1000):
                kept.append((await store.receive(arrival(number, 2000))).id)
        assert 20 < len(kept) < 1000
        assert [row.id for row in await store.unsettled("lab", 0, 2000)] == kept
        connection.pragma("max_page_count", 10**9)
        assert (await store.receive(arrival(number, 2000))).id > kept[-1]

    play(scene, committer)


@BOTH
def test_the_log_stays_bounded(play, tmp_path: Path, committer: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN001
    """Checkpoints come while messages do; the log is begun anew instead of growing."""
    monkeypatch.setattr(module, "CHECKPOINT_PAGES", 50)

    async def scene(store: SqliteStore) -> None:
        for start in range(0, 2000, 20):
            await asyncio.gather(*(store.receive(arrival(n, 3000)) for n in range(start, start + 20)))
        assert (tmp_path / "data" / "messages.db-wal").stat().st_size < 2 * 2**20

    play(scene, committer)
    assert not (tmp_path / "data" / "messages.db-wal").exists()


@BOTH
def test_a_quiet_moment_brings_the_log_home(play, committer: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN001
    """Without new messages the log is written back, and what comes next begins it anew."""
    monkeypatch.setattr(module, "QUIET", 0.01)
    monkeypatch.setattr(module, "QUIET_PAGES", 5)

    async def scene(store: SqliteStore) -> None:
        await asyncio.gather(*(store.receive(arrival(n, 3000)) for n in range(50)))
        for _ in range(100):
            await asyncio.sleep(0.02)
            if store._committer._pages == 0:
                break
        assert store._committer._pages == 0
        await store.receive(arrival(99))
        assert store._committer._pages < 20

    play(scene, committer)


@BOTH
def test_a_large_burst_is_taken_in_portions(play, committer: str) -> None:  # noqa: ANN001
    """More than a transaction holds: everyone is answered."""

    async def scene(store: SqliteStore) -> None:
        stored = await asyncio.gather(*(store.receive(arrival(n)) for n in range(3 * module.MOST + 7)))
        assert [each.id for each in stored] == list(range(1, 3 * module.MOST + 8))

    play(scene, committer)


def test_a_slow_disk_is_waited_for_on_a_thread(play, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN001
    """`auto` measures: a disk slower than what may be waited for on the loop gets a thread, a quick one none."""

    async def kind(store: SqliteStore) -> type:
        return type(store._committer)

    monkeypatch.setattr("engine.store.sqlite.QUICK", 10.0)
    assert play(kind, "auto") is module.Turn
    monkeypatch.setattr("engine.store.sqlite.QUICK", 0.0)
    assert play(kind, "auto") is module.Thread


def test_unwritten_work_does_not_hide_behind_deliveries(play) -> None:  # noqa: ANN001
    """A settlement's future is done only when another connection can read what it wrote."""

    async def scene(store: SqliteStore) -> None:
        id = (await store.receive(arrival(1))).id
        await store.settle(Settlement(id, MessageStatus.SENT, (DeliveryRow(id, "r", 0, "L", DeliveryStatus.SENT),)))
        assert [row.status for row in await store.deliveries(id)] == [DeliveryStatus.SENT]

    play(scene, "thread")

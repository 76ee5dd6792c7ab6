"""What any store must do, whichever database and whichever committer it has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.store.contract import Refused, StoreUnavailable
from engine.store.records import (
    Answer, Arrival, ChannelVersion, DeliveryRow, DeliveryStatus, MergeRow, MessageStatus, Query, RegisterRow, SearchKeys, Settlement,
)  # fmt: skip
from engine.store.sqlite import SqliteStore, open_store
from transforms.document import Merge

Play = Callable[[Callable[[SqliteStore], Awaitable[None]]], None]
NOW = 1_700_000_000.0
HOUR = 3600.0


@pytest.fixture(params=["loop", "thread"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Plays a scene on a store that is opened for it; a second scene finds what the first left."""

    def play(scene: Callable[[SqliteStore], Awaitable[None]]) -> None:
        async def run() -> None:
            store = await open_store(tmp_path / "data", loop=asyncio.get_running_loop(), committer=request.param)
            try:
                await scene(store)
            finally:
                await store.close()

        asyncio.run(run())

    return play


def arrival(content: bytes = b"MSH|1", **given: object) -> Arrival:
    """An arrival with what matters in a test."""
    return replace(Arrival("lab", "v1", content, NOW), **given)


def delivery(message: int, status: DeliveryStatus = DeliveryStatus.SENT, **given: object) -> DeliveryRow:
    """A delivery with what matters in a test."""
    return replace(DeliveryRow(message, "repository", 0, "P1", status, changed=NOW), **given)


def test_a_message_is_kept_as_it_came(play: Play) -> None:
    """Every field of an arrival comes back, also after the store was closed and opened again."""
    content = b"\x00\xff|MSH\r\n\x1c" * 10
    given = Arrival("lab", "v1", content, NOW, "10.0.0.1:5000", "C1", b"key", 0, ("repository", "archive"), True)

    async def keep(store: SqliteStore) -> None:
        stored = await store.receive(given)
        assert not stored.duplicate
        await check(store)

    async def check(store: SqliteStore) -> None:
        (row,) = await store.unsettled("lab", 0, 10)
        assert row == await store.message(row.id)
        assert (row.channel, row.version, row.content, row.received, row.peer) == ("lab", "v1", content, NOW, "10.0.0.1:5000")
        assert (row.control_id, row.destinations, row.force, row.status) == ("C1", ("repository", "archive"), True, "received")
        assert await store.message(row.id + 1) is None

    play(keep)
    play(check)


def test_ids_rise_with_the_order_of_receipt(play: Play) -> None:
    """A later message has a higher id, whatever was settled in between, and across restarts."""

    async def scene(store: SqliteStore) -> None:
        before = max([row.id for row in await store.search(Query())], default=0)
        ids = [stored.id for stored in await asyncio.gather(*(store.receive(arrival(b"%d" % n)) for n in range(40)))]
        assert ids == sorted(set(ids)) and ids[0] > before
        await store.settle(Settlement(ids[-1], MessageStatus.FILTERED))

    play(scene)
    play(scene)


def test_a_resend_is_recognised(play: Play) -> None:
    """The same key within the window is the first message; nothing new is kept, in one batch and in another."""

    async def scene(store: SqliteStore) -> None:
        first, again = await asyncio.gather(store.receive(arrival(duplicate_key=b"k")), store.receive(arrival(duplicate_key=b"k")))
        assert (again.id, again.duplicate) == (first.id, True)
        later = await store.receive(arrival(duplicate_key=b"k", received=NOW + 23 * HOUR))
        assert (later.id, later.duplicate) == (first.id, True)
        assert sum((await store.counts()).values()) == 1

    play(scene)


def test_a_resend_is_recognised_after_a_restart(play: Play) -> None:
    """What is remembered of keys does not depend on memory."""

    async def first(store: SqliteStore) -> None:
        await store.receive(arrival(duplicate_key=b"k"))

    async def again(store: SqliteStore) -> None:
        assert (await store.receive(arrival(duplicate_key=b"k", received=NOW + HOUR))).duplicate

    play(first)
    play(again)


@pytest.mark.parametrize(
    "other",
    [
        {"duplicate_key": b"other"}, {"channel": "other"}, {"received": NOW + 25 * HOUR}, {"replay_of": 1}, {"duplicate_key": b""},
    ],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_what_is_no_resend_is_kept(play: Play, other: dict[str, object]) -> None:
    """Another key, another channel, after the window, a replay: a message of its own."""

    async def scene(store: SqliteStore) -> None:
        first = await store.receive(arrival(duplicate_key=b"k"))
        second = await store.receive(replace(arrival(duplicate_key=b"k"), **other))
        assert not second.duplicate and second.id > first.id

    play(scene)


def test_after_the_window_the_newer_message_counts(play: Play) -> None:
    """A key that comes again after the window is a new message, and its own resends are recognised as its."""

    async def scene(store: SqliteStore) -> None:
        await store.receive(arrival(duplicate_key=b"k"))
        newer = await store.receive(arrival(duplicate_key=b"k", received=NOW + 30 * HOUR))
        again = await store.receive(arrival(duplicate_key=b"k", received=NOW + 40 * HOUR))
        assert (again.id, again.duplicate) == (newer.id, True)

    play(scene)


def test_settling_keeps_everything(play: Play) -> None:
    """Status, answer, keys, deliveries, register, references and leftovers of one settlement are there afterwards."""
    keys = SearchKeys("ORU^R01", "C1", "LAB|HOSP", ("4711",), ("O1", "F1"))

    async def keep(store: SqliteStore) -> None:
        id = (await store.receive(arrival(control_id="C1"))).id
        told = RegisterRow("key", "patient", "2024-01-01T00:00:00.000000Z", 3, id, "report", ("o1", "o2"))
        await store.settle(Settlement(
            id, MessageStatus.SENT, (delivery(id, attempts=2, code="200", reason="why", response=b"said", sent=b"x" * 5000, next_try=1.5),),
            Answer("AA", (b"MSA|AA", b"second")), keys, learned={"repository": {"identifier=1": "Patient/7"}},
            register={"repository": (told,)}, leftover=("OBX[1]-15", "OBX[2]-15", "PID-9[2].1"),
        ))  # fmt: skip

    async def check(store: SqliteStore) -> None:
        (row,) = await store.search(Query())
        row = await store.message(row.id)
        assert (row.status, row.answer, row.keys) == (MessageStatus.SENT, Answer("AA", (b"MSA|AA", b"second")), keys)
        (kept,) = await store.deliveries(row.id)
        assert kept == delivery(row.id, attempts=2, code="200", reason="why", response=b"said", sent=b"x" * 5000, next_try=1.5)
        assert (await store.register("repository", ["key", "none"]))["key"].observations == ("o1", "o2")
        assert await store.recall("repository", ["identifier=1", "none"]) == {"identifier=1": "Patient/7"}
        assert await store.recall("elsewhere", ["identifier=1"]) == {}
        assert await store.leftovers("lab") == {"OBX-15": 2, "PID-9.1": 1}
        assert await store.counts() == {("lab", "sent"): 1}
        assert await store.unsettled("lab", 0, 10) == []

    play(keep)
    play(check)


def test_an_error_is_kept_with_its_place(play: Play) -> None:
    """Code, place, origin and sentence of what stopped a message; a later outcome takes their place."""

    async def scene(store: SqliteStore) -> None:
        id = (await store.receive(arrival())).id
        why = {"error_code": "101", "error_place": "PID-3", "error_origin": "channel.yaml:7", "error_text": "Required field missing"}
        await store.settle(Settlement(id, MessageStatus.ERROR, answer=Answer("AE", (b"no",)), **why))
        row = await store.message(id)
        assert {name: getattr(row, name) for name in why} == why
        await store.settle(Settlement(id, MessageStatus.RECEIVED))
        assert [each.id for each in await store.unsettled("lab", 0, 10)] == [id]
        await store.settle(Settlement(id, MessageStatus.SENT))
        row = await store.message(id)
        assert (row.status, row.error_code, row.answer) == (MessageStatus.SENT, "", Answer("AE", (b"no",)))

    play(scene)


def test_a_settlement_without_status_leaves_the_message_in_the_backlog(play: Play) -> None:
    """Deliveries may change before the message is settled; what they were sent stays until there is something newer."""

    async def scene(store: SqliteStore) -> None:
        id = (await store.receive(arrival())).id
        await store.settle(Settlement(id, deliveries=(delivery(id, DeliveryStatus.QUEUED, attempts=1, sent=b"out", response=b"said"),)))
        await store.settle(Settlement(id, deliveries=(delivery(id, DeliveryStatus.QUEUED, attempts=2),)))
        assert [row.id for row in await store.unsettled("lab", 0, 10)] == [id]
        (row,) = await store.deliveries(id)
        assert (row.attempts, row.sent, row.response) == (2, b"out", b"said")

    play(scene)


def test_an_impossible_settlement_is_refused_alone(play: Play) -> None:
    """A transition that the state table does not know, or a message that is not there; what shares the batch is kept."""

    async def scene(store: SqliteStore) -> None:
        one, two = (await store.receive(arrival())).id, (await store.receive(arrival())).id
        await store.settle(Settlement(one, MessageStatus.SENT, (delivery(one),)))
        results = await asyncio.gather(
            store.settle(Settlement(one, MessageStatus.FILTERED)),
            store.settle(Settlement(one, deliveries=(delivery(one, DeliveryStatus.QUEUED),))),
            store.settle(Settlement(999, MessageStatus.SENT)),
            store.settle(Settlement(two, MessageStatus.SENT)),
            store.receive(arrival()),
            return_exceptions=True,
        )
        assert [type(result) for result in results[:3]] == [Refused] * 3
        assert results[3] is None and not results[4].duplicate
        assert await store.counts() == {("lab", "sent"): 2, ("lab", "received"): 1}

    play(scene)


def test_a_record_that_cannot_be_written_fails_alone(play: Play) -> None:
    """A value the database will not take costs nobody else's message."""

    async def scene(store: SqliteStore) -> None:
        wrong = arrival(peer=object())
        results = await asyncio.gather(*(store.receive(each) for each in (arrival(), wrong, arrival())), return_exceptions=True)
        assert [type(result).__name__ for result in results] == ["Stored", "Refused", "Stored"]
        assert len(await store.unsettled("lab", 0, 10)) == 2
        assert await store.counts() == {("lab", "received"): 2}

    play(scene)


def test_settlements_of_one_message_are_applied_in_order(play: Play) -> None:
    """Also when they share a commit."""

    async def scene(store: SqliteStore) -> None:
        id = (await store.receive(arrival())).id
        D = DeliveryStatus
        steps = [Settlement(id, deliveries=(delivery(id, status),)) for status in (D.QUEUED, D.SENDING, D.DEAD_LETTER, D.QUEUED, D.SENT)]
        await asyncio.gather(*map(store.settle, [*steps, Settlement(id, MessageStatus.SENT)]))
        assert [row.status for row in await store.deliveries(id)] == [D.SENT]
        assert (await store.message(id)).status == MessageStatus.SENT

    play(scene)


def test_the_backlog_is_read_on_by_cursor(play: Play) -> None:
    """Oldest first, only the channel's, only what is not settled, in pages."""

    async def scene(store: SqliteStore) -> None:
        ids = [(await store.receive(arrival(b"%d" % n, channel="lab" if n % 2 else "adt"))).id for n in range(30)]
        lab = ids[1::2]
        await asyncio.gather(*(store.settle(Settlement(id, MessageStatus.SENT)) for id in lab[:5]))
        seen, after = [], 0
        while page := await store.unsettled("lab", after, 4):
            seen += [row.id for row in page]
            after = page[-1].id
        assert seen == lab[5:]

    play(scene)


def test_waiting_deliveries_come_in_order(play: Play) -> None:
    """By message and part, of the statuses asked for, of one lane if asked, read on by cursor; final ones never."""

    async def scene(store: SqliteStore) -> None:
        D = DeliveryStatus
        ids = [(await store.receive(arrival(b"%d" % n))).id for n in range(8)]
        for number, id in enumerate(ids):
            rows = (
                delivery(id, (D.QUEUED, D.DEAD_LETTER)[number % 2], lane=f"P{number % 3}", part=1),
                delivery(id, D.SENT), delivery(id, D.QUEUED, destination="archive"),
            )  # fmt: skip
            await store.settle(Settlement(id, deliveries=rows))

        async def waiting(*statuses: D, **given: object) -> list[int]:
            return [row.message_id for row in await store.waiting("lab", "repository", statuses, **given)]

        assert await waiting(D.QUEUED) == ids[::2]
        assert await waiting(D.QUEUED, D.DEAD_LETTER) == ids
        assert await waiting(D.QUEUED, D.DEAD_LETTER, lane="P1") == ids[1::3]
        assert await waiting(D.DEAD_LETTER, lane="P1") == [ids[1], ids[7]]
        assert await waiting(D.QUEUED, D.DEAD_LETTER, after=ids[2], limit=3) == ids[3:6]
        assert await waiting(D.SENT) == []
        assert await store.waiting("other", "repository", [D.QUEUED]) == []
        written = await store.settled_for("lab", "repository", [*ids[:2], 999])
        assert {id: [(row.part, row.status) for row in rows] for id, rows in written.items()} == {
            ids[0]: [(0, D.SENT), (1, D.QUEUED)], ids[1]: [(0, D.SENT), (1, D.DEAD_LETTER)]
        }  # fmt: skip

    play(scene)


def test_the_register_tells_the_last_thing_said(play: Play) -> None:
    """One row for a destination and a report key, replaced by what is settled later."""

    async def scene(store: SqliteStore) -> None:
        id = (await store.receive(arrival())).id
        first = RegisterRow("key", "p", "t1", 1, id, "r", ("a",))
        second = RegisterRow("key", "p", "t2", 2, id, "r", ())
        await store.settle(Settlement(id, register={"one": (first,), "two": (first,)}))
        await store.settle(Settlement(id, register={"one": (second,)}))
        assert await store.register("one", ["key"]) == {"key": second}
        assert await store.register("two", ["key"]) == {"key": first}

    play(scene)


def test_references_are_learned_anew(play: Play) -> None:
    """A reference that proved wrong gives way to another, or to none, at that destination, and nothing else does."""

    async def scene(store: SqliteStore) -> None:
        id = (await store.receive(arrival())).id
        await store.settle(Settlement(id, learned={"one": {"a": "P/1", "b": "P/2"}, "two": {"a": "P/3"}}))
        await store.settle(Settlement(id, learned={"one": {"a": ""}}))
        assert await store.recall("one", ["a", "b"]) == {"a": "", "b": "P/2"}
        assert await store.recall("two", ["a"]) == {"a": "P/3"}

    play(scene)


def test_channel_versions_are_kept_once(play: Play) -> None:
    """By digest; the same digest again changes nothing."""

    async def scene(store: SqliteStore) -> None:
        version = ChannelVersion("d1", "lab", {"channel.yaml": "channel: lab\n", "maps/X.yaml": "ü"}, "0.1.0", NOW)
        await store.keep_version(version)
        await store.keep_version(replace(version, created=NOW + 1))
        assert await store.version("d1") == version
        assert await store.version("d2") is None

    play(scene)


def test_large_runs_are_kept_once(play: Play) -> None:
    """A scanned report that comes twice, and is sent on, is one attachment; every content comes back byte for byte."""
    scan = b"JVBERi0x" * 8000
    content = b"MSH|^~\\&|\rOBX|1|ED|PDF||^application^pdf^Base64^" + scan + b"||||||F\r"
    sent = b'{"data":"' + scan + b'"}'

    async def scene(store: SqliteStore) -> None:
        ids = [(await store.receive(arrival(content + b"%d" % n))).id for n in range(3)]
        await store.settle(Settlement(ids[0], MessageStatus.SENT, (delivery(ids[0], sent=sent),)))
        for number, id in enumerate(ids):
            assert (await store.message(id)).content == content + b"%d" % number
        assert (await store.deliveries(ids[0]))[0].sent == sent
        assert [row.content for row in await store.unsettled("lab", 0, 9)] == [content + b"1", content + b"2"]
        assert await store.attachment_count() == 1

    play(scene)


def test_a_search_finds_by_each_condition(play: Play) -> None:
    """Newest first, every condition must hold, pages do not overlap."""

    async def scene(store: SqliteStore) -> None:
        ids = []
        for number in range(20):
            channel, type = ("lab", "ORU^R01") if number % 4 else ("adt", "ADT^A01")
            stored = await store.receive(arrival(b"%d" % number, channel=channel, received=NOW + number, control_id=f"C{number}"))
            ids.append(stored.id)
            if number < 18:
                keys = SearchKeys(type, f"C{number}", "A|B", (f"P{number % 5}", "shared"), (f"O{number}",))
                status = MessageStatus.ERROR if number % 3 == 0 else MessageStatus.SENT
                row = delivery(stored.id, DeliveryStatus.DEAD_LETTER if number % 3 == 0 else DeliveryStatus.SENT)
                await store.settle(Settlement(stored.id, status, (row,), keys=keys))

        async def found(**conditions: object) -> list[int]:
            rows = await store.search(Query(**conditions))
            assert all(row.content == b"" for row in rows)
            return [ids.index(row.id) for row in rows]

        assert await found() == list(range(19, -1, -1))
        assert await found(channel="adt") == [16, 12, 8, 4, 0]
        assert await found(channel="nowhere") == []
        assert await found(status="error") == [15, 12, 9, 6, 3, 0]
        assert await found(status="error", channel="adt") == [12, 0]
        assert await found(status="received") == [19, 18]
        assert await found(status="sent", limit=3) == [17, 16, 14]
        assert await found(type="ADT^A01") == [16, 12, 8, 4, 0]
        assert await found(control_id="C19") == [19]
        assert await found(patient="P3") == [13, 8, 3]
        assert await found(patient="P3", status="error") == [3]
        assert await found(patient="shared", limit=4, before=ids[10]) == [9, 8, 7, 6]
        assert await found(order="O7") == [7]
        assert await found(order="O7", patient="P1") == []
        assert await found(since=NOW + 5, until=NOW + 8) == [7, 6, 5]
        assert await found(destination="repository", delivery_status="dead_letter") == [15, 12, 9, 6, 3, 0]
        assert await found(destination="repository", delivery_status="sent", channel="adt") == [16, 8, 4]
        assert await found(destination="archive", delivery_status="dead_letter") == []
        pages, before = [], 0
        while page := await found(limit=6, before=before):
            pages += page
            before = ids[page[-1]]
        assert pages == list(range(19, -1, -1))

    play(scene)


def test_many_at_once(play: Play) -> None:
    """Hundreds of tasks that receive and settle at the same time each find their own."""

    async def scene(store: SqliteStore) -> None:
        async def one(number: int) -> int:
            id = (await store.receive(arrival(b"m%d" % number, control_id=f"C{number}"))).id
            await store.settle(Settlement(id, MessageStatus.SENT, (delivery(id, sent=b"s%d" % number),), Answer("AA", (b"a%d" % number,))))
            row = await store.message(id)
            assert (row.content, row.answer.contents) == (b"m%d" % number, (b"a%d" % number,))
            return id

        ids = await asyncio.gather(*map(one, range(600)))
        assert len(set(ids)) == 600
        assert await store.counts() == {("lab", "sent"): 600}

    play(scene)


def test_who_stops_waiting_does_not_stop_the_writing(play: Play) -> None:
    """A cancelled task's message may be kept; the others' always are."""

    async def scene(store: SqliteStore) -> None:
        tasks = [asyncio.ensure_future(store.receive(arrival(b"%d" % number))) for number in range(10)]
        tasks[3].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 1
        assert len(await store.unsettled("lab", 0, 20)) >= 9

    play(scene)


def test_closing_writes_what_is_in_hand(play: Play, tmp_path: Path) -> None:
    """What was handed in before closing is kept; what comes after is told that the store is closed."""

    async def scene(store: SqliteStore) -> None:
        waiting = [store.receive(arrival(b"%d" % number)) for number in range(300)]
        await store.close()
        assert len({stored.id for stored in await asyncio.gather(*waiting)}) == 300
        with pytest.raises(StoreUnavailable):
            await store.receive(arrival())

    async def check(store: SqliteStore) -> None:
        assert await store.counts() == {("lab", "received"): 300}

    play(scene)
    play(check)


def test_merges_are_kept_with_the_message_that_brings_them(play: Play) -> None:
    """In its transaction, in the order of receipt, once; a resend brings none; taking them back is told by the message that does it."""
    merges = (Merge("Patient", "A40", ("urn:s", "A"), ("urn:s", "B"), "A^S", "B^S"), Merge("Encounter", "A42", ("urn:v", "1"), ("urn:v", "2")))

    async def keep(store: SqliteStore) -> None:
        assert await store.merges() == []
        assert (await store.receive(arrival(b"a", duplicate_key=b"k", merges=merges))).id == 1
        assert (await store.receive(arrival(b"a", duplicate_key=b"k", merges=merges))).duplicate
        await store.receive(arrival(b"b", merges=merges[:1]))
        assert (await store.receive(arrival(b"a", replay_of=1, undoes=1))).id == 3

    async def check(store: SqliteStore) -> None:
        assert await store.merges() == [MergeRow(1, merges[0], 3), MergeRow(1, merges[1], 3), MergeRow(2, merges[0])]

    play(keep)
    play(check)

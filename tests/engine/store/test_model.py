"""Whatever is done in whatever order, the store holds what a few dictionaries would."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store import recent, search
from engine.store.contract import Refused
from engine.store.records import Answer, Arrival, DeliveryRow, DeliveryStatus, MessageStatus, Query, SearchKeys, Settlement
from engine.store.sqlite import open_store
from engine.store.states import DELIVERY_MAY, MESSAGE_MAY, NEW

arrivals = st.builds(
    Arrival, st.sampled_from(["lab", "adt"]), st.sampled_from(["v1", "v2"]), st.binary(max_size=20), st.floats(1e9, 1.00001e9),
    duplicate_key=st.sampled_from([b"", b"", b"a", b"b"]), control_id=st.sampled_from(["", "C1", "C2"]),
)  # fmt: skip
deliveries = st.tuples(st.sampled_from(["one", "two"]), st.integers(0, 1), st.sampled_from(DeliveryStatus))
settlements = st.tuples(
    st.integers(1, 12), st.none() | st.sampled_from(MessageStatus), st.lists(deliveries, max_size=3, unique_by=lambda each: each[:2]),
    st.none() | st.builds(Answer, st.sampled_from(["AA", "AE"]), st.lists(st.binary(max_size=4), max_size=2).map(tuple)),
    st.none() | st.builds(SearchKeys, st.just("ORU^R01"), patients=st.lists(st.sampled_from("PQ"), max_size=2).map(tuple)),
)  # fmt: skip
batches = st.one_of(st.lists(arrivals, min_size=1, max_size=4), st.lists(settlements, min_size=1, max_size=4))
steps = st.lists(batches | st.just("reopen"), max_size=25)


class Model:
    """What the store should hold."""

    def __init__(self) -> None:
        self.messages: dict[int, dict] = {}
        self.keys: dict[tuple[str, bytes], tuple[int, float]] = {}

    def receive(self, arrival: Arrival) -> int:
        """The id that the arrival should get, or that of the first."""
        key = (arrival.channel, arrival.duplicate_key)
        if arrival.duplicate_key and key in self.keys:
            return self.keys[key][0]
        id = len(self.messages) + 1
        self.keys.setdefault(key, (id, arrival.received))
        self.messages[id] = {"arrival": arrival, "status": "received", "answer": None, "patients": (), "deliveries": {}}
        return id

    def settle(self, given: tuple) -> bool:
        """Whether the settlement should be taken."""
        id, status, deliveries, answer, keys = given
        message = self.messages.get(id)
        if message is None or status is not None and (message["status"], status) not in MESSAGE_MAY:
            return False
        if any((message["deliveries"].get((d, part), NEW), after) not in DELIVERY_MAY for d, part, after in deliveries):
            return False
        message["deliveries"] |= {(d, part): after for d, part, after in deliveries}
        message["status"] = message["status"] if status is None else status
        message["answer"] = answer or message["answer"]
        message["patients"] = message["patients"] if keys is None or not keys.patients else keys.patients
        return True


def settlement(given: tuple) -> Settlement:
    """As the store takes it."""
    id, status, deliveries, answer, keys = given
    return Settlement(id, status, tuple(DeliveryRow(id, d, part, "L", after) for d, part, after in deliveries), answer, keys)


@settings(deadline=None, max_examples=60)
@given(steps, st.sampled_from(["loop", "thread"]))
def test_the_store_holds_what_the_model_holds(steps: list, committer: str) -> None:
    """Receipts and settlements in batches, restarts in between, spans of two messages: every read agrees at the end."""
    with tempfile.TemporaryDirectory() as folder, patch.object(recent, "SPAN_BITS", 1), patch.object(search, "SPAN_BITS", 1):
        asyncio.run(_play(steps, committer, Path(folder)))


async def _play(steps: list, committer: str, folder: Path) -> None:
    model, loop = Model(), asyncio.get_running_loop()
    store = await open_store(folder, loop=loop, committer=committer, window=1e9)
    for step in [*steps, "reopen"]:
        if step == "reopen":
            await store.close()
            store = await open_store(folder, loop=loop, committer=committer, window=1e9)
        elif isinstance(step[0], Arrival):
            stored = await asyncio.gather(*map(store.receive, step))
            assert [each.id for each in stored] == [model.receive(each) for each in step]
        else:
            results = await asyncio.gather(*(store.settle(settlement(each)) for each in step), return_exceptions=True)
            assert [not isinstance(result, Refused) for result in results] == [model.settle(each) for each in step]
    await _compare(store, model)
    await store.close()


async def _compare(store: object, model: Model) -> None:
    for id, message in model.messages.items():
        row = await store.message(id)
        assert (row.status, row.answer, row.content) == (message["status"], message["answer"], message["arrival"].content)
        assert {(each.destination, each.part): each.status for each in await store.deliveries(id)} == message["deliveries"]
    counts = Counter((each["arrival"].channel, str(MessageStatus(each["status"]).value)) for each in model.messages.values())
    assert await store.counts() == counts
    for channel in ("lab", "adt"):
        backlog = [id for id, each in model.messages.items() if each["status"] == "received" and each["arrival"].channel == channel]
        assert [row.id for row in await store.unsettled(channel, 0, 100)] == backlog
    for patient in "PQ":
        wanted = [id for id, each in model.messages.items() if patient in each["patients"]]
        assert [row.id for row in await store.search(Query(patient=patient, limit=100))] == wanted[::-1]
    for status in MessageStatus:
        wanted = [id for id, each in model.messages.items() if each["status"] == status]
        assert [row.id for row in await store.search(Query(status=status.value, limit=100))] == wanted[::-1]
    for destination, status in (("one", DeliveryStatus.QUEUED), ("two", DeliveryStatus.DEAD_LETTER)):
        for channel in ("lab", "adt"):
            wanted = [
                (id, part) for id, each in model.messages.items() if each["arrival"].channel == channel
                for (d, part), after in sorted(each["deliveries"].items()) if (d, after) == (destination, status)
            ]  # fmt: skip
            assert [(row.message_id, row.part) for row in await store.waiting(channel, destination, [status])] == wanted

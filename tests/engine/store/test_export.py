"""Copies and exports."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path

import pytest

from engine.store.backup import copy
from engine.store.export import TABLES, export
from engine.store.records import (
    Answer, Arrival, ChannelVersion, DeliveryRow, DeliveryStatus, MessageStatus, RegisterRow, SearchKeys, Settlement,
)  # fmt: skip
from engine.store.sqlite import SqliteStore, open_store, store_file

SCAN = b"JVBERi0x" * 8000


@pytest.fixture
def filled(play) -> None:  # noqa: ANN001
    """A store with something in every table."""

    async def scene(store: SqliteStore) -> None:
        id = (await store.receive(Arrival("lab", "v1", b"MSH|\xff|" + SCAN, 1.0, control_id="C1"))).id
        row = DeliveryRow(id, "repository", 0, "P1", DeliveryStatus.SENT, sent=b'{"data":"' + SCAN + b'"}', response=b"{}" * 200)
        told = RegisterRow("k", "p", "t", 1, id, "r", ("a", "b"))
        await store.settle(Settlement(
            id, MessageStatus.SENT, (row,), Answer("AA", (b"MSA|AA",)), SearchKeys("ORU^R01", "C1", "A|B", ("P1",), ()),
            learned={"repository": {"c": "Patient/1"}}, register={"repository": (told,)}, leftover=("OBX-15",),
        ))  # fmt: skip
        await store.keep_version(ChannelVersion("v1", "lab", {"channel.yaml": "channel: lab"}, "0.1", 1.0))

    play(scene)


def test_an_export_is_readable(filled: None, tmp_path: Path) -> None:
    """Names instead of numbers, text instead of compressed bytes, attachments in their places."""
    copy(store_file(tmp_path / "data"), tmp_path / "copy.db")
    counted = export(tmp_path / "copy.db", tmp_path / "out")
    assert counted == dict.fromkeys(TABLES, 1)
    read = {table: json.loads((tmp_path / "out" / f"{table}.jsonl").read_text()) for table in TABLES}
    assert (read["messages"]["channel"], read["messages"]["status"], read["messages"]["answer"]) == ("lab", "sent", "MSA|AA")
    assert read["messages"]["content"].startswith("base64:")
    assert read["deliveries"]["sent"] == '{"data":"' + SCAN.decode() + '"}'
    assert read["deliveries"]["response"] == "{}" * 200
    assert json.loads(read["channel_versions"]["files"]) == {"channel.yaml": "channel: lab"}


def test_an_export_as_csv(filled: None, tmp_path: Path) -> None:
    """One header line, then the rows."""
    copy(store_file(tmp_path / "data"), tmp_path / "copy.db")
    export(tmp_path / "copy.db", tmp_path / "out", "csv")
    with (tmp_path / "out" / "leftovers.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"channel": "lab", "path": "OBX-15", "times": "1"}]


def test_a_backup_is_a_store(play, tmp_path: Path) -> None:  # noqa: ANN001
    """Made while messages come, it holds all that were acknowledged when it began, and opens as a store of its own."""

    async def scene(store: SqliteStore) -> int:
        await asyncio.gather(*(store.receive(Arrival("lab", "v", b"%d" % n, 1.0)) for n in range(200)))
        coming = [store.receive(Arrival("lab", "v", b"%d" % n, 1.0)) for n in range(200)]
        await store.backup(tmp_path / "backup" / "messages.db")
        await asyncio.gather(*coming)
        restored = await open_store(tmp_path / "backup", loop=asyncio.get_running_loop())
        counts = await restored.counts()
        await restored.close()
        return sum(counts.values())

    assert 200 <= play(scene) <= 400

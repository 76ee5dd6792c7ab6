"""Killed at any point, the store holds everything that was promised."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.store.records import MessageStatus, Query
from engine.store.sqlite import SqliteStore, open_store, store_file

WRITER = Path(__file__).with_name("writer.py")


def run_until_killed(folder: Path, committer: str, tag: str, lines: int, fault: str = "") -> tuple[set[str], set[str]]:
    """Fill the store, kill it after some lines (or let it kill itself); what it was promised was received and settled."""
    environment = {**os.environ, "FLUE_FAULT": fault}
    child = subprocess.Popen([sys.executable, WRITER, folder, committer, tag], stdout=subprocess.PIPE, env=environment)
    said = []
    for line in child.stdout:
        said.append(line.decode().split())
        if not fault and len(said) >= lines:
            child.send_signal(signal.SIGKILL)
    assert child.wait(20) == -signal.SIGKILL
    assert len(said) > 1, "killed before anything was promised"
    received = {words[1] for words in said if words[0] == "received" and len(words) == 2}
    return received, {words[1] for words in said if words[0] == "settled" and len(words) == 2}


def check(folder: Path, received: set[str], settled: set[str]) -> None:
    """The file is whole, and everything promised is in it."""

    async def run() -> None:
        store = await open_store(folder, loop=asyncio.get_running_loop())
        try:
            assert store._reader.connection.pragma("integrity_check") == "ok"
            await _check(store, received, settled)
        finally:
            await store.close()

    assert store_file(folder).exists()
    asyncio.run(run())


async def _check(store: SqliteStore, received: set[str], settled: set[str]) -> None:
    rows, before = {}, 0
    while page := await store.search(Query(limit=1000, before=before)):
        before = page[-1].id
        rows |= {row.control_id: row for row in page}
    assert received <= set(rows)
    assert {name for name in settled if rows[name].status != MessageStatus.SENT} == set()
    counts = await store.counts()
    assert counts.get(("lab", "sent"), 0) == sum(row.status == MessageStatus.SENT for row in rows.values())
    assert sum(counts.values()) == len(rows)
    for name in random.sample(sorted(settled), min(20, len(settled))):
        assert (await store.message(rows[name].id)).content == name.encode() * 50
        assert (await store.deliveries(rows[name].id))[0].sent == name.encode() * 200
        assert [row.control_id for row in await store.search(Query(patient=name))] == [name]


@pytest.mark.parametrize("committer", ["loop", "thread"])
def test_killed_at_random(tmp_path: Path, committer: str) -> None:
    """Again and again, on the same store."""
    received, settled = set(), set()
    for number in range(3):
        more = run_until_killed(tmp_path, committer, f"r{number}", random.randint(1, 4000))
        received |= more[0]
        settled |= more[1]
        check(tmp_path, received, settled)


@pytest.mark.parametrize("point", ["before_insert", "after_insert", "before_commit", "after_commit"])
def test_killed_at_each_point(tmp_path: Path, point: str) -> None:
    """At the places where it matters."""
    check(tmp_path, *run_until_killed(tmp_path, "thread", point, 0, fault=f"{point}:4"))

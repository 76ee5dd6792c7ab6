"""The process: how it starts, why it does not, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.application import control_ids

CHANNEL = """
channel: copies
source: { mllp: { listen: "tcp:0:interface=127.0.0.1" } }
destinations:
  - { name: folder, file: { folder: out } }
"""


@contextmanager
def engine(conf: Path) -> Iterator[subprocess.Popen[str]]:
    """The engine on a folder, killed at the end if it still runs."""
    (conf / "engine.yaml").write_text('http: { listen: "tcp:0:interface=127.0.0.1" }\n')
    command = [sys.executable, "-m", "engine.application", "--conf", str(conf)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def until(running: subprocess.Popen[str], words: str) -> str:
    """What it says up to the line with these words."""
    said = ""
    assert running.stderr is not None
    for line in running.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(said)


def test_it_starts_reloads_and_stops(tmp_path: Path) -> None:
    """Ready; SIGHUP reads the files again, and a broken one changes nothing; SIGTERM ends it with status 0.  One store, one engine."""
    (tmp_path / "channel.yaml").write_text(CHANNEL)
    with engine(tmp_path) as first:
        assert "copies on " in until(first, "ready: ")
        with engine(tmp_path) as second:
            assert second.wait(20) == 1
            assert f"in use by process {first.pid}" in second.stderr.read()
        (tmp_path / "channel.yaml").write_text(CHANNEL.replace("folder: out", "holder: out"))
        os.kill(first.pid, signal.SIGHUP)
        said = until(first, "read again: ")
        assert "channel.yaml:5" in said and "1 errors" in said
        os.kill(first.pid, signal.SIGTERM)
        assert first.wait(20) == 0


def test_it_does_not_start_on_files_that_do_not_check(tmp_path: Path) -> None:
    """Every problem with its place, and status 1."""
    (tmp_path / "channel.yaml").write_text(CHANNEL.replace("channel:", "chanel:"))
    with engine(tmp_path) as running:
        assert running.wait(20) == 1
        assert "channel.yaml:2:1: " in running.stderr.read()


def test_control_ids_of_our_own() -> None:
    """Unlike each other and those of other runs, and no longer than MSH-10 of old versions takes."""
    one, other = control_ids(1_800_000_000.0, 17), control_ids(1_800_000_000.001, 17)
    ids = {make() for make in (one, other) for _ in range(1000)}
    assert len(ids) == 2000 and max(map(len, ids)) <= 20

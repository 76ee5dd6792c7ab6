"""One process to a store."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.store.lock import Lock, StoreLocked, holder
from engine.store.sqlite import SqliteStore, open_store


def test_a_held_lock_names_its_holder(tmp_path: Path) -> None:
    """Who comes second is told which process has the store."""
    lock = Lock(tmp_path / "x.lock")
    with pytest.raises(StoreLocked) as caught:
        Lock(tmp_path / "x.lock")
    assert caught.value.pid == os.getpid() == holder(tmp_path / "x.lock")
    lock.release()
    assert holder(tmp_path / "x.lock") == 0
    Lock(tmp_path / "x.lock").release()


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    """Asking makes no file."""
    assert holder(tmp_path / "none.lock") == 0 and not (tmp_path / "none.lock").exists()


def test_a_store_is_opened_once(play, tmp_path: Path) -> None:  # noqa: ANN001 - the fixture
    """A second opening is refused while the first lasts, and a failed opening leaves the store free."""

    async def scene(store: SqliteStore) -> None:
        with pytest.raises(StoreLocked):
            await open_store(tmp_path / "data", loop=asyncio.get_running_loop())

    play(scene)
    play(scene)


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    """The system lets go of a lock whose holder was killed."""
    code = "import sys, pathlib, engine.store.lock as l; l.Lock(pathlib.Path(sys.argv[1])); print(1, flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", code, tmp_path / "x.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"1\n"
    assert holder(tmp_path / "x.lock") == child.pid
    child.kill()
    child.communicate()
    Lock(tmp_path / "x.lock").release()

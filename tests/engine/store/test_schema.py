"""The schema's age."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from engine.store import schema
from engine.store.connection import connect, prepare, store_file
from engine.store.schema import NewerStore, deltas, upgrade


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An empty store file."""
    prepare(tmp_path / "a.db")
    return tmp_path / "a.db"


def test_deltas_are_numbered_without_gaps() -> None:
    """From one up."""
    assert [number for number, _ in deltas()] == list(range(1, len(deltas()) + 1))


def test_an_empty_file_becomes_a_store_once(file: Path) -> None:
    """All deltas are applied, once; the store keeps the identity it was given."""
    connection = connect(file, writing=True)
    newest = upgrade(connection)
    site = connection.execute("SELECT value FROM meta WHERE name = 'site'").get
    assert upgrade(connection) == newest == connection.pragma("user_version")
    assert connection.execute("SELECT value FROM meta WHERE name = 'site'").get == site


def test_an_older_store_is_brought_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what it has not seen is applied."""
    connection = connect(file, writing=True)
    upgrade(connection)
    more = (len(deltas()) + 1, "CREATE TABLE later (id INTEGER PRIMARY KEY)")
    monkeypatch.setattr(schema, "deltas", lambda known=deltas(): [*known, more])
    assert upgrade(connection) == more[0]
    assert connection.execute("SELECT count(*) FROM later").get == 0


def test_a_delta_that_fails_changes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is applied whole or not at all."""
    monkeypatch.setattr(schema, "deltas", lambda: [(1, "CREATE TABLE one (id); CREATE TABLE one (id)")])
    connection = connect(file, writing=True)
    with pytest.raises(apsw.SQLError):
        upgrade(connection)
    assert connection.pragma("user_version") == 0
    assert connection.execute("SELECT count(*) FROM sqlite_schema").get == 0


def test_a_newer_store_is_left_alone(file: Path) -> None:
    """This Flue would not know what it breaks."""
    connection = connect(file, writing=True)
    connection.pragma("user_version", 9999)
    with pytest.raises(NewerStore, match="9999"):
        upgrade(connection)


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    """Patients' data is not for other users of the machine; the log beside it is not either."""
    file = store_file(tmp_path / "data")
    prepare(file)
    connection = connect(file, writing=True)
    upgrade(connection)
    assert {each.stat().st_mode & 0o077 for each in file.parent.iterdir()} == {0}


def test_the_connection_keeps_its_word(file: Path) -> None:
    """WAL, synced at every commit, checkpoints when the committer says so, no memory mapping."""
    connection = connect(file, writing=True)
    assert [connection.pragma(name) for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "mmap_size")] == ["wal", 2, 0, 0]

"""How a store's file is opened, and which of SQLite's errors are the disk's."""

from __future__ import annotations

import os
from pathlib import Path

import apsw

FILE = "messages.db"

DISK = (
    apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.BusyError, apsw.LockedError,
    apsw.CorruptError, apsw.NotADBError, apsw.NoMemError, apsw.PermissionsError, apsw.ProtocolError, MemoryError,
)  # fmt: skip
"""What says that nothing can be kept or read now, whatever was asked for."""

_WRITING = {
    "page_size": 8192,  # of a new store: twice the usual, for what a delivery sent takes most of a small page, and wastes the rest
    "journal_mode": "wal",
    "synchronous": "full",  # a commit is on the disk when it returns
    "wal_autocheckpoint": 0,  # the committer says when
    "journal_size_limit": 64 * 2**20,
    "cache_size": -16_000,  # KiB
}
_READING = {"cache_size": -4_000}
_BOTH = {"mmap_size": 0, "temp_store": "memory"}  # memory is bounded by the caches, and an I/O error is an error, not a signal


def store_file(path: Path) -> Path:
    """The database file of a store that is named by its folder, or by the file itself (`.db`)."""
    return path if path.suffix == ".db" else path / FILE


def prepare(file: Path) -> None:
    """Make the folder and an empty file, for its owner's eyes only, so that they outlive a power cut."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        folder = os.open(file.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def connect(file: Path, *, writing: bool) -> apsw.Connection:
    """A connection that writes (there is one), or one that only reads."""
    flags = apsw.SQLITE_OPEN_READWRITE if writing else apsw.SQLITE_OPEN_READONLY
    connection = apsw.Connection(str(file), flags=flags, statementcachesize=200)
    connection.set_busy_timeout(2000)
    for name, value in ((_WRITING if writing else _READING) | _BOTH).items():
        connection.pragma(name, value)
    return connection

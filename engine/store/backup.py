"""Copies of a store, made while it goes on."""

from __future__ import annotations

from pathlib import Path

import apsw

from engine.store.connection import connect


def copy(file: Path, target: Path) -> None:
    """Copy a store as it is now, with SQLite's backup API: whole and consistent while the store goes on."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source, made = connect(file, writing=False), apsw.Connection(str(target))
    try:
        with made.backup("main", source, "main") as backup:
            backup.step(-1)
        made.pragma("journal_mode", "delete")  # one file, nothing beside it
    finally:
        made.close()
        source.close()

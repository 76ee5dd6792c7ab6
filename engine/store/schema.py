"""The schema's age: applies the numbered deltas that a store has not seen yet, and refuses one from the future."""

from __future__ import annotations

import uuid
from importlib import resources

import apsw

from engine.store.queries import STATEMENTS


class NewerStore(Exception):
    """The store was written by a newer Flue; this one must not touch it."""


def deltas() -> list[tuple[int, str]]:
    """Number and text of each delta, in order."""
    files = (file for file in resources.files("engine.store.migrations").iterdir() if file.name.endswith(".sql"))
    return sorted((int(file.name[:4]), file.read_text("utf-8")) for file in files)


def upgrade(connection: apsw.Connection) -> int:
    """Bring the store to the newest schema, delta by delta, each in a transaction of its own; returns its number."""
    version = connection.pragma("user_version")
    known = deltas()
    if version > known[-1][0]:
        raise NewerStore(f"the store has schema {version}, this Flue knows {known[-1][0]}: use the newer one, or a backup")
    for number, text in known:
        if number > version:
            with connection:
                connection.execute(text)
                connection.pragma("user_version", number)
    with connection:
        connection.execute(STATEMENTS["keep_meta"], ("site", str(uuid.uuid4())))
    return known[-1][0]

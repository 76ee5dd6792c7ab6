"""Exports of a store, as JSON lines or CSV.  sqlite-utils reads a copy (see `backup`), never the store itself."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from sqlite_utils import Database

from engine.store import attachments
from engine.store.compression import expand
from engine.store.queries import STATEMENTS

Row = dict[str, object]

TABLES = ("messages", "deliveries", "register", "learned", "leftovers", "counts", "channel_versions")
"""What is exported; the statement `export_TABLE` says how."""


def export(copied: Path, folder: Path, form: Literal["jsonl", "csv"] = "jsonl") -> Mapping[str, int]:
    """Write the tables of a copy as JSON lines or CSV, `folder/TABLE.jsonl`; gives how many rows each has."""
    folder.mkdir(parents=True, exist_ok=True)
    write = _write_lines if form == "jsonl" else _write_csv
    database = Database(str(copied))
    try:
        return {table: write(folder / f"{table}.{form}", _rows(database, table)) for table in TABLES}
    finally:
        database.close()


def _rows(database: Database, table: str) -> Iterator[Row]:
    fetch = partial(_attachment, database)
    for row in database.query(STATEMENTS[f"export_{table}"]):
        yield {name: _readable(value) for name, value in _opened(row, fetch).items()}


def _attachment(database: Database, digest: bytes) -> bytes:
    return expand(next(database.query(STATEMENTS["attachment"], (digest,)))["content"])


def _opened(row: Row, fetch: Callable[[bytes], bytes]) -> Row:
    """A row with what is compressed expanded, and attachments put back."""
    cuts = attachments.unpack(row.pop("cuts", None))
    for name in ("files", "response", "sent"):
        if row.get(name):
            row[name] = expand(row[name])
    whole = "sent" if "sent" in row else "content"
    if cuts:
        row[whole] = attachments.restore(row[whole], cuts, {digest: fetch(digest) for _, digest in cuts})
    return row


def _readable(value: object) -> object:
    """Bytes as text where they are UTF-8, else as base64, said so."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(value).decode()


def _write_lines(file: Path, found: Iterable[Row]) -> int:
    count = 0
    with file.open("w", encoding="utf-8") as out:
        for count, row in enumerate(found, 1):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count


def _write_csv(file: Path, found: Iterable[Row]) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = None
        for count, row in enumerate(found, 1):
            if writer is None:
                writer = csv.DictWriter(out, list(row))
                writer.writeheader()
            writer.writerow(row)
    return count

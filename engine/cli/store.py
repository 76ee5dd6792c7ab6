"""`flue store`: what it holds, a copy of it while it is in use, and exports for other tools."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from engine.admin_api import messages as api
from engine.cli.door import Door, options
from engine.cli.output import fail, say, table

PATIENCE = 3600.0  # seconds: a large store takes its time


@click.group()
def command() -> None:
    """Inspect, back up and export the store."""


@command.command(epilog="Example: flue store info")
@options
def info(url: str, conf: Path, data: Path | None) -> None:
    """Messages by channel and status."""

    found = Door(url, conf, data).ask("GET", "/v1/store", None, api.counts)
    table(
        ("channel", "status", "messages"),
        ((each["channel"], each["status"], each["count"]) for each in found["messages"]),
        right=("messages",),
    )


def _copy(target: Path, url: str, conf: Path, data: Path | None) -> None:
    if target.exists():
        fail(f"{target} is there already; it is not written over")
    if not target.absolute().parent.is_dir():
        fail(f"there is no folder {target.absolute().parent}")
    Door(url, conf, data).ask(
        "POST", "/v1/store/copy", {"target": str(target.absolute())}, lambda store: api.copy(store, target), patience=PATIENCE
    )


@command.command(epilog="Example: flue store backup backups/2026-03-14.db")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@options
def backup(target: Path, url: str, conf: Path, data: Path | None) -> None:
    """Copy the store, whole and consistent, to TARGET, while the engine goes on.  It holds patient data."""
    _copy(target, url, conf, data)
    say(f"{target}: {target.stat().st_size / 2**20:.1f} MiB")


@command.command(epilog="Example: flue store export folder --format csv")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True, help="Of the files.")
@options
def export(folder: Path, form: str, url: str, conf: Path, data: Path | None) -> None:
    """Write messages, deliveries, register and ledger as files into FOLDER, from a copy of the store.  They hold patient data."""
    from engine.store.export import export as write

    with tempfile.TemporaryDirectory(prefix="flue-export-") as name:
        copied = Path(name) / "copy.db"
        _copy(copied, url, conf, data)
        written = write(copied, folder, form)
    table(("table", "rows"), written.items(), right=("rows",))

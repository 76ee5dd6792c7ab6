"""`flue store`: what it holds, a copy of it while it is in use, and exports for other tools."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click

from engine.cli.door import Door, options
from engine.cli.output import say, table


@click.group()
def command() -> None:
    """Inspect, back up and export the store."""


@command.command(epilog="Example: flue store info")
@options
def info(url: str, conf: Path, data: Path | None) -> None:
    """Messages by channel and status."""

    async def local(store) -> dict:  # noqa: ANN001 - a Store
        counts = await store.counts()
        return {"messages": [{"channel": channel, "status": status, "count": count} for (channel, status), count in sorted(counts.items())]}

    found = Door(url, conf, data).ask("GET", "/v1/store", None, local)
    table(("channel", "status", "messages"), ((each["channel"], each["status"], each["count"]) for each in found["messages"]), right=("messages",))


def _copy(target: Path, url: str, conf: Path, data: Path | None) -> None:
    async def local(store) -> dict:  # noqa: ANN001 - a SqliteStore
        await asyncio.to_thread(store.copy_to, target)
        return {}

    Door(url, conf, data).ask("POST", "/v1/store/copy", {"target": str(target.resolve())}, local)


@command.command(epilog="Example: flue store backup backups/2026-03-14.db")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@options
def backup(target: Path, url: str, conf: Path, data: Path | None) -> None:
    """Copy the store, whole and consistent, to TARGET, while the engine goes on."""
    _copy(target, url, conf, data)
    say(f"{target}: {target.stat().st_size / 2**20:.1f} MiB")


@command.command(epilog="Example: flue store export folder --format csv")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@options
def export(folder: Path, form: str, url: str, conf: Path, data: Path | None) -> None:
    """Write messages, deliveries, register and ledger as files into FOLDER, from a copy of the store.  They hold patient data."""
    from engine.store.export import export as write

    with tempfile.TemporaryDirectory(prefix="flue-export-") as name:
        copied = Path(name) / "copy.db"
        _copy(copied, url, conf, data)
        written = write(copied, folder, form)
    table(("table", "rows"), written.items(), right=("rows",))

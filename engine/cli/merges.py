"""`flue merges`: which numbers were merged into which, and taking that back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.admin_api import merges as api
from engine.cli.door import Door, options
from engine.cli.output import emit, say, table
from transforms.fhir.serialization import dumps, dumps_pretty


@click.group()
def command() -> None:
    """List merges of patients' and visits' numbers, and take them back."""


@command.command(name="list", epilog="Example: flue merges list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@options
def list_(as_json: bool, url: str, conf: Path, data: Path | None) -> None:
    """Merges, newest first: the prior number stands for the surviving one in every message received after the one that says so."""
    found = Door(url, conf, data).ask("GET", "/v1/merges", local=api.listing)["merges"]
    if as_json:
        for each in found:
            emit(dumps(each))
        return
    if not found:
        say("nothing was merged")
        return
    table(("id", "received", "channel", "event", "type", "prior", "survivor", "message", "taken back by"), map(_line, found), right=("id",))


def _line(merge: dict[str, Any]) -> tuple:
    return (
        merge["id"], merge["received"], merge["channel"], merge["event"], merge["type"], _number(merge["prior"]),
        _number(merge["survivor"]), merge["status"], merge["undone"],
    )  # fmt: skip


def _number(known: dict[str, str]) -> str:
    """A number, and who gave it: the end of its system."""
    return f"{known['value']} ({known['system'].rpartition('/')[2] or known['system']})"


@command.command(epilog="Example: flue merges undo 17 --dry-run")
@click.argument("id", type=click.IntRange(min=1))
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@options
def undo(id: int, dry_run: bool, url: str, conf: Path, data: Path | None) -> None:
    """Take back what message ID merged: its numbers stand for themselves again, and receivers are told by a delivery.

    The documents to be sent are printed as JSON with --dry-run.
    """
    done = Door(url, conf, data).ask("POST", f"/v1/merges/{id}/undo", {"dry_run": dry_run})
    for each in done["merges"]:
        standing = "would stand" if dry_run else "stands"
        say(f"{each['type']} {_number(each['prior'])} {standing} for itself again, no longer for {_number(each['survivor'])}")
    for each in done["outputs"]:
        say(f"to {each['destination']}" + (f", where it would be held: {each['hold']}" if each["hold"] else ""))
        emit(dumps_pretty(each["content"]) if each["content"] is not None else each["text"].encode())
    if not dry_run:
        print(f"message {done['id']} takes it back")

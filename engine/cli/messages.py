"""`flue messages`: find messages, and show one as a tree with field names, its deliveries and what was answered."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from engine.admin_api import messages as api
from engine.cli.door import Door, options
from engine.cli.output import emit, legible, say, table
from engine.cli.tree import lines
from transforms.fhir.serialization import dumps, dumps_pretty

ID = click.IntRange(1, 10**18 - 1)
LONGEST = 2000  # characters of a response that are shown

FIELDS = (
    ("channel", "Only this channel."), ("status", "received, filtered, error, held, sent or partly_sent."),
    ("type", "MSH-9, such as ORU^R01."), ("control-id", "MSH-10."), ("patient", "A patient identifier (PID-3)."),
    ("order", "An order number, placer's or filler's."), ("since", "Received at or after this time (ISO 8601)."),
    ("until", "Received before this time."), ("destination", "With --delivery-status: at this destination."),
    ("delivery-status", "queued, sending, sent, superseded, dead_letter, unsure, dismissed or held."),
)  # fmt: skip


def criteria(command):  # noqa: ANN001, ANN201 - a decorator
    """The options of a search."""
    for name, text in reversed(FIELDS):
        command = click.option(f"--{name}", default="", help=text)(command)
    return command


def asked(values: dict[str, str]) -> dict[str, str]:
    """Search fields that were given."""
    return {name: value for name, value in values.items() if value}


@click.group()
def command() -> None:
    """Find and show messages."""


@command.command(name="list", epilog="Example: flue messages list --status error --since 2026-03-14")
@criteria
@click.option("--limit", default=50, show_default=True, help="At most so many.")
@click.option("--before", default=0, help="Page on: only ids below this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
@options
def list_(limit: int, before: int, as_json: bool, url: str, conf: Path, data: Path | None, **values: str) -> None:
    """List messages, newest first."""
    _list(Door(url, conf, data), asked(values) | {"limit": limit} | ({"before": before} if before else {}), as_json)


@command.command(epilog="Example: flue messages search --patient 4711001")
@criteria
@click.option("--limit", default=50, show_default=True, help="At most so many.")
@click.option("--before", default=0, help="Page on: only ids below this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
@options
def search(limit: int, before: int, as_json: bool, url: str, conf: Path, data: Path | None, **values: str) -> None:
    """Search messages by channel, time, control id, type, patient, order number or status."""
    if not asked(values):
        raise click.UsageError("say what to search for; flue messages list shows the newest")
    _list(Door(url, conf, data), asked(values) | {"limit": limit} | ({"before": before} if before else {}), as_json)


def _list(door: Door, query: dict, as_json: bool) -> None:
    found = door.ask("POST", "/v1/messages/search", query, lambda store: api.search(store, query))
    if as_json:
        for each in found["messages"]:
            emit(dumps(each))
    elif found["messages"]:
        table(
            ("id", "received", "channel", "type", "control id", "status", "answer", "why"),
            (
                (
                    each["id"],
                    each["received"],
                    each["channel"],
                    each["type"],
                    each["control_id"],
                    each["status"],
                    each["answer"],
                    why(each["error"]),
                )
                for each in found["messages"]
            ),
            right=("id",),
        )
    else:
        say("no message is found")
    if found["next"]:
        say(f"there are more: --before {found['next']}")


def why(error: dict | None) -> str:
    """Why a message went nowhere: the place in it, the reason, and the line of the channel or map that said so."""
    if not error:
        return ""
    if error["code"] == "filtered":
        return f"filtered by {error['text']} ({error['origin']})"
    place = f"{error['place']}: " if error["place"] else ""
    origin = f", at {error['origin']}" if error["origin"] else ""
    return f"{place}{error['text']} ({error['code']}{origin})"


@command.command(epilog="Example: flue messages show 17 --raw | flue send mllp://test:2575 -")
@click.argument("id", type=ID)
@click.option("--raw", is_flag=True, help="Only the bytes as received.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@options
def show(id: int, raw: bool, as_json: bool, url: str, conf: Path, data: Path | None) -> None:
    """Show one message: its fields with their names, its deliveries and their responses."""
    message = Door(url, conf, data).ask("GET", f"/v1/messages/{id}", None, lambda store: api.show(store, id))
    content = base64.b64decode(message["content_base64"])
    if raw:
        sys.stdout.buffer.write(content)
    elif as_json:
        emit(dumps_pretty(message))
    else:
        for line in _shown(message, content):
            print(legible(line))


def _shown(message: dict, content: bytes) -> Iterator[str]:
    for name in ("id", "channel", "received", "peer", "status", "answer", "replay_of"):
        if message[name]:
            yield f"{name.replace('_', ' '):10} {message[name]}"
    yield f"{'version':10} {message['version'][:12]}"
    if message["error"]:
        yield f"{'because':10} {why(message['error'])}"
    yield ""
    yield from lines(content, message.get("local_names") or {})
    for answer in message["answers"]:
        yield from ("", "answered", *(f"  {segment}" for segment in answer.strip("\r").split("\r")))
    for delivery in message["deliveries"]:
        yield ""
        yield from _delivery(delivery)


def _delivery(delivery: dict) -> Iterator[str]:
    """Where to, what became of it, and what the receiver said."""
    attempts = f"after {delivery['attempts']} attempts" if delivery["attempts"] > 1 else ""
    waits = f"next try {delivery['next_try']}" if delivery["next_try"] and delivery["status"] == "queued" else ""
    head = ("to " + delivery["destination"], delivery["status"], delivery["code"], delivery["changed"], attempts, waits, delivery["reason"])
    yield "  ".join(each for each in head if each)
    response = delivery["response"]
    if response:
        shown = response if len(response) <= LONGEST else f"{response[:LONGEST]}… ({len(response)} characters; --json shows all)"
        yield from (f"  {line}" for line in shown.splitlines())

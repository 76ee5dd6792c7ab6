"""`flue messages`: find messages, and show one as a tree with field names, its deliveries and what was answered."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import click

from engine.admin_api import messages as api
from engine.cli.door import Door, options
from engine.cli.output import say, table
from engine.cli.tree import lines
from transforms.fhir.serialization import dumps, dumps_pretty

FIELDS = (
    ("channel", "Only this channel."), ("status", "received, filtered, error, held, sent or partly_sent."),
    ("type", "MSH-9, such as ORU^R01."), ("control-id", "MSH-10."), ("patient", "A patient identifier (PID-3)."),
    ("order", "An order number, placer's or filler's."), ("since", "Received at or after this time (ISO 8601)."),
    ("until", "Received before this time."), ("destination", "With --delivery-status: at this destination."),
    ("delivery-status", "queued, dead_letter, unsure, held, superseded …"),
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
@click.option("--limit", default=50, show_default=True)
@click.option("--before", default=0, help="Page on: only ids below this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
@options
def list_(limit: int, before: int, as_json: bool, url: str, conf: Path, data: Path | None, **values: str) -> None:
    """List messages, newest first."""
    _list(Door(url, conf, data), asked(values) | {"limit": limit} | ({"before": before} if before else {}), as_json)


@command.command(epilog="Example: flue messages search --patient 4711001")
@criteria
@click.option("--limit", default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")
@options
def search(limit: int, as_json: bool, url: str, conf: Path, data: Path | None, **values: str) -> None:
    """Search messages by channel, time, control id, type, patient, order number or status."""
    _list(Door(url, conf, data), asked(values) | {"limit": limit}, as_json)


def _list(door: Door, query: dict, as_json: bool) -> None:
    found = door.ask("POST", "/v1/messages/search", query, lambda store: api.search(store, query))
    if as_json:
        for each in found["messages"]:
            print(dumps(each).decode())
        return
    table(
        ("id", "received", "channel", "type", "control id", "status", "answer", "error"),
        (
            (each["id"], each["received"], each["channel"], each["type"], each["control_id"], each["status"], each["answer"], _error(each["error"]))
            for each in found["messages"]
        ),
        right=("id",),
    )
    if found["next"]:
        say(f"there are more: --before {found['next']}")


def _error(error: dict | None) -> str:
    return f"{error['place']}: {error['text']} ({error['code']})" if error and error["place"] else (error or {}).get("text", "")


@command.command(epilog="Example: flue messages show 17 --raw | flue send mllp://test:2575 /dev/stdin")
@click.argument("id", type=int)
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
        print(dumps_pretty(message).decode())
    else:
        _show(message, content)


def _show(message: dict, content: bytes) -> None:
    head = ("id", "channel", "received", "peer", "status", "answer", "replay_of", "version")
    for name in head:
        if message[name]:
            print(f"{name:10} {message[name]}")
    if message["error"]:
        print(f"{'error':10} {_error(message['error'])}  {message['error']['origin']}")
    print()
    for line in lines(content):
        print(line)
    for answer in message["answers"]:
        print("\nanswered")
        for segment in answer.strip("\r").split("\r"):
            print(f"  {segment}")
    for delivery in message["deliveries"]:
        waits = f", next try {delivery['next_try']}" if delivery["next_try"] and delivery["status"] == "queued" else ""
        print(f"\n{delivery['destination']}  {delivery['status']}  {delivery['code']}  {delivery['changed'] or ''}  {delivery['reason']}{waits}")
        if delivery["response"]:
            print(f"  {delivery['response'][:2000]}")

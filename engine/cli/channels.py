"""`flue channels`: what runs, in which state, and starting, pausing and stopping it."""

from __future__ import annotations

from pathlib import Path

import click

from engine.admin_api import messages as api
from engine.cli.door import Door, options
from engine.cli.output import say, table

DESTINATION_ACTIONS = ("start", "pause")
PATIENCE = 120.0  # seconds: a channel that stops settles first what it has in hand


@click.group()
def command() -> None:
    """List, start, stop, pause and reload channels of a running engine."""


@command.command(name="list", epilog="Example: flue channels list")
@options
def list_(url: str, conf: Path, data: Path | None) -> None:
    """Channels, their destinations, and how many messages each holds."""
    found = Door(url, conf, data).ask("GET", "/v1/channels")
    table(
        ("channel", "state", "port", "in hand", "destination", "is", "because", "messages"),
        (row for channel in found["channels"] for row in _rows(channel)),
        right=("port", "in hand"),
    )
    for problem in found["problems"]:
        say(problem)


def _rows(channel: dict) -> list[tuple]:
    """A line for each destination; what is the channel's own stands in the first."""
    counts = ", ".join(f"{number} {status}" for status, number in sorted(channel["messages"].items()) if number)
    rows = []
    for index, each in enumerate(channel["destinations"]):
        own = (channel["name"], channel["state"], channel["port"] or "", channel["in_hand"]) if not index else ("",) * 4
        why = [each["code"], _parked(each["parked_lanes"]), channel["why"] if not index else ""]
        rows.append((*own, each["name"], each["state"], ", ".join(filter(None, why)), counts if not index else ""))
    return rows


def _parked(lanes: int) -> str:
    return f"{lanes} lane{'s' * (lanes != 1)} waiting" if lanes else ""


def _channel_action(action: str, words: str):  # noqa: ANN202 - a click command
    @click.argument("name")
    @click.option("--destination", default="", help="This destination of the channel only.")
    @options
    def act(name: str, destination: str, url: str, conf: Path, data: Path | None) -> None:
        if destination and action not in DESTINATION_ACTIONS:
            raise click.UsageError(f"a destination can be started and paused; to {action} is for channels")
        path = f"/v1/channels/{name}/destinations/{destination}/{action}" if destination else f"/v1/channels/{name}/{action}"
        done = Door(url, conf, data).ask("POST", path, {}, patience=PATIENCE)
        print(f"{name}{' ' + destination if destination else ''}: {done['state']}")

    act.__doc__ = words
    return act


command.command(name="start", epilog="Example: flue channels start lab_results")(
    _channel_action("start", "Take messages and deliver (again).")
)
command.command(name="pause", epilog="Example: flue channels pause lab_results --destination repository")(
    _channel_action("pause", "Take no messages and go on delivering; a destination: deliver nothing, let messages queue up.")
)
command.command(name="stop", epilog="Example: flue channels stop lab_results")(_channel_action("stop", "Close the channel."))


@command.command(epilog="Example: flue channels reload")
@options
def reload(url: str, conf: Path, data: Path | None) -> None:
    """Read the channel files again; only what changed is restarted, and what does not check changes nothing."""
    found = Door(url, conf, data).ask("POST", "/v1/channels/reload", {}, patience=PATIENCE)
    for problem in found["problems"]:
        say(problem)
    say("reloaded")


@command.command(epilog="Example: flue channels leftovers lab_results")
@click.argument("name")
@options
def leftovers(name: str, url: str, conf: Path, data: Path | None) -> None:
    """The ledger: fields that no rule read or dropped, by path, the commonest first."""

    found = Door(url, conf, data).ask("GET", f"/v1/channels/{name}/leftovers", None, lambda store: api.leftovers(store, name))["leftovers"]
    if found:
        table(("path", "times"), found.items(), right=("times",))
    else:
        say("nothing is left over")

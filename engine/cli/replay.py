"""`flue replay`: send messages again, under the channel version of their day or today's; or show what would be sent."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.cli.door import Door, options
from engine.cli.messages import ID, asked, criteria
from engine.cli.output import emit, say, table
from transforms.fhir.serialization import dumps

PATIENCE = 3600.0  # seconds: ten thousand messages may be replayed at once


@click.group(invoke_without_command=True, epilog="Example: flue replay --status error --since 2026-03-14 --dry-run")
@click.option("--id", "ids", type=ID, multiple=True, help="A message; may be given several times.")
@criteria
@click.option("--to", "destinations", multiple=True, help="Only to this destination; may be given several times.")
@click.option("--under", type=click.Choice(["then", "today"]), default="then", show_default=True, help="The channel version to run.")
@click.option("--force", is_flag=True, help="Send even what the receiver knows newer.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, one JSON document a line, and send nothing.")
@options
@click.pass_context
def command(
    context: click.Context, ids: tuple[int, ...], destinations: tuple[str, ...], under: str, force: bool, dry_run: bool,
    url: str, conf: Path, data: Path | None, **values: str,
) -> None:  # fmt: skip
    """Send messages again: by --id, or all that a search finds.  `flue replay retry|dismiss ID` decides about dead letters."""
    if context.invoked_subcommand:
        return
    search = asked(values)
    if not ids and not search:
        context.fail("say which messages: --id, or a search")
    body = {
        "ids": list(ids),
        "search": search or None,
        "destinations": list(destinations),
        "under": under,
        "force": force,
        "dry_run": dry_run,
    }
    done = Door(url, conf, data).ask("POST", "/v1/replay", body, patience=PATIENCE)["replayed"]
    if not done:
        say("no message is found")
    if dry_run:
        sys.exit(_print_outputs(done))
    if done:
        table(("original", "replayed as"), ((each["original"], each["id"]) for each in done), right=("original", "replayed as"))
    _say_releases(done)


def _say_releases(done: list[dict]) -> None:
    for each in done:
        if each["released"]:
            say(f"{each['original']}: its version ran under Flue {each['released']}, which may have given something else")


def _print_outputs(done: list[dict]) -> int:
    failed = 0
    _say_releases(done)
    for each in done:
        if each["error"]:
            say(f"{each['original']}: {each['status']}: {each['error']}")
            failed |= each["status"] == "error"
        for output in each["outputs"]:
            held = f" (would be held: {output['hold']})" if output["hold"] else ""
            say(f"{each['original']} to {output['destination']}{held}")
            emit(dumps(output["content"]) if output["content"] is not None else output["text"].encode())
    return int(failed)


def _decision(action: str, words: str):  # noqa: ANN202 - a click command
    @click.argument("id", type=ID)
    @click.option("--to", "destination", default="", help="Only at this destination.")
    @options
    def decide(id: int, destination: str, url: str, conf: Path, data: Path | None, force: bool = False) -> None:
        body = {"destination": destination} | ({"force": True} if force else {})
        done = Door(url, conf, data).ask("POST", f"/v1/messages/{id}/{action}", body)["deliveries"]
        if done:
            table(("destination", "part", "was"), ((each["destination"], each["part"], each["was"]) for each in done))
        else:
            say(f"message {id} has no dead letter, unsure or held delivery{f' at {destination}' if destination else ''}")

    decide.__doc__ = words
    return decide


command.command(name="retry", epilog="Example: flue replay retry 17")(
    click.option("--force", is_flag=True, help="Send held ones as they are.")(
        _decision("retry", "Send a message's dead letters, unsure and held deliveries again.")
    )
)
command.command(name="dismiss", epilog="Example: flue replay dismiss 17")(
    _decision("dismiss", "Give up a message's dead letters, unsure and held deliveries for good, so that their lanes go on.")
)

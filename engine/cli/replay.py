"""`flue replay`: send messages again, under the channel version of their day or today's; or show what would be sent."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.cli.door import Door, options
from engine.cli.messages import asked, criteria
from engine.cli.output import say, table
from transforms.fhir.serialization import dumps


@click.group(invoke_without_command=True, epilog="Example: flue replay --status error --since 2026-03-14 --dry-run")
@click.option("--id", "ids", type=int, multiple=True, help="A message; may be given several times.")
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
    body = {"ids": list(ids), "search": search or None, "destinations": list(destinations), "under": under, "force": force, "dry_run": dry_run}
    done = Door(url, conf, data).ask("POST", "/v1/replay", body)["replayed"]
    if dry_run:
        sys.exit(_print_outputs(done))
    table(("original", "replayed as"), ((each["original"], each["id"]) for each in done), right=("original", "replayed as"))
    for each in done:
        if each["released"]:
            say(f"{each['original']}: its version ran under Flue {each['released']}, which may have given something else")


def _print_outputs(done: list[dict]) -> int:
    failed = 0
    for each in done:
        if each["error"]:
            say(f"{each['original']}: {each['status']}: {each['error']}")
            failed |= each["status"] == "error"
        for output in each["outputs"]:
            held = f" (would be held: {output['hold']})" if output["hold"] else ""
            say(f"{each['original']} to {output['destination']}{held}")
            print(dumps(output["content"]).decode() if output["content"] is not None else output["text"])
    return int(failed)


def _decision(action: str, words: str):  # noqa: ANN202 - a click command
    @click.argument("id", type=int)
    @click.option("--to", "destination", default="", help="Only at this destination.")
    @click.option("--force", is_flag=True, help="Send held ones as they are.")
    @options
    def decide(id: int, destination: str, force: bool, url: str, conf: Path, data: Path | None) -> None:
        done = Door(url, conf, data).ask("POST", f"/v1/messages/{id}/{action}", {"destination": destination, "force": force})
        table(("destination", "part", "was"), ((each["destination"], each["part"], each["was"]) for each in done["deliveries"]))

    decide.__doc__ = words
    return decide


command.command(name="retry", epilog="Example: flue replay retry 17")(_decision("retry", "Send a message's dead letters, unsure and held deliveries again."))
command.command(name="dismiss", epilog="Example: flue replay dismiss 17")(
    _decision("dismiss", "Give up a message's dead letters, unsure and held deliveries for good, so that their lanes go on.")
)

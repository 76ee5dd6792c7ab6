"""`flue convert`: HL7 v2 to FHIR without an engine, one JSON document a message, one a line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

import click

from engine.cli.files import NAMED, messages, written
from engine.cli.output import emit, legible, progress, say
from transforms.declaration.suggestions import did_you_mean
from transforms.document import Document
from transforms.errors import MessageError
from transforms.fhir import outcome
from transforms.fhir.serialization import dumps
from transforms.fhir.validation import validate
from transforms.hl7.message import parse
from transforms.pipeline import Filtered

if TYPE_CHECKING:
    from engine.cli.converters import Convert, Explained


def _zone(context: click.Context, option: click.Parameter, name: str) -> str:
    if name and name not in available_timezones():
        raise click.BadParameter(f"{name} is no time zone of the IANA list{did_you_mean(name, available_timezones())}")
    return name


def _base(context: click.Context, option: click.Parameter, uri: str) -> str:
    if uri and not uri.startswith(("http://", "https://", "urn:")):
        raise click.BadParameter("should be a URI of your own, such as https://hospital.example/id")
    return uri.rstrip("/")


@click.command(epilog="Example: flue convert --ledger results/*.hl7")
@click.argument("files", nargs=-1, required=True, type=NAMED)
@click.option("--explain", is_flag=True, help="Print, for each element, the rule, file and line that wrote it, and the fields it read.")
@click.option("--ledger", is_flag=True, help="Print each non-empty field that no rule read or dropped.")
@click.option("--map", "map_name", default="auto", show_default=True, help="The message map to use; of a channel, its own.")
@click.option("--zone", default="", callback=_zone, help="IANA time zone of times without an offset, such as Europe/Zurich.")
@click.option("--identity-base", default="", callback=_base, help="URI prefix for identifier systems that the message does not give.")
@click.option(
    "--conf", type=click.Path(exists=True, path_type=Path), help="Use the channel of this folder: its filter, steps, maps and tables."
)
@click.option("--channel", default="", help="Which channel of --conf, where there are several.")
@click.option("--destination", default="", help="Which destination of the channel; default: the first that gets FHIR.")
@click.option("--received", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]), help="When it counts as received; default: the file's time.")  # fmt: skip
def command(
    files: tuple[Path, ...], explain: bool, ledger: bool, map_name: str, zone: str, identity_base: str,
    conf: Path | None, channel: str, destination: str, received: datetime | None,
) -> None:  # fmt: skip
    """Convert the HL7 v2 messages in FILES (- is standard input) and print a Bundle for each, one a line.

    A message that fails gives an OperationOutcome instead, and exit status 1; one that the channel's filter does not let pass gives
    an OperationOutcome that says so.
    """
    from engine.cli.converters import OfMap, Overrides, of_channel

    if explain and ledger:
        raise click.UsageError("--explain and --ledger are two answers; ask for one")
    if conf and map_name != "auto":
        raise click.UsageError("the channel of --conf says which map: leave out --map")
    if not conf and (channel or destination):
        raise click.UsageError("--channel and --destination are for --conf")
    overrides = Overrides(zone, identity_base)
    convert: Convert = of_channel(conf, channel, destination, overrides) if conf else OfMap(map_name, overrides)
    failed = 0
    for file in progress(files, "converting"):
        moment = received.astimezone(UTC) if received and received.tzinfo else received.replace(tzinfo=UTC) if received else written(file)
        for _, content in messages([file]):
            try:
                if explain:
                    _explain(content, convert.explain(content, moment), file)
                else:
                    _print(convert(content, moment), ledger, file)
            except MessageError as error:
                failed += 1
                emit(dumps(outcome.of_error(error)))
                say(f"{file}: {legible(str(error))}")
    sys.exit(1 if failed else 0)


def _print(made: Document | Filtered, ledger: bool, file: Path) -> None:
    if isinstance(made, Filtered):
        _say_filtered(made, file)
        return
    body: Any = made.body
    if ledger:
        control_id = (body.get("identifier") or {}).get("value", "")
        _print_lines({"message": control_id, "path": path, "status": "left over"} for path in made.leftover)
        return
    emit(dumps(body))
    for hold in sorted({part.hold for part in made.parts if part.hold}):
        say(f"{file}: an engine would hold this: {hold}")
    for issue in validate(body):
        say(f"{file}: an engine would hold this: {issue.place}: {issue.text}")


def _explain(content: bytes, found: Explained | Filtered, file: Path) -> None:
    if isinstance(found, Filtered):
        _say_filtered(found, file)
    else:
        control_id = parse(content).get("MSH-10") or ""
        _print_lines({"message": control_id} | each for each in found)


def _say_filtered(made: Filtered, file: Path) -> None:
    issue = {
        "severity": "information",
        "code": "informational",
        "details": {"text": f"filtered by {made.rule}"},
        "diagnostics": made.origin,
    }
    emit(dumps({"resourceType": "OperationOutcome", "issue": [issue]}))
    say(f"{file}: filtered by {made.rule} ({made.origin})")


def _print_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        emit(dumps(row))

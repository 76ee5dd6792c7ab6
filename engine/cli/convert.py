"""`flue convert`: HL7 v2 to FHIR without an engine, one JSON document a message, one a line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

import click

from engine.cli.files import NAMED, messages, written
from engine.cli.output import emit, legible, progress, say
from transforms.declaration.suggestions import did_you_mean
from transforms.errors import MessageError
from transforms.fhir import outcome
from transforms.fhir.serialization import dumps, dumps_pretty
from transforms.fhir.validation import validate
from transforms.hl7.message import parse
from transforms.pipeline import Filtered

if TYPE_CHECKING:
    from engine.cli.converters import Convert


def _zone(context: click.Context, option: click.Parameter, name: str) -> str:
    if name and name not in available_timezones():
        raise click.BadParameter(f"{name} is no time zone of the IANA list{did_you_mean(name, available_timezones())}")
    return name


def _base(context: click.Context, option: click.Parameter, uri: str) -> str:
    if uri and not uri.startswith(("http://", "https://", "urn:")):
        raise click.BadParameter("should be a URI of your own, such as https://hospital.example/id")
    return uri.rstrip("/")


def _moment(context: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise click.BadParameter("should be a date or time such as 2026-03-14T10:30:00Z") from None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command(epilog="Example: flue convert --ledger results/*.hl7")
@click.argument("files", nargs=-1, required=True, type=NAMED)
@click.option("--explain", is_flag=True, help="Print, for each element, the rule, file and line that wrote it, and the fields it read.")
@click.option("--ledger", is_flag=True, help="Print each non-empty field that no rule read or dropped.")
@click.option("--pretty", is_flag=True, help="Indent bundles for eyes, instead of one a line.")
@click.option("--map", "map_name", default="auto", show_default=True, help="The message map to use; of a channel, its own.")
@click.option("--zone", default="", callback=_zone, help="IANA time zone of times without an offset, such as Europe/Zurich.")
@click.option("--identity-base", default="", callback=_base, help="URI prefix for identifier systems that the message does not give.")
@click.option(
    "--conf", type=click.Path(exists=True, path_type=Path), help="Use the channel of this folder: its filter, steps, maps and tables."
)
@click.option("--channel", default="", help="Which channel of --conf, where there are several.")
@click.option("--destination", default="", help="Which destination of the channel; default: the first that gets FHIR.")
@click.option("--received", callback=_moment, help="When it counts as received (ISO 8601); default: the file's time.")
def command(
    files: tuple[Path, ...], explain: bool, ledger: bool, pretty: bool, map_name: str, zone: str, identity_base: str,
    conf: Path | None, channel: str, destination: str, received: datetime | None,
) -> None:  # fmt: skip
    """Convert the HL7 v2 messages in FILES (- is standard input) and print a Bundle for each, one a line.

    A message that fails gives an OperationOutcome instead, and exit status 1; one that the channel's filter does not let pass gives
    an OperationOutcome that says so.  Batches are taken apart; where their counts are wrong, that is said, with exit status 1.
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
    tell = _explain if explain else _ledger if ledger else partial(_print, dumps_pretty if pretty else dumps)
    failed, wrong = 0, []

    def at_fault(file: Path, fault: str) -> None:
        wrong.append(fault)
        say(f"{file}: {fault}")

    for file in progress(files, "converting"):
        moment = received.astimezone(UTC) if received else written(file)
        for _, content in messages([file], at_fault):
            try:
                tell(convert, content, moment, file)
            except MessageError as error:
                failed += 1
                emit(dumps(outcome.of_error(error)))
                say(f"{file}: {legible(str(error))}")
    sys.exit(1 if failed or wrong else 0)


def _print(spelled: Callable[[Any], bytes], convert: Convert, content: bytes, moment: datetime, file: Path) -> None:
    made = convert(content, moment)
    if isinstance(made, Filtered):
        _say_filtered(made, file)
        return
    body: Any = made.body
    emit(spelled(body))
    for hold in sorted({part.hold for part in made.parts if part.hold}):
        say(f"{file}: an engine would hold this: {hold}")
    for issue in validate(body):
        say(f"{file}: an engine would hold this: {issue.place}: {issue.text}")


def _ledger(convert: Convert, content: bytes, moment: datetime, file: Path) -> None:
    made = convert(content, moment)
    if isinstance(made, Filtered):
        _say_filtered(made, file)
    else:
        _print_lines(content, ({"path": path, "status": "left over"} for path in made.leftover))


def _explain(convert: Convert, content: bytes, moment: datetime, file: Path) -> None:
    found = convert.explain(content, moment)
    if isinstance(found, Filtered):
        _say_filtered(found, file)
    else:
        _print_lines(content, found)


def _print_lines(content: bytes, rows: Iterable[Mapping[str, Any]]) -> None:
    control_id = parse(content).get("MSH-10") or ""
    for row in rows:
        emit(dumps({"message": control_id} | row))


def _say_filtered(made: Filtered, file: Path) -> None:
    text = f"filtered by {made.rule}"
    issue = {"severity": "information", "code": "informational", "details": {"text": text}, "diagnostics": made.origin}
    emit(dumps({"resourceType": "OperationOutcome", "issue": [issue]}))
    say(f"{file}: {text} ({made.origin})")

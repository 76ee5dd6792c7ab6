"""`flue convert`: HL7 v2 to FHIR without an engine, one JSON document a message, one a line; or results in FHIR to HL7 v2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from engine.cli.files import NAMED, messages, written
from engine.cli.output import emit, legible, progress, say, table
from engine.cli.zones import known_zone
from transforms.errors import MessageError
from transforms.fhir import outcome
from transforms.fhir.serialization import dumps, dumps_pretty
from transforms.fhir.validation import validate
from transforms.pipeline import Filtered

if TYPE_CHECKING:
    from engine.cli.converters import Convert, Overrides
    from transforms.document import Context
    from transforms.hl7.message import Message
    from transforms.mapping.explaining import Explainer

WORDS = {"--explain": ("json", "table"), "--ledger": ("left", "all")}
"""What may stand after an option; the first where nothing does."""


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


class _Command(click.Command):
    """`--explain` and `--ledger` stand alone, or with a word that says more; a file after them is a file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        told: list[str] = []
        for index, each in enumerate(args):
            if each in WORDS and "--" not in args[:index]:
                word = args[index + 1] if index + 1 < len(args) and args[index + 1] in WORDS[each] else WORDS[each][0]
                told.append(f"{each}={word}")
            elif not (told and index and args[index - 1] in WORDS and each in WORDS[args[index - 1]]):
                told.append(each)
        return super().parse_args(ctx, told)


@click.command(cls=_Command, epilog="Example: flue convert --ledger results/*.hl7")
@click.argument("files", nargs=-1, required=True, type=NAMED)
@click.option(
    "--explain", metavar="[table]", help="Print, for each element, the rule and line that wrote it, and the bytes that decide it; as a table to read."
)
@click.option(
    "--ledger", metavar="[all]", help="Print what no rule read or dropped, and how much that is; `all`: the fate of every text of the message."
)
@click.option("--why", metavar="ELEMENT", help="Print why an element such as Observation.value is there or is not.")
@click.option("--pretty", is_flag=True, help="Indent bundles for eyes, instead of one a line.")
@click.option("--map", "map_name", default="auto", show_default=True, help="The message map to use; of a channel, its own.")
@click.option("--zone", default="", callback=known_zone, help="IANA time zone of times without an offset, such as Europe/Zurich.")
@click.option("--identity-base", default="", callback=_base, help="URI prefix for identifier systems that the message does not give.")
@click.option(
    "--conf", type=click.Path(exists=True, path_type=Path), help="Use the channel of this folder: its filter, steps, maps and tables."
)
@click.option("--channel", default="", help="Which channel of --conf, where there are several.")
@click.option("--destination", default="", help="Which destination of the channel; default: the first that gets FHIR.")
@click.option(
    "--to", "target", type=click.Choice(["fhir", "v2"]), default="fhir", show_default=True, help="v2: FILES are Bundles of results, and become ORU^R01."
)
@click.option("--received", callback=_moment, help="When it counts as received (ISO 8601); default: the file's time.")
def command(
    files: tuple[Path, ...], explain: str | None, ledger: str | None, why: str | None, pretty: bool, map_name: str, zone: str, identity_base: str,
    conf: Path | None, channel: str, destination: str, target: str, received: datetime | None,
) -> None:  # fmt: skip
    """Convert the HL7 v2 messages in FILES (- is standard input) and print a Bundle for each, one a line.

    A message that fails gives an OperationOutcome instead, and exit status 1; one that the channel's filter does not let pass gives
    an OperationOutcome that says so.  Batches are taken apart; where their counts are wrong, that is said, with exit status 1.
    """
    from engine.cli.converters import OfMap, Overrides, of_channel

    if sum(map(bool, (explain, ledger, why))) > 1:
        raise click.UsageError("--explain, --ledger and --why are several answers; ask for one")
    if conf and map_name != "auto":
        raise click.UsageError("the channel of --conf says which map: leave out --map")
    if not conf and (channel or destination):
        raise click.UsageError("--channel and --destination are for --conf")
    overrides = Overrides(zone, identity_base)
    if target == "v2":
        _to_v2(files, received, overrides, ledger, usual=not (explain or why or pretty or conf or map_name != "auto"))
    convert: Convert = of_channel(conf, channel, destination, overrides) if conf else OfMap(map_name, overrides)
    tell = _teller(explain, ledger, why) or partial(_print, dumps_pretty if pretty else dumps)
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


def _to_v2(files: tuple[Path, ...], received: datetime | None, overrides: Overrides, ledger: str | None, *, usual: bool) -> NoReturn:
    """The other way round."""
    from engine.cli.backward import convert_all

    if not usual:
        raise click.UsageError("--to v2 goes with --ledger, --zone, --identity-base and --received only")
    sys.exit(1 if convert_all(files, received, overrides, ledger=bool(ledger)) else 0)


def _teller(explain: str | None, ledger: str | None, why: str | None) -> Callable[..., None] | None:
    """What answers instead of the Bundle."""
    if explain:
        return partial(_told, partial(_explain, explain == "table"))
    if ledger:
        return partial(_told, partial(_ledger, ledger == "all"))
    return partial(_told, partial(_why, why)) if why else None


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


def _told(tell: Callable[[Explainer, Message, Context], None], convert: Convert, content: bytes, moment: datetime, file: Path) -> None:
    """Say something of a message beside its Bundle."""
    asked = convert.asked(content, moment)
    if isinstance(asked, Filtered):
        _say_filtered(asked, file)
    else:
        tell(*asked)


def _ledger(every: bool, explainer: Explainer, message: Message, context: Context) -> None:
    """What is left over (or every atom with its fate), then how many atoms met which fate."""
    found = explainer.account(message, context)
    if every:
        fates = ((each, each.atom.span or (None, None)) for each in found.fates)
        rows = ({"path": each.atom.path, "start": start, "end": end, "status": each.fate, "rule": each.rule} for each, (start, end) in fates)
    else:
        rows = ({"path": path, "status": "left over"} for path in found.leftover)
    _print_lines(message, [*rows, {"atoms": len(found.fates), "counts": found.counts, "shares": found.shares}])


def _explain(as_table: bool, explainer: Explainer, message: Message, context: Context) -> None:
    found = explainer(message, context)
    if not as_table:
        _print_lines(message, found)
        return
    cells = [(each["pointer"], _spans(each["sources"]), " ".join((*each["functions"], *each["tables"])), _origin(each)) for each in found]
    table(("element", "decided by (bytes)", "function, table", "rule"), cells)


def _spans(sources: Iterable[Mapping[str, Any]]) -> str:
    """`OBX-5 (301-303)`; what only has to be there for the element to be there is not told."""
    kept = [each for each in sources if each["by"] in ("value", "together")]
    return ", ".join(each["path"] + (f" ({each['start']}-{each['end']})" if each["end"] else "") for each in kept)


def _origin(found: Mapping[str, Any]) -> str:
    return f"{found['rule']} {found['file']}:{found['line']}"


def _why(path: str, explainer: Explainer, message: Message, context: Context) -> None:
    """Of each resource that has or might have an element: which rule wrote it, or why none did."""
    from transforms.mapping.missing import SENTENCES

    rows = [{**asdict(each), "sentence": SENTENCES[each.why]} for each in explainer.why(message, context, path)]
    _print_lines(message, rows)


def _print_lines(message: Message, rows: Iterable[Mapping[str, Any]]) -> None:
    control_id = message.get("MSH-10") or ""
    for row in rows:
        emit(dumps({"message": control_id} | row))


def _say_filtered(made: Filtered, file: Path) -> None:
    text = f"filtered by {made.rule}"
    issue = {"severity": "information", "code": "informational", "details": {"text": text}, "diagnostics": made.origin}
    emit(dumps({"resourceType": "OperationOutcome", "issue": [issue]}))
    say(f"{file}: {text} ({made.origin})")

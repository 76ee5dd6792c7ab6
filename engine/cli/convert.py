"""`flue convert`: HL7 v2 to FHIR without an engine, one JSON document a message, one a line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from engine.cli.output import progress, say
from transforms.document import FHIR_JSON, HL7, Context, Document, Identity
from transforms.errors import ConfigurationError, MessageError
from transforms.fhir import outcome
from transforms.fhir.serialization import dumps
from transforms.fhir.validation import validate
from transforms.hl7.batch import split_messages
from transforms.hl7.message import Message, parse
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions


@click.command(epilog="Example: flue convert --ledger results/*.hl7 | sort | uniq -c")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--explain", is_flag=True, help="Print, for each element, the rule, file and line that wrote it, and the fields it read.")
@click.option("--ledger", is_flag=True, help="Print each non-empty field that no rule read or dropped.")
@click.option("--map", "map_name", default="auto", show_default=True, help="The message map to use.")
@click.option("--zone", default="", help="IANA time zone of times without an offset, such as Europe/Zurich.")
@click.option("--identity-base", default="", help="URI prefix for identifier systems that the message does not give.")
@click.option("--conf", type=click.Path(exists=True, path_type=Path), help="Use the channel of this folder: its filter, steps, maps and tables.")
@click.option("--channel", "channel_name", default="", help="Which channel of --conf, where there are several.")
def command(
    files: tuple[Path, ...], explain: bool, ledger: bool, map_name: str, zone: str, identity_base: str, conf: Path | None, channel_name: str
) -> None:
    """Convert the HL7 v2 messages in FILES and print a Bundle for each; a message that fails gives an OperationOutcome, and exit 1."""
    try:
        convert = _of_channel(conf, channel_name) if conf else _of_map(map_name, zone, identity_base)
    except ConfigurationError as error:
        say(str(error))
        sys.exit(2)
    failed = 0
    for file, content in progress(list(_messages(files)), "converting"):
        received = datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
        try:
            message = parse(content)
            if explain:
                _print_lines(convert.explain(message, received))
            else:
                _print(convert(message, received), ledger, file)
        except MessageError as error:
            failed += 1
            print(dumps(outcome.of_error(error)).decode())
    sys.exit(1 if failed else 0)


def _messages(files: tuple[Path, ...]) -> Iterable[tuple[Path, bytes]]:
    for file in files:
        for content in split_messages(file.read_bytes()):
            yield file, content


class _of_map:  # noqa: N801 - used as a function
    """Converts by a map alone."""

    def __init__(self, name: str, zone: str, base: str) -> None:
        self._library, self._name = Library.load(), name
        self._convert = self._library.converter(name, MapOptions())
        self._context: Callable[[datetime], Context] = lambda received: Context(received, timezone=zone, identity=Identity(base=base))

    def __call__(self, message: Message, received: datetime) -> Document:
        context = self._context(received)
        made = self._convert(message, context)
        return Document(FHIR_JSON, made.bundle, context, made.parts, made.leftover, made.notes)

    def explain(self, message: Message, received: datetime) -> Iterable[dict]:
        return self._library.explain(self._name, MapOptions())(message, self._context(received))


def _print(document: Document, ledger: bool, file: Path) -> None:
    if ledger:
        control_id = (document.body.get("identifier") or {}).get("value", "")
        _print_lines({"message": control_id, "path": path, "status": "left over"} for path in document.leftover)
        return
    print(dumps(document.body).decode())
    for hold in sorted({part.hold for part in document.parts if part.hold}):
        say(f"{file}: an engine would hold this: {hold}")
    for issue in validate(document.body):
        say(f"{file}: an engine would hold this: {issue.place}: {issue.text}")


def _print_lines(rows: Iterable[dict]) -> None:
    for row in rows:
        print(dumps(row).decode())

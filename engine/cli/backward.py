"""FHIR to HL7 v2 without an engine: what `flue convert --to v2` does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from engine.cli.converters import Overrides
from engine.cli.files import content, written
from engine.cli.output import emit, legible, progress, say
from engine.cli.validate import MARK, documents
from transforms.document import Context, Identity
from transforms.errors import ErrorCode, MessageError
from transforms.fhir import outcome
from transforms.fhir.serialization import dumps, loads
from transforms.mapping.backward.to_hl7 import ToHl7, Written
from transforms.mapping.library import Library


def convert_all(files: tuple[Path, ...], received: datetime | None, overrides: Overrides, *, ledger: bool) -> int:
    """Print the message of each Bundle, a segment a line, or with `ledger` what it does not carry; gives how many failed."""
    convert, failed = ToHl7(Library.load()), 0
    for file in progress(files, "converting"):
        moment = received.astimezone(UTC) if received else written(file)
        for document in documents(content(file).removeprefix(MARK)):
            try:
                _tell(convert(_bundle(document), overrides.context(Context(moment, identity=Identity()))), file, ledger=ledger)
            except MessageError as error:
                failed += 1
                emit(dumps(outcome.of_error(error)))
                say(f"{file}: {legible(str(error))}")
    return failed


def _bundle(document: bytes) -> dict:
    try:
        return loads(document)
    except RecursionError:
        raise MessageError(ErrorCode.DATA_TYPE, "$this", "is nested too deeply", fatal=True) from None


def _tell(made: Written, file: Path, *, ledger: bool) -> None:
    if ledger:
        for path in made.left:
            emit(dumps({"message": made.message.get("MSH-10") or "", "path": path, "status": "left over"}))
        return
    for segment in made.message.segments:
        emit(segment.text.encode("utf-8"))
    if made.left:
        say(f"{file}: {len(made.left)} elements are not in the message (--ledger lists them)")

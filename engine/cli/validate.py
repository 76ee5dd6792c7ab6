"""`flue validate`: FHIR R4 JSON against the generated schema and the invariants Flue knows."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.cli.files import NAMED, content
from engine.cli.output import emit
from transforms.errors import ErrorCode, MessageError
from transforms.fhir import outcome
from transforms.fhir.serialization import dumps, loads
from transforms.fhir.validation import validate

MARK = b"\xef\xbb\xbf"  # of UTF-8, as some editors write it


def documents(text: bytes) -> list[bytes]:
    """One JSON document, or one a line as `flue convert` prints them."""
    lines = [line for line in text.splitlines() if line.strip()]
    each = len(lines) > 1 and all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines)
    return lines if each else [text]


@click.command(epilog="Example: flue convert result.hl7 | flue validate -")
@click.argument("files", nargs=-1, required=True, type=NAMED)
def command(files: tuple[Path, ...]) -> None:
    """Check FILES (- is standard input; one document, or one a line) and print an OperationOutcome for each document."""
    wrong = 0
    for file in files:
        for document in documents(content(file).removeprefix(MARK)):
            said, valid = _checked(document)
            wrong += not valid
            emit(dumps(said))
    sys.exit(1 if wrong else 0)


def _checked(document: bytes) -> tuple[outcome.Outcome, bool]:
    try:
        issues = validate(loads(document))
    except RecursionError:
        return outcome.of_error(MessageError(ErrorCode.DATA_TYPE, "$this", "is nested too deeply", fatal=True)), False
    except MessageError as error:
        return outcome.of_error(error), False
    return outcome.of_issues(issues), not any(issue.severity in ("error", "fatal") for issue in issues)

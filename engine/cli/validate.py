"""`flue validate`: FHIR R4 JSON against the generated schema and the invariants Flue knows."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from transforms.errors import MessageError
from transforms.fhir import outcome
from transforms.fhir.serialization import dumps, loads
from transforms.fhir.validation import validate


def documents(text: bytes) -> list[bytes]:
    """One JSON document, or one a line as `flue convert` prints them."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines if len(lines) > 1 and all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines) else [text]


@click.command(epilog="Example: flue convert result.hl7 | flue validate -")
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=Path))
def command(files: tuple[Path, ...]) -> None:
    """Check FILES (- is standard input) and print an OperationOutcome for each document."""
    wrong = 0
    for file in files:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        for document in documents(text):
            try:
                issues = validate(loads(document))
                said = outcome.of_issues(issues)
                wrong += any(issue.severity in ("error", "fatal") for issue in issues)
            except MessageError as error:
                said = outcome.of_error(error)
                wrong += 1
            print(dumps(said).decode())
    sys.exit(1 if wrong else 0)

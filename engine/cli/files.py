"""Files that people name on the command line; `-` is standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from transforms.hl7.batch import is_batch, read_envelope, split_messages

NAMED = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
"""What a command's FILES are."""


def content(file: Path) -> bytes:
    """A file's bytes."""
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def written(file: Path) -> datetime:
    """When a file was written last, to the second; of standard input, now."""
    return datetime.now(UTC).replace(microsecond=0) if str(file) == "-" else datetime.fromtimestamp(int(file.stat().st_mtime), UTC)


def messages(files: Iterable[Path], at_fault: Callable[[Path, str], None]) -> Iterator[tuple[Path, bytes]]:
    """Every message of every file; a file may hold several, in batches or not, with or without MLLP frames.

    `at_fault` is told what is wrong with the counts and bounds of a batch, whose messages come all the same.
    """
    for file in files:
        data = content(file)
        for fault in read_envelope(data).all_faults if is_batch(data) else ():
            at_fault(file, fault)
        for message in split_messages(data):
            yield file, message

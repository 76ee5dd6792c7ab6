"""`flue maps corpus`: what becomes of many messages, told by structure as a table to be read, compared and pasted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.files import messages, written
from engine.cli.output import fail, legible, progress, say, table
from transforms.document import Context, Identity
from transforms.errors import ConfigurationError, MessageError
from transforms.fhir.validation import is_valid, validate
from transforms.hl7.message import Message, parse
from transforms.mapping.options import MapOptions

if TYPE_CHECKING:
    from transforms.mapping.library import Library

HEADINGS = ("structure", "events", "map", "messages", "converted", "valid", "atoms", "mapped", "dropped", "left over")
NUMBERS = HEADINGS[3:]
NO_HL7 = "no HL7"
SUFFIXES = (".hl7", ".bin")
ENDURANCE = 0.2  # seconds a message is converted over and over to measure it
BASE = "https://site.example/ids"


@dataclass
class Row:
    """What became of the messages of one structure."""

    structure: str
    maps: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    messages: int = 0
    converted: int = 0
    valid: int = 0
    fates: dict[str, int] = field(default_factory=dict)

    def cells(self) -> tuple[object, ...]:
        """As `HEADINGS` has them."""
        total = sum(self.fates.values())
        shares = [f"{100 * self.fates.get(each, 0) / total:.1f} %" if total else "" for each in ("mapped", "dropped", "left over")]
        events = " ".join(sorted(self.events))
        return self.structure, events, ", ".join(sorted(self.maps)), self.messages, self.converted, self.valid, total, *shares


class Survey:
    """Converts messages by a library's maps and counts; `told` are sentences about what was refused or is not valid."""

    def __init__(self, library: Library) -> None:
        self.rows: dict[str, Row] = {}
        self.told: list[str] = []
        self._structures = library.structures
        self._convert = library.converter("auto", MapOptions())
        self._explain = library.explain("auto", MapOptions())

    def take(self, content: bytes, name: str, received: datetime) -> None:
        """One message of the file `name`."""
        try:
            message = parse(content)
        except MessageError as error:
            self._row(NO_HL7).messages += 1
            self.told.append(f"{name}: refused: {error}")
            return
        row = self._row(self._structures.structure_of(message) or "none")
        row.messages += 1
        if event := (message.get("MSH-9.2") or "").strip():
            row.events.add(event)
        try:
            self._count(row, message, name, Context(received, identity=Identity(BASE, "corpus")))
        except MessageError as error:
            self.told.append(f"{name}: refused: {error}")

    def _count(self, row: Row, message: Message, name: str, context: Context) -> None:
        converted = self._convert(message, context)
        row.converted += 1
        row.maps.add(self._convert.of(message).map.name)
        if is_valid(converted.bundle):
            row.valid += 1
        else:
            self.told += [f"{name}: not valid: {each.place}: {each.text}" for each in validate(converted.bundle)]
        for fate, count in self._explain.account(message, context).counts.items():
            row.fates[fate] = row.fates.get(fate, 0) + count

    def _row(self, structure: str) -> Row:
        return self.rows.setdefault(structure, Row(structure))

    def table(self) -> list[Row]:
        """The rows by name, what is no HL7 last, and their sum."""
        rows = [self.rows[name] for name in sorted(self.rows, key=lambda name: (name == NO_HL7, name))]
        total = Row("all")
        for row in rows:
            total.messages, total.converted, total.valid = (
                total.messages + row.messages,
                total.converted + row.converted,
                total.valid + row.valid,
            )
            total.fates = {fate: total.fates.get(fate, 0) + row.fates.get(fate, 0) for fate in {**total.fates, **row.fates}}
        return [*rows, total]


def files_below(paths: Iterable[Path]) -> list[Path]:
    """The files named, and the messages in folders."""
    found = []
    for path in paths:
        inside = sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES and each.is_file()) if path.is_dir() else [path]
        found += inside
    return found


def as_markdown(headings: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str]) -> Iterator[str]:
    """A table in Markdown."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join('---:' if each in right else '---' for each in headings)}|"
    for row in rows:
        yield f"| {' | '.join(legible(str(cell)) for cell in row)} |"


@click.command(epilog="Example: flue maps corpus --markdown messages/")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--conf", type=click.Path(exists=True, file_okay=False, path_type=Path), help="With the site's maps of this folder.")
@click.option("--markdown", is_flag=True, help="Print the table in Markdown.")
@click.option("--speed", is_flag=True, help="Measure instead: CPU µs a message, by structure.")
def corpus(paths: tuple[Path, ...], conf: Path | None, markdown: bool, speed: bool) -> None:
    """Convert the messages in PATHS (files, or folders of .hl7 and .bin) and tell by structure what became of them.

    An atom is the smallest piece of a message that says something; each is mapped, dropped with a reason, or left over in the
    ledger.  What was refused or is not valid is told on stderr, file by file.
    """
    from engine.cli.folders import Maps, find

    try:
        library = (find(conf).maps if conf else Maps()).library()
    except ConfigurationError as error:
        fail(str(error))
    files = files_below(paths)
    if not files:
        fail("there is no message in these folders", 2)
    if speed:
        headings, rows, right = ("structure", "messages", "bytes", "CPU µs"), list(speeds(library, files)), ("messages", "bytes", "CPU µs")
    else:
        survey = Survey(library)
        for file in progress(files, "converting"):
            for _, content in messages([file], lambda file, fault: survey.told.append(f"{file}: {fault}")):
                survey.take(content, str(file), written(file))
        for line in survey.told:
            say(legible(line))
        headings, rows, right = HEADINGS, [row.cells() for row in survey.table()], NUMBERS
    if markdown:
        print("\n".join(as_markdown(headings, rows, right)))
    else:
        table(headings, rows, right=right)


def speeds(library: Library, files: Iterable[Path], seconds: float = ENDURANCE) -> Iterator[tuple[str, int, int, int]]:
    """By structure: messages, their mean length in bytes, CPU µs to read and convert one (ledger, parts and facts are made too)."""
    convert = library.converter("auto", MapOptions())
    context = Context(datetime(2024, 1, 15, tzinfo=UTC), timezone="UTC", identity=Identity(BASE, "corpus"))
    of_structure: dict[str, list[bytes]] = {}
    for _, content in messages(files, lambda file, fault: None):
        try:
            message = parse(content)
            convert(message, context)
        except MessageError:
            continue
        of_structure.setdefault(library.structures.structure_of(message), []).append(content)
    for name, contents in sorted(of_structure.items()):
        took = cpu_of(lambda content: convert(parse(content), context), contents, seconds)
        yield name, len(contents), sum(map(len, contents)) // len(contents), round(took)


def cpu_of(convert: Callable[[bytes], object], contents: Sequence[bytes], seconds: float = ENDURANCE, rounds: int = 5) -> float:
    """The least CPU µs a message of some rounds over all of them, each as long as `seconds` in all allows."""
    began = time.process_time()
    for content in contents:
        convert(content)
    once = max(time.process_time() - began, 1e-6)
    times = max(1, int(seconds / rounds / once))
    took = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            for content in contents:
                convert(content)
        took.append(time.process_time() - began)
    return 1e6 * min(took) / times / len(contents)

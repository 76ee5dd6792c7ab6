"""`flue maps`: what the maps are made of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.corpus import corpus
from engine.cli.output import fail, legible, say, table
from transforms.errors import ConfigurationError
from transforms.mapping.definition import MessageMap, Rule, SegmentMap
from transforms.mapping.places import Source

if TYPE_CHECKING:
    from transforms.mapping.library import Library

ROWS = ("implemented", "waived", "open")
NUMBERS = ("rules", "fields read", "dropped", "tests")
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """List the maps: what they follow, read and test."""


command.add_command(corpus)


@command.command(epilog="Example: flue maps coverage --guide v2-to-fhir/tables --open")
@click.option("--conf", type=_FOLDER, help="With the site's maps of this folder over the package's.")
@click.option("--guide", type=_FOLDER, help="Folder of the v2-to-FHIR guide's tables to compare with (segments.csv and so on).")
@click.option("--open", "listed", is_flag=True, help="List the rows of the guide that are neither implemented nor waived.")
def coverage(conf: Path | None, guide: Path | None, listed: bool) -> None:
    """Of each map of the guide: rows implemented, waived with a reason, open (exit 1 if any is).

    Without a guide, of each of our maps: what it makes, its rules, the fields they read, those dropped on purpose, its tests.
    """
    from engine.cli.folders import Maps, find

    try:
        library = (find(conf).maps if conf else Maps()).library()
    except ConfigurationError as error:
        fail(str(error))
    guide = guide or _of_environment()
    if guide is not None:
        _compare(library, guide, listed)
        return
    rows = [_of_segment(each) for each in library.segment_maps.values()] + [_of_message(each) for each in library.message_maps.values()]
    table(("map", "makes", *NUMBERS, "follows"), rows, right=NUMBERS)


def _of_environment() -> Path | None:
    """The guide's tables among the shared data, where somebody said where that is."""
    shared = os.environ.get("FLUE_SHARED")
    folder = Path(shared) / "reference/v2-to-fhir/tables" if shared else None
    return folder if folder and folder.is_dir() else None


def _compare(library: Library, folder: Path, listed: bool) -> None:
    """The table of rows, the open ones if wanted, what is wrong; exit 1 if a row is open or a waiver wrong."""
    from transforms.mapping.coverage import Coverage
    from transforms.mapping.datatypes import datatype_maps
    from transforms.mapping.guide import Guide
    from transforms.mapping.options import MapOptions

    try:
        guide = Guide.read(folder)
    except (OSError, KeyError) as error:
        fail(f"{folder} holds no tables of the guide: {error}", 2)
    kit = library.kit(MapOptions())
    report = Coverage(guide, library.segment_maps, library.message_maps, library.tables, datatype_maps(), kit).report()
    rows = [(each.kind, each.map, each.implemented, each.waived, len(each.open), ", ".join(each.files)) for each in report.counted]
    rows.append(("", "all", *(sum(row[place] for row in rows) for place in (2, 3, 4)), ""))  # type: ignore[misc]
    table(("kind", "map of the guide", *ROWS, "maps"), rows, right=ROWS)
    if listed:
        for each in report.counted:
            for row in each.open:
                print(legible(f"open: {row.name}"))
    for problem in report.problems:
        say(problem)
    if report.open or report.problems:
        fail(f"{report.open} of {guide.count} rows of the guide are open.")


def _of_segment(found: SegmentMap) -> tuple[object, ...]:
    writing = [rule for rule in found.rules if not rule.drop]
    read = {(source.segment, source.field) for rule in writing for source in _sources(rule)}
    dropped = {(source.segment, source.field) for rule in found.rules for source in rule.drop} - read
    return found.name, found.type, len(writing), len(read), len(dropped), len(found.tests), found.follows


def _of_message(found: MessageMap) -> tuple[object, ...]:
    return found.name, f"Bundle of {', '.join(found.messages)}", len(found.makes), "", len(found.drop), len(found.tests), found.follows


def _sources(rule: Rule) -> list[Source]:
    """Every field a rule looks at for its value."""
    actions = [case.action for case in rule.cases]
    named = [*([rule.choose] if rule.choose else []), *(source for action in actions for source in action.sources)]
    return named + [value for action in actions for _, value in action.withs if isinstance(value, Source)]

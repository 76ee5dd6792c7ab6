"""`flue maps`: what the maps are made of."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.output import fail, table
from transforms.errors import ConfigurationError
from transforms.mapping.definition import MessageMap, Rule, SegmentMap
from transforms.mapping.places import Source

NUMBERS = ("rules", "fields read", "dropped", "tests")
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """List the maps: what they follow, read and test."""


@command.command(epilog="Example: flue maps coverage")
@click.option("--conf", type=_FOLDER, help="With the site's maps of this folder over the package's.")
def coverage(conf: Path | None) -> None:
    """Of each map: what it makes, its rules, the fields they read, those dropped on purpose, its tests."""
    from engine.cli.folders import Maps, find

    try:
        library = (find(conf).maps if conf else Maps()).library()
    except ConfigurationError as error:
        fail(str(error))
    rows = [_of_segment(each) for each in library.segment_maps.values()] + [_of_message(each) for each in library.message_maps.values()]
    table(("map", "makes", *NUMBERS, "follows"), rows, right=NUMBERS)


def _of_segment(found: SegmentMap) -> tuple[object, ...]:
    writing = [rule for rule in found.rules if not rule.drop]
    read = {(source.segment, source.field) for rule in writing for source in _sources(rule)}
    dropped = {(source.segment, source.field) for rule in found.rules for source in rule.drop} - read
    return found.name, found.type, len(writing), len(read), len(dropped), len(found.tests), found.follows


def _of_message(found: MessageMap) -> tuple[object, ...]:
    return found.name, f"Bundle of {', '.join(found.messages)}", len(found.makes), "", len(found.drop), len(found.tests), ""


def _sources(rule: Rule) -> list[Source]:
    """Every field a rule looks at for its value."""
    actions = [case.action for case in rule.cases]
    named = [*([rule.choose] if rule.choose else []), *(source for action in actions for source in action.sources)]
    return named + [value for action in actions for _, value in action.withs if isinstance(value, Source)]

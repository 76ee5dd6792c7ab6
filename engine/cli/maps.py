"""`flue maps`: what the maps cover."""

from __future__ import annotations

import click

from engine.cli.output import table


@click.group()
def command() -> None:
    """Show what the maps cover."""


@command.command(epilog="Example: flue maps coverage")
def coverage() -> None:
    """Rules and drops of each map, and the fields it reads."""
    from transforms.mapping.coverage import coverage as of
    from transforms.mapping.library import Library

    table(("map", "rules", "drops", "tests"), ((each.file, each.rules, each.drops, each.tests) for each in of(Library.load())), right=("rules", "drops", "tests"))

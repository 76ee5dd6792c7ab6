"""`flue check`: every problem of engine, channel and map files at once, each at its line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from engine.cli.output import emit, say
from transforms.errors import Problem


@click.command(epilog="Example: flue check conf/ examples/lab_results/channel.yaml")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--schema", is_flag=True, help="Print the JSON Schema of channel files, for editors, and stop.")
def command(paths: tuple[Path, ...], schema: bool) -> None:
    """Lint PATHS and print `file:line:column: code: sentence` for whatever is wrong.

    A path is a folder (default: conf), or one file: a channel, engine.yaml, a map or a table of codes.
    """
    if schema:
        from channels import checks

        emit(json.dumps(checks.schema(), indent=2).encode())
        return
    from engine.cli.folders import find

    problems: set[Problem] = set()
    channels = maps = 0
    for path in paths or (default(),):
        found = find(path)
        problems |= set(found.problems)
        channels += len(found.channels)
        maps += len(found.maps.asked)
    for problem in sorted(problems):
        print(f"{problem}" if problem.severity == "error" else f"{problem} (warning)")
    errors = sum(problem.severity == "error" for problem in problems)
    checked = [_counted(number, noun) for number, noun in ((channels, "channel"), (maps, "map")) if number]
    say(f"{' and '.join(checked) or 'no channel'} checked, {_counted(errors, 'error')}, {_counted(len(problems) - errors, 'warning')}")
    sys.exit(1 if errors else 0)


def default() -> Path:
    """The folder that is meant where none is named; leaves with status 2 where it is not there."""
    if not Path("conf").is_dir():
        raise click.UsageError("there is no folder conf here; name a folder or file")
    return Path("conf")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"

"""`flue check`: every problem of engine, channel and map files at once, each at its line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.cli.output import say


@click.command(epilog="Example: flue check conf/ examples/lab_results/channel.yaml")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--schema", is_flag=True, help="Print the JSON Schema of channel files, for editors, and stop.")
def command(paths: tuple[Path, ...], schema: bool) -> None:
    """Lint PATHS (folders or files; default: conf) and print `file:line:column: code: sentence` for whatever is wrong."""
    from channels import checks, loading
    from engine import configuration

    if schema:
        import json

        print(json.dumps(checks.schema(), indent=2))
        return
    problems, channels = [], 0
    for path in paths or (Path("conf"),):
        if not path.exists():
            say(f"{path}: there is no such file or folder")
            sys.exit(2)
        configured = configuration.load(path) if path.is_dir() else configuration.Configured()
        loaded = loading.load(path, identity=configured.identity)
        problems += [*configured.problems, *loaded.problems]
        channels += len(loaded.channels)
    for problem in sorted(set(problems)):
        print(f"{problem}" if problem.severity == "error" else f"{problem} (warning)")
    errors = sum(problem.severity == "error" for problem in problems)
    say(f"{channels} channel{'s' * (channels != 1)} checked, {errors} error{'s' * (errors != 1)}, {len(problems) - errors} warnings")
    sys.exit(1 if errors else 0)

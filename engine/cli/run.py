"""`flue run`: the engine, in the foreground."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(epilog="Example: flue run --conf examples/lab_results")
@click.option(
    "--conf",
    default="conf",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="engine.yaml, channels, maps.",
)
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Where the store lies; default: data in --conf.")
def command(conf: Path, data: Path | None) -> None:
    """Run the engine until SIGINT or SIGTERM; SIGHUP reads channel files and certificates again."""
    from engine import application

    sys.exit(application.run(conf, data))

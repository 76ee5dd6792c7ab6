"""`flue test`: the tests that channels and maps carry, without network, store or clock."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.cli.output import say


@click.command(epilog="Example: flue test examples/lab_results")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--maps", is_flag=True, help="Also run the tests of the packaged maps.")
@click.option("--verbose", "-v", is_flag=True, help="Name the tests that pass, too.")
def command(paths: tuple[Path, ...], maps: bool, verbose: bool) -> None:
    """Run the tests of the channels and maps in PATHS (default: conf); exit 1 when one fails."""
    from channels import loading, trials

    results, wrong = [], 0
    for path in paths or (() if maps else (Path("conf"),)):
        loaded = loading.load(path)
        for problem in loaded.errors:
            say(str(problem))
            wrong += 1
        for version in loaded.channels:
            results += trials.run(version.channel, version.route, version.located)
            results += _of_maps(version.resources.maps) if version.resources.maps else []
    results += _of_maps({}) if maps else []
    for result in results:
        wrong += not result.passed
        if verbose or not result.passed:
            print(f"{result.file}:{result.line}: {'passed' if result.passed else 'FAILED'}: {result.name}")
        for failure in result.failures:
            print(f"    {failure}")
    say(f"{sum(each.passed for each in results)} passed, {sum(not each.passed for each in results)} failed")
    sys.exit(1 if wrong else 0)


def _of_maps(site: dict[str, str]) -> list:
    from transforms.mapping.library import Library

    return Library.load(site).run_tests()

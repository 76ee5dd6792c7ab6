"""`flue test`: the tests that channels and maps carry, without network, store or clock."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import click

from engine.cli.output import legible, say
from transforms.errors import ConfigurationError


class Result(Protocol):
    """What came of a test, of a channel or a map."""

    name: str
    file: str
    line: int
    failures: tuple[str, ...]


@click.command(epilog="Example: flue test examples/lab_results")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--maps", "packaged", is_flag=True, help="Also, or without PATHS only, run the tests of the packaged maps.")
@click.option("--verbose", "-v", is_flag=True, help="Name the tests that pass, too.")
def command(paths: tuple[Path, ...], packaged: bool, verbose: bool) -> None:
    """Run the tests of the channels and maps in PATHS (folders or files; default: conf); exit 1 when one fails."""
    from engine.cli.check import default
    from engine.cli.folders import find

    results: list[Result] = []
    wrong = 0
    for path in paths or (() if packaged else (default(),)):
        found = find(path)
        for problem in found.errors:
            say(str(problem))
        wrong += len(found.errors)
        try:
            results += [result for version in found.channels for result in _of_channel(version)]
            results += found.maps.run_tests() if found.maps.texts and not found.errors else []
        except ConfigurationError as error:
            say(str(error))
            wrong += 1
    results += _packaged() if packaged else []
    wrong += sum(bool(each.failures) for each in results)
    for line in _lines(results, verbose):
        print(line)
    failed = sum(bool(each.failures) for each in results)
    say(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if wrong else 0)


def _lines(results: list[Result], verbose: bool) -> Iterator[str]:
    for result in results:
        if verbose or result.failures:
            yield f"{result.file}:{result.line}: {'FAILED' if result.failures else 'passed'}: {result.name}"
        yield from (f"    {legible(failure)}" for failure in result.failures)


def _of_channel(version) -> list:  # noqa: ANN001 - a channels.loading.Version
    from channels import trials
    from engine.cli.folders import opened

    ready, _ = opened(version)
    return trials.run(ready.channel, ready.route, ready.located)


def _packaged() -> list:
    from transforms.mapping.library import Library

    return Library.load().test_map()

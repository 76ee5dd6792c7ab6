"""How the commands speak: data on stdout, words on stderr, tables people can read, colours only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from rich.console import Console
from rich.table import Table


def say(words: str) -> None:
    """Words for the person at the terminal, on stderr."""
    print(words, file=sys.stderr, flush=True)


def fail(words: str, status: int = 1) -> NoReturn:
    """Say what is wrong and leave; 1: the input is at fault, 2: the command line is."""
    say(words)
    sys.exit(status)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A table on stdout; columns named in `right` are numbers.  Piped, it is as wide as its longest line."""
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=200, no_color=True)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        shown.add_column(heading, justify="right" if heading in right else "left", no_wrap=heading in right)
    for row in rows:
        shown.add_row(*("" if cell is None else str(cell) for cell in row))
    console.print(shown)


def progress(items: Sequence, what: str) -> Iterable:
    """`items` with a progress bar on stderr, where that is a terminal and there are many."""
    if len(items) < 20 or not sys.stderr.isatty():
        return items
    from rich.progress import track

    return track(items, description=what, console=Console(stderr=True), transient=True)

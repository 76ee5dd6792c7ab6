"""How the commands speak: data on stdout, words on stderr, tables people can read, colours only on a terminal."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from rich.console import Console
from rich.table import Table

WIDEST = 10_000  # columns of a table that no terminal shows: nothing is folded there


def say(words: str) -> None:
    """Words for the person at the terminal, on stderr."""
    print(words, file=sys.stderr, flush=True)


def fail(words: str, status: int = 1) -> NoReturn:
    """Say what is wrong and leave; 1: the input is at fault, 2: the command line is."""
    say(words)
    sys.exit(status)


def emit(line: bytes) -> None:
    """A line of data on stdout, in the bytes it has, whatever the terminal's encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(line + b"\n")


def legible(text: str) -> str:
    """Text of a message for a terminal: characters that would steer it are shown, not obeyed."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def spoken(error: OSError) -> str:
    """What a network error says, in words."""
    inner = getattr(error, "reason", None)
    reason = inner if isinstance(inner, OSError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {reason.verify_message}"
    if isinstance(reason, ssl.SSLError):
        return f"TLS failed: {(reason.reason or str(reason)).lower().replace('_', ' ')}"
    if isinstance(reason, TimeoutError):
        return str(reason) if str(reason).startswith("no answer") else "no answer in time"
    return getattr(reason, "strerror", "") or str(reason)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A table on stdout; columns named in `right` are numbers.  Piped, it is as wide as its longest line."""
    terminal = sys.stdout.isatty()
    console = Console(highlight=False, markup=False, emoji=False, width=None if terminal else WIDEST, no_color=None if terminal else True)
    shown = Table(box=None, pad_edge=False, header_style="bold" if terminal else "")
    for heading in headings:
        shown.add_column(heading, justify="right" if heading in right else "left", no_wrap=heading in right)
    for row in rows:
        shown.add_row(*("" if cell is None else legible(str(cell)) for cell in row))
    console.print(shown)


def progress(items: Sequence, what: str) -> Iterable:
    """`items` with a progress bar on stderr, where that is a terminal and there are many."""
    if len(items) < 20 or not sys.stderr.isatty():
        return items
    from rich.progress import track

    return track(items, description=what, console=Console(stderr=True), transient=True)

"""Names that were probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """The known name that `word` is nearest to, if any is near: a list of one, or empty."""
    lowered = {each.lower(): each for each in sorted(known)}
    return [lowered[each] for each in get_close_matches(word.lower()[:64], lowered, n=1, cutoff=0.6)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean …?)`, or nothing where no known name is near."""
    near = nearest(word, known)
    return f" (did you mean `{near[0]}`?)" if near else ""


def enumerated(known: Iterable[str], last: str = "or") -> str:
    """`a, b or c`."""
    known = list(known)
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} {last} {known[-1]}" if known else "nothing"

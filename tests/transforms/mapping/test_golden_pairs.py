"""Messages with the bundles that other converters make of them: how far ours agree, and who follows the guide where they do not.

The reasons stand in `golden_reasons.csv`: patterns of source, resource, path, kind of difference and value, the first that fits
counts; `follows` says who does as the guide (with our rules over it) wants: we, they, or neither, where it leaves it open.
`python -m tests.transforms.mapping.test_golden_pairs` prints what is not explained.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.transforms.mapping.golden import Comparison, Difference, compare
from transforms.document import Context, Identity
from transforms.fhir.serialization import loads
from transforms.hl7.batch import split_messages
from transforms.hl7.message import parse
from transforms.mapping.library import Library

pytestmark = pytest.mark.shared

CONTEXT = Context(datetime(2026, 1, 1, tzinfo=timezone.utc), identity=Identity("https://site.example/ids", "golden"))
KEYS = ("source", "resource", "path", "kind", "value")
LEAST = {"ms": (0.38, 0.98), "ti": (0.36, 0.98), "gcp": (0.33, 0.95)}
"""Source -> share of their leaves that ours has just so, and share that ours has or that is explained."""


class Reason(NamedTuple):
    """Why some differences are as they are."""

    pattern: tuple[str, ...]
    follows: str
    reason: str


@cache
def reasons() -> list[Reason]:
    with (Path(__file__).parent / "golden_reasons.csv").open(newline="", encoding="utf-8") as file:
        return [Reason(tuple(row[key] for key in KEYS), row["follows"], row["reason"]) for row in csv.DictReader(file)]


def explained(source: str, difference: Difference) -> Reason | None:
    said = (source, difference.resource, difference.path, difference.kind, difference.value)
    return next((each for each in reasons() if all(map(fnmatchcase, said, each.pattern))), None)


def compared(shared: Path) -> dict[tuple[str, str], Comparison]:
    """Every pair, by source and name."""
    convert = Library.load().converter()
    found = {}
    for file in sorted((shared / "corpus" / "pairs").rglob("*.fhir.json")):
        name = file.name.removesuffix(".fhir.json")
        messages = split_messages((file.parent / f"{name}.hl7").read_bytes())
        ours = {"entry": [entry for each in messages for entry in convert(parse(each), CONTEXT).bundle["entry"]]}
        found[file.parent.name, name] = compare(loads(file.read_bytes()), ours)
    return found


def tally(pairs: dict[tuple[str, str], Comparison]) -> dict[str, Counter[str]]:
    """Source -> leaves in all, agreed, and who follows the guide in the others; `unexplained` where nothing is said."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for (source, _), comparison in pairs.items():
        counts[source] += Counter(all=comparison.total, agreed=comparison.agreed)
        for difference in comparison.differences:
            reason = explained(source, difference)
            counts[source][reason.follows if reason else "unexplained"] += 1
    return counts


def test_bundles_agree_or_there_is_a_reason(shared: Path) -> None:
    """Of each source enough leaves are the same, and nearly all others have a reason."""
    pairs = compared(shared)
    assert len(pairs) > 85
    counts = tally(pairs)
    for source, (agreed, known) in LEAST.items():
        count = counts[source]
        print(source, dict(count), round(count["agreed"] / count["all"], 3))
        assert count["agreed"] / count["all"] >= agreed, source
        assert 1 - count["unexplained"] / count["all"] >= known, source


def test_every_reason_is_needed(shared: Path) -> None:
    """A reason that explains nothing says something of ours that is no longer so."""
    used = {explained(source, each) for (source, _), pair in compared(shared).items() for each in pair.differences}
    assert [each for each in reasons() if each not in used] == []
    assert {each.follows for each in reasons()} <= {"we", "they", "neither"}


def _print_unexplained(shared: Path, most: int) -> None:
    pairs = compared(shared)
    for source, count in tally(pairs).items():
        print(source, {key: f"{number} ({number / count['all']:.1%})" for key, number in count.items()})
    found: Counter[tuple[str, ...]] = Counter()
    example: dict[tuple[str, ...], str] = {}
    for (source, name), pair in pairs.items():
        for each in pair.differences:
            if explained(source, each) is None:
                key = (source, each.resource, each.path, each.kind)
                found[key] += 1
                example.setdefault(key, f"{name}: {each.value}")
    for key, number in found.most_common(most):
        print(number, *key, "|", example[key])


if __name__ == "__main__":
    _print_unexplained(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)

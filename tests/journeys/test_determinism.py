"""Same in, same out: processes with other hash seeds, time zones and locales make the same bytes of the same messages."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.journeys.engine_process import FLUE
from tests.journeys.peers import ROOT

pytestmark = pytest.mark.journey

SURROUNDINGS = (
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C", "LANG": "C"},
    {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "4242", "TZ": "America/St_Johns", "PYTHONUTF8": "1", "PYTHONOPTIMIZE": "1"},
)
WAYS = ((), ("--zone", "Europe/Zurich"), ("--explain",), ("--ledger",))


def converted(files: list[Path], way: tuple[str, ...], surroundings: dict[str, str]) -> bytes:
    """What `flue convert` prints of the files, in a process and a working directory of its own."""
    with tempfile.TemporaryDirectory() as elsewhere:
        environment = {**os.environ, **surroundings, "PYTHONPATH": str(ROOT)}
        command = [*FLUE, "convert", "--identity-base", "https://site.example/id", *way, *map(str, files)]
        done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr.decode()[-2000:]
    return done.stdout


def check(files: list[Path], way: tuple[str, ...], least: int) -> None:
    """The same bytes, of at least so many lines, wherever they are made."""
    first, *others = [converted(files, way, each) for each in (SURROUNDINGS[:2] if way else SURROUNDINGS)]
    assert len(first.splitlines()) >= least
    for other in others:
        assert first == other


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "".join(way) or "plain")
def test_the_examples_are_the_same_everywhere(way: tuple[str, ...]) -> None:
    """Bundles, provenance and ledger of the example feed."""
    check(sorted((ROOT / "examples" / "lab_results" / "messages").glob("*.hl7")), way, 0 if "--ledger" in way else 4)


@pytest.mark.shared
@pytest.mark.parametrize("way", WAYS, ids=lambda way: "".join(way) or "plain")
def test_the_corpus_is_the_same_everywhere(way: tuple[str, ...], shared: Path) -> None:
    """So with every result message of the corpus, and what nobody can convert."""
    folders = [shared / "corpus" / folder for folder in ("oru", "oul", "charset", "malformed")]
    files = [file for folder in folders for file in sorted(folder.glob("*.hl7"))]
    check(files[::10] if "--explain" in way else files, way, 8 if "--explain" in way else 87)  # explaining tries every text: it takes its time


@pytest.mark.shared
def test_the_order_of_messages_does_not_matter(shared: Path) -> None:
    """Nothing of a message is remembered that the next one shows: read in the other order, each gives the same bundle."""
    files = sorted((shared / "corpus" / "oru").glob("*.hl7"))
    forwards = converted(files, (), SURROUNDINGS[0]).splitlines()
    backwards = converted(files[::-1], (), SURROUNDINGS[1]).splitlines()
    assert forwards == backwards[::-1]
    assert sum(json.loads(line)["resourceType"] == "Bundle" for line in forwards) >= len(files) - 2

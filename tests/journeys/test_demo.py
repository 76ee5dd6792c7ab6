"""The two commands and the README: what a newcomer types works, on the ports the page names."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
FLUE = [sys.executable, "-m", "engine.cli.main"]

pytestmark = pytest.mark.journey


def blocks(language: str) -> list[str]:
    """The fenced blocks of the README in `language`."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_demo_delivers_everything_and_shows_it(tmp_path: Path) -> None:
    """`make demo ONCE=1` prints a line for each message and each Observation, and exits 0."""
    done = subprocess.run(["make", "demo", "ONCE=1"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    for number in range(1, 5):
        assert f"LAB0000{number} AA" in done.stdout
    assert re.search(r"LAB00001\s+A\.K\.\s+2823-3\s+Potassium\s+5\.6\s+mmol/L\s+H\s+final", done.stdout)
    assert re.search(r"LAB00003\s+L\.D\.\s+718-7\s+Hemoglobin\s+12\.6\s+g/dL\s+L\s+corrected", done.stdout)
    assert "Keller" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def engine() -> Iterator[None]:
    """The example engine, with its sink, on the default ports."""
    sink = subprocess.Popen([*FLUE, "sink", "--port", "8090", "--folder", str(ROOT / "examples/lab_results/data/received")])
    import os

    running = subprocess.Popen(
        [*FLUE, "run", "--conf", "examples/lab_results"], cwd=ROOT, env={**os.environ, "FLUE_FHIR_URL": "http://127.0.0.1:8090/fhir"}
    )
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            urllib.request.urlopen("http://127.0.0.1:8080/ready", timeout=2).close()
            break
        except OSError:
            time.sleep(0.1)
    yield
    for each in (running, sink):
        each.send_signal(signal.SIGTERM)
        each.wait(20)


def commands() -> list[str]:
    """The `flue` commands of the README but those that run for ever or measure."""
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("flue ") and not line.startswith(("flue run", "flue bench"))]


@pytest.mark.parametrize("line", commands())
def test_commands_of_the_readme_work(line: str, engine: None) -> None:
    """Every command the README shows ends with exit status 0 beside the running example."""
    done = subprocess.run([*FLUE, *line.split()[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr

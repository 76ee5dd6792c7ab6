"""The two commands and the READMEs: what a newcomer types works, on the ports the pages name."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [(ROOT / name).read_text() for name in ("README.md", "examples/lab_results/README.md")]
FLUE = [sys.executable, "-m", "engine.cli.main"]
RUN_FOR_EVER = ("run", "sink", "demo", "bench")

pytestmark = pytest.mark.journey


def test_demo_delivers_everything_and_shows_it() -> None:
    """`make demo ONCE=1` prints a line for each message and each Observation, and exits 0; a second time as well."""
    for _ in range(2):
        done = subprocess.run(["make", "demo", "ONCE=1"], cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        for number in range(1, 5):
            assert f"LAB0000{number} AA" in done.stdout
        assert re.search(r"LAB00001\s+A\.K\.\s+2823-3\s+Potassium\s+5\.6\s+mmol/L\s+H\s+final", done.stdout)
        assert re.search(r"LAB00003\s+L\.D\.\s+718-7\s+Hemoglobin\s+12\.6\s+g/dL\s+L\s+corrected", done.stdout)
        assert "Keller" not in done.stdout + done.stderr


def test_demo_keeps_serving_until_it_is_stopped() -> None:
    """Then it stops what it started; where a port is taken, it says which and starts nothing."""
    demo = subprocess.Popen([*FLUE, "demo"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert demo.stderr is not None
    assert any("Ctrl-C stops" in line for line in demo.stderr)
    second = subprocess.run([*FLUE, "demo", "--once"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1 and "something listens on port 2575 already" in second.stderr
    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=30)
    for port in (2575, 8080, 8090):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)), f"somebody still listens on {port}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example engine with an empty store, and its sink, on the default ports."""
    folder = tmp_path_factory.mktemp("example")
    environment = {**os.environ, "FLUE_FHIR_URL": "http://127.0.0.1:8090/fhir"}
    sink = subprocess.Popen([*FLUE, "sink", "--port", "8090", "--folder", str(folder / "received")], cwd=ROOT)
    command = [*FLUE, "run", "--conf", "examples/lab_results", "--data", str(folder / "data")]
    running = subprocess.Popen(command, cwd=ROOT, env=environment)
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
    """The `flue` commands of the pages, in their order, but those that run for ever or measure."""
    lines = [line.split("  #")[0].strip() for page in PAGES for block in re.findall(r"```sh\n(.*?)```", page, re.S) for line in block.splitlines()]
    return [line for line in lines if line.startswith("flue ") and line.split()[1] not in RUN_FOR_EVER]


def test_commands_of_the_pages_work(engine: None) -> None:
    """Every command ends with exit status 0 beside the running example, one after the other."""
    assert len(commands()) > 15
    for line in commands():
        said = ""
        for piece in line.split("|"):
            done = subprocess.run([*FLUE, *shlex.split(piece)[1:]], cwd=ROOT, input=said, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            said = done.stdout


def test_a_replay_does_not_undo_a_correction(engine: None) -> None:
    """What the example's page says of its messages 02 and 03 is so."""
    messages = [str(file) for file in sorted((ROOT / "examples/lab_results/messages").glob("0[23]*.hl7"))]
    subprocess.run([*FLUE, "send", "mllp://127.0.0.1:2575", *messages], cwd=ROOT, check=True, timeout=60)
    found = subprocess.run([*FLUE, "messages", "search", "--control-id", "LAB00002", "--json"], cwd=ROOT, check=True, capture_output=True, text=True)
    id = re.findall(r'"id":(\d+)', found.stdout)[-1]
    subprocess.run([*FLUE, "replay", "--id", id], cwd=ROOT, check=True, timeout=60)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        done = subprocess.run(
            [*FLUE, "messages", "search", "--delivery-status", "superseded"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        if "LAB00002" in done.stdout:
            return
        time.sleep(0.2)
    raise AssertionError("the replay of the preliminary report was not superseded")

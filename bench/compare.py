"""Engine and floor under the same load in the same run: delivered a second, ACK latency, CPU, memory, start-up.

CPU and memory are summed over the process and its children.  Rounds alternate, so that a noisy machine is noisy for both.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.load import send

TICK = os.sysconf("SC_CLK_TCK")
CHANNEL = """\
channel: bench
source:
  mllp: {{ listen: "tcp:{port}:interface=127.0.0.1" }}
timezone: America/New_York
identity: {{ base: "https://bench.example/id", secret: "${{env:FLUE_IDENTITY_SECRET:-bench}}" }}
transform:
  - map_to_fhir: {{ map: ORU_R01 }}
  - validate
destinations:
  - name: sink
    fhir: {{ url: "{url}" }}
"""


@dataclass(frozen=True)
class Figures:
    """One round of one program."""

    delivered_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float
    memory_mb: float
    ready_s: float
    lost: int


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    found, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        found.append(each)
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            waiting += map(int, task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the family, ended children included."""
    total = 0
    for each in family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += sum(map(int, fields[11:15]))
    return total / TICK


def memory_mb(pid: int) -> float:
    """Resident memory of the family in MB."""
    lines = (line for each in family(pid) for line in Path(f"/proc/{each}/status").read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextmanager
def running(*command: str, **options: object) -> Iterator[subprocess.Popen]:
    """A child that is stopped when the block ends."""
    child = subprocess.Popen(command, **options)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def listening(child: subprocess.Popen, port: int, seconds: float = 30) -> float:
    """Seconds until somebody accepts on `port`; raises TimeoutError, also where the child ended."""
    began = time.perf_counter()
    while time.perf_counter() - began < seconds and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return time.perf_counter() - began
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"nobody listens on {port}")


def stats(sink: str, path: str = "/stats") -> dict:
    """What the sink counted."""
    with urllib.request.urlopen(sink + path, timeout=10) as answer:
        return json.load(answer)


def measure(child: subprocess.Popen, port: int, sink: str, connections: int, total: int) -> Figures:
    """One round: wait until it listens, warm up, load it, wait until all is delivered."""
    ready = listening(child, port)
    asyncio.run(send("127.0.0.1", port, connections, max(200, total // 20)))
    time.sleep(0.5)
    stats(sink, "/reset")
    before, began = cpu_seconds(child.pid), time.time()
    load = _load(port, connections, total)
    until = time.time() + 120
    while stats(sink)["unique"] < load["acknowledged"] and time.time() < until:
        time.sleep(0.05)
    time.sleep(0.3)
    seen = stats(sink)
    return Figures(
        delivered_per_s=seen["unique"] / max(0.001, seen["last"] - began), p50_ms=load["p50_ms"], p95_ms=load["p95_ms"], p99_ms=load["p99_ms"],
        cpu_ms=1000 * (cpu_seconds(child.pid) - before) / max(1, load["acknowledged"]), memory_mb=memory_mb(child.pid), ready_s=ready,
        lost=total - seen["unique"],
    )  # fmt: skip


def _load(port: int, connections: int, total: int) -> dict:
    command = [sys.executable, "-m", "bench.load", "--port", str(port), "--connections", str(connections), "--total", str(total)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def round_of(program: str, connections: int, total: int) -> Figures:
    """`engine` or `floor`, started fresh with an empty store, measured, stopped."""
    port, python = free_port(), sys.executable
    with tempfile.TemporaryDirectory(prefix="flue-bench-") as name, running(python, "-m", "bench.sink", stdout=subprocess.PIPE) as sink:
        url = f"http://127.0.0.1:{int(sink.stdout.readline())}"
        if program == "floor":
            command = [python, "-m", "bench.floor", str(port), url]
        else:
            folder = Path(name)
            (folder / "channel.yaml").write_text(CHANNEL.format(port=port, url=url))
            (folder / "engine.yaml").write_text(f'http:\n  listen: "tcp:{free_port()}:interface=127.0.0.1"\n')
            command = [python, "-m", "engine.cli.main", "run", "--conf", name]
        with running(*command, stdout=subprocess.DEVNULL) as child:
            return measure(child, port, url, connections, total)


def middle(figures: list[Figures]) -> Figures:
    """The median of each column."""
    return Figures(*(median(column) for column in zip(*(tuple(vars(each).values()) for each in figures), strict=True)))

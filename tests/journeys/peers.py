"""Peers nobody here wrote: where they are, how they are installed, and what happens when they cannot be.

The Node ones are installed with npm from tests/journeys/node/package.json into `.peers` at the top of the checkout, once; FLUE_PEERS
names another folder that has them.  Where a peer cannot be had, its journey is skipped, and a table at the end of the run says so;
with FLUE_PEERS_REQUIRED set, as `.ci/run` does, the journey fails instead.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "node"

not_run: dict[str, str] = {}
"""Peer -> why it could not be had; shown when the run ends."""


def unavailable(peer: str, why: str) -> None:
    """Skip the test for want of a peer, loudly."""
    not_run[peer] = why
    if os.environ.get("FLUE_PEERS_REQUIRED"):
        pytest.fail(f"{peer} is required and not there: {why}", pytrace=False)
    pytest.skip(f"{peer} is not there: {why}")


@cache
def _installed() -> tuple[Path | None, str]:
    """The folder that has node_modules, or None and the reason."""
    elsewhere = os.environ.get("FLUE_PEERS")
    folder, wanted = Path(elsewhere or ROOT / ".peers"), SCRIPTS / "package.json"
    complete = (folder / "node_modules" / ".package-lock.json").exists()  # npm writes it last
    if complete and (elsewhere or _same(folder / "package.json", wanted)):
        return folder, ""
    npm = shutil.which("npm")
    if npm is None:
        return None, "npm is not installed"
    folder.mkdir(exist_ok=True)
    shutil.copy(wanted, folder)
    install = [npm, "install", "--legacy-peer-deps", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        return None, "npm install takes longer than ten minutes"
    if done.returncode:
        return None, f"npm install fails: {' '.join(done.stderr.split()[:12])}"
    return folder, ""


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.read_bytes() == other.read_bytes()


def node(peer: str, script: str, *arguments: str) -> tuple[list[str], Mapping[str, str]]:
    """The command that runs a script of tests/journeys/node, and the environment it wants."""
    folder, why = _installed()
    if folder is None:
        unavailable(peer, why)
        raise AssertionError
    own = folder / "node_modules" / "node" / "bin" / "node"  # some peers want a newer Node than systems have
    binary = str(own) if own.exists() else shutil.which("node")
    if binary is None:
        unavailable(peer, "node is not installed")
        raise AssertionError
    return [binary, str(SCRIPTS / script), *arguments], {**os.environ, "NODE_PATH": str(folder / "node_modules")}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Running:
    """A peer's process; its lines are gathered as they come.  Used with `with`."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, ready: str = "up", within: float = 30.0
    ) -> None:
        """Starts it, and waits until it has printed a line that begins with `ready`."""
        self.lines: list[str] = []
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_for(lambda: any(line.startswith(ready) for line in self.lines), within)
        except BaseException:
            self.stop()
            raise

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, happened: Callable[[], bool], within: float = 10.0) -> None:
        """Wait until `happened()`; AssertionError with what the process printed when it does not."""
        until = time.monotonic() + within
        while not happened():
            assert time.monotonic() < until and self._process.poll() is None, f"the peer is not ready: {self.lines}"
            time.sleep(0.02)

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

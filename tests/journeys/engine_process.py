"""An engine that really runs: a process of its own with a folder of its own, asked from outside as people and senders do.

    with EngineProcess(tmp_path, laboratory(server.url)) as engine, engine.line() as line:
        assert line.send(message) == "AA"
        engine.settled()

Ports are whatever is free.  Nothing here imports the engine: what it says is read as a stranger reads it.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.journeys.peers import ROOT

FLUE = (sys.executable, "-m", "engine.cli.main")
START, END = b"\x0b", b"\x1c\r"
READY = re.compile(r"ready: (.*); HTTP on (\d+)$", re.M)

Channel = dict[str, Any]


def laboratory(url: str, **options: Any) -> Channel:
    """A channel as a laboratory would declare it: MLLP in, FHIR out.

    `fhir` adds options of the connector, `retry` its waits; others are the channel's.
    """
    fhir = {"url": url, **options.pop("fhir", {})}
    retry = {"attempts": 10, "first": "100ms", "longest": "1s", **options.pop("retry", {})}
    return {
        "channel": "lab",
        "source": {"mllp": {"listen": "tcp:0:interface=127.0.0.1"}},
        "timezone": "Europe/Zurich",
        "identity": {"base": "https://site.example/id", "secret": "${env:FLUE_IDENTITY_SECRET:-only for journeys}"},
        "transform": [{"map_to_fhir": {"map": "ORU_R01"}}, "validate"],
        "destinations": [{"name": "repository", "fhir": fhir, "retry": retry}],
        **options,
    }


class EngineProcess:
    """The running engine.  Used with `with`, or started and stopped by hand; what it stored stays in its folder."""

    def __init__(self, folder: Path, *channels: Channel, environment: Mapping[str, str] | None = None) -> None:
        """Start it, and wait until it is ready."""
        self.folder, self.log = folder, folder / "engine.log"
        self.environment = dict(environment or {})
        self.ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "channels").mkdir(exist_ok=True)
        (folder / "engine.yaml").write_text('http: { listen: "tcp:0:interface=127.0.0.1" }\n')
        for channel in channels:
            self.declare(channel)
        self.start()

    def declare(self, channel: Channel) -> Path:
        """Write a channel's file; `reload` makes it take effect."""
        file = self.folder / "channels" / f"{channel['channel']}.yaml"
        file.write_text(json.dumps(channel, indent=1))
        return file

    # -- life

    def start(self, within: float = 30.0, **environment: str) -> None:
        """Start (again), and wait until it says that it is ready."""
        before = len(READY.findall(self.said())) if self.log.exists() else 0
        with self.log.open("ab") as log:
            surroundings = {**os.environ, **self.environment, **environment}
            command = [*FLUE, "run", "--conf", str(self.folder)]
            self._process = subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=log, stderr=log)
        try:
            self.wait_for(lambda: len(READY.findall(self.said())) > before, within)
        except BaseException:
            self.kill()
            raise
        listening, self.http = READY.findall(self.said())[-1]
        self.ports = {name: int(port) for name, port in re.findall(r"([\w.-]+) on (\d+)", listening)}
        self.url = f"http://127.0.0.1:{self.http}"

    def stop(self, within: float = 30.0) -> int:
        """Ask it to stop; its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(within)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def alive(self) -> bool:
        """Whether the process that was started is still there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def memory(self, which: str = "VmRSS") -> float:
        """Resident memory now (`VmHWM`: at most so far), in megabytes."""
        found = re.search(rf"^{which}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.M)
        assert found
        return int(found[1]) / 1024

    def said(self) -> str:
        """Its log, of all its lives."""
        return self.log.read_text(errors="replace")

    def __enter__(self) -> EngineProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """Stop it; a test that passed so far wants it to have lived until now, and to end well."""
        if kind is not None or not self.alive:
            self.kill()
            assert kind is not None, f"the engine is gone:\n{self.said()[-2000:]}"
            return
        try:
            assert self.stop() == 0, self.said()[-2000:]
        finally:
            self.kill()

    def wait_for(self, happened: Callable[[], Any], within: float = 20.0, every: float = 0.02) -> Any:
        """Wait until `happened()` gives something; AssertionError with the end of the log when it does not."""
        until = time.monotonic() + within
        while not (found := happened()):
            assert self.alive, f"the engine is gone:\n{self.said()[-3000:]}"
            assert time.monotonic() < until, f"it did not happen within {within:.0f} s:\n{self.said()[-3000:]}"
            time.sleep(every)
        return found

    def refresh(self) -> None:
        """Learn where the channels listen, after a reload."""
        self.ports = {each["name"]: each["port"] for each in self.api("GET", "/v1/channels")["channels"]}

    # -- doors

    def line(self, channel: str = "lab", timeout: float = 20.0) -> Line:
        """A connection of a sender."""
        return Line(self.ports[channel], timeout)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """What the HTTP door answers; 4xx and 5xx answers too."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return json.loads(error.read())

    def flue(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """A `flue` command beside the running engine."""
        environment = {**os.environ, "FLUE_URL": self.url}
        return subprocess.run([*FLUE, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout)

    def messages(self, **search: Any) -> list[dict[str, Any]]:
        """Messages that a search finds, newest first."""
        return self.api("POST", "/v1/messages/search", {"limit": 1000, **search})["messages"]

    def message(self, id: int) -> dict[str, Any]:
        """One message whole."""
        found = self.api("GET", f"/v1/messages/{id}")
        assert "status" in found, found
        return found

    def latest(self, control_id: str) -> dict[str, Any]:
        """The newest message with a control id, whole."""
        return self.message(self.messages(control_id=control_id)[0]["id"])

    def deliveries(self, id: int) -> dict[str, str]:
        """Destination (with part, where there are several) -> status of a message's deliveries."""
        rows = self.message(id)["deliveries"]
        return {row["destination"] + (f"/{row['part']}" if len(rows) > 1 else ""): row["status"] for row in rows}

    def counts(self) -> dict[str, int]:
        """Messages by status, of all channels."""
        found: dict[str, int] = {}
        for row in self.api("GET", "/v1/store")["messages"]:
            found[row["status"]] = found.get(row["status"], 0) + row["count"]
        return found

    def settled(self, within: float = 20.0) -> None:
        """Wait until nothing is on its way any more."""
        self.wait_for(lambda: not self.counts().get("received"), within)

    def replay(self, *ids: int, **options: Any) -> list[int]:
        """Send messages again; the ids they have now, when those are settled."""
        replayed = self.api("POST", "/v1/replay", {"ids": list(ids), **options})
        assert "replayed" in replayed, replayed
        self.settled()
        return [each["id"] for each in replayed["replayed"]]


class Line:
    """A sender's MLLP connection, with nothing of ours in it."""

    def __init__(self, port: int, timeout: float = 20.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        self._socket.sendall(data)

    def push(self, message: bytes) -> None:
        """A message in its frame; its answer is left for later."""
        self.write(START + message + END)

    def read(self) -> bytes:
        """The next answer, without its frame.  ConnectionError where the engine hung up."""
        while END not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the engine hung up")
            self._buffer += data
        answer, _, self._buffer = self._buffer.partition(END)
        assert answer[:1] == START, answer[:20]
        return answer[1:]

    def waiting(self, seconds: float = 0.0) -> bool:
        """Whether there is something to read: an answer, or the end."""
        return bool(self._buffer) or bool(select.select([self._socket], [], [], seconds)[0])

    def ask(self, message: bytes) -> bytes:
        """Send a message; its answer."""
        self.push(message)
        return self.read()

    def send(self, message: bytes) -> str:
        """Send a message; its acknowledgment code."""
        return code(self.ask(message))

    def finish(self) -> None:
        """Send no more; answers can still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def fields(answer: bytes, segment: str) -> list[str]:
    """A segment of an answer, cut into fields; empty where there is none."""
    for line in answer.decode("utf-16" if answer[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1").split("\r"):
        if line.startswith(segment):
            return line.split(line[3])
    return []


def code(answer: bytes) -> str:
    """MSA-1 of an answer."""
    return fields(answer, "MSA")[1]

"""`flue demo`: the example feed end to end: engine, real MLLP, a receiver, and a table of what came out.

Prints `CONTROL-ID CODE` for every message.  Shows patients by initials only.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from engine.cli.files import messages
from engine.cli.output import fail, say, table
from engine.cli.send import open_line
from transforms.fhir.serialization import loads
from transforms.hl7.message import parse

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "lab_results"
DOOR, MLLP, SINK = "http://127.0.0.1:8080", "mllp://127.0.0.1:2575", 8090
MINE = (2575, 8080)  # ports of the example
SETTLED = {"sent", "filtered", "error", "held", "partly_sent"}


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen]:
    """A `flue` process that is stopped, politely, when the block ends."""
    running = subprocess.Popen([sys.executable, "-m", "engine.cli.main", *arguments], env={**os.environ, **environment}, cwd=Path.cwd())
    patience = 0.0
    try:
        yield running
    except (KeyboardInterrupt, SystemExit):
        patience = 2.0  # the terminal may have told it already, and a second signal would cut it off
        raise
    finally:
        _stop(running, patience)


def _stop(running: subprocess.Popen, patience: float) -> None:
    for signal_after in (patience, 20):
        try:
            running.wait(signal_after)
            return
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGTERM)
    running.kill()


def must_be_free(*ports: int) -> None:
    """Leave with status 1 where somebody listens on one of the ports: it might be another engine, with real patients."""
    for port in ports:
        with socket.socket() as probe:
            probe.settimeout(1)
            if not probe.connect_ex(("127.0.0.1", port)):
                fail(f"something listens on port {port} already, which the demo needs; stop it first")


def ask(path: str, body: dict | None = None) -> dict:
    """The answer of the engine's own API, as JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(DOOR + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return loads(answer.read())


def wait_until_ready(engine: subprocess.Popen, seconds: float = 20) -> None:
    """Return when /ready says so; leave with status 1 when the engine stops or does not get there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if engine.poll() is not None:
            fail("the engine did not start; its own words are above")
        try:
            urllib.request.urlopen(DOOR + "/ready", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    fail("the engine was not ready in time")


def send_all(files: tuple[Path, ...]) -> list[str]:
    """Send every message, print `CONTROL-ID CODE`, return the control ids in order."""
    line, sent = open_line(MLLP, 30), []
    for _, content in messages(files, lambda file, fault: print(f"{file}: {fault}", file=sys.stderr)):
        for answer in line.send(content):
            print(answer.control_id, answer.code, flush=True)
            sent.append(answer.control_id)
    line.close()
    return sent


def delivered(control_ids: list[str], seconds: float = 60) -> list[dict]:
    """The messages as the engine keeps them, once all are settled; leaves with status 1 when they are not in time."""
    until = time.monotonic() + seconds
    while True:
        found = [_latest(control_id) for control_id in control_ids]
        if all(each and each["status"] in SETTLED for each in found):
            return found
        if time.monotonic() > until:
            fail("not everything was delivered in time; `flue messages list` shows what waits and why")
        time.sleep(0.1)


def _latest(control_id: str) -> dict | None:
    messages = ask("/v1/messages/search", {"control_id": control_id, "limit": 1})["messages"]
    return ask(f"/v1/messages/{messages[0]['id']}") if messages else None


def observations(message: dict) -> Iterator[tuple[str, ...]]:
    """(message, initials, code, name, value, unit, flag, status) for each Observation that was sent."""
    initials = _initials(base64.b64decode(message["content_base64"]))
    for delivery in message["deliveries"]:
        sent = delivery.get("content") or {}
        bundles = sent if isinstance(sent, list) else [sent]  # a large one goes in several
        for each in (entry["resource"] for bundle in bundles for entry in bundle.get("entry", ()) if "resource" in entry):
            if each["resourceType"] == "Observation":
                coding = (each.get("code", {}).get("coding") or [{}])[0]
                value, unit = _value(each)
                flags = " ".join(coded.get("code", "") for flag in each.get("interpretation", ()) for coded in flag.get("coding", ()))
                yield (
                    message["control_id"],
                    initials,
                    coding.get("code", ""),
                    coding.get("display", ""),
                    value,
                    unit,
                    flags,
                    each["status"],
                )


def _initials(content: bytes) -> str:
    message = parse(content)
    return "".join(name[0] + "." for name in (message.get("PID-5.2"), message.get("PID-5.1")) if name)


def _value(observation: dict) -> tuple[str, str]:
    quantity = observation.get("valueQuantity")
    if quantity:
        return f"{quantity.get('comparator', '')}{quantity.get('value', '')}", quantity.get("unit", "")
    concept = observation.get("valueCodeableConcept")
    if concept:
        return concept.get("text") or (concept.get("coding") or [{}])[0].get("display", ""), ""
    found = next((value for key, value in observation.items() if key.startswith("value")), "")
    return str(found).replace("\n", " / ")[:60], ""


@click.command(epilog="Example: flue demo --once")
@click.option("--once", is_flag=True, help="Stop when everything is delivered, instead of serving on.")
@click.option("--conf", default=EXAMPLE, type=click.Path(exists=True, file_okay=False, path_type=Path), help="The example to run.")
def command(once: bool, conf: Path) -> None:
    """Start the engine with the laboratory example, send its messages over MLLP, and show what came out."""
    url = os.environ.get("FLUE_FHIR_URL")
    received = conf / "data" / "received"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    must_be_free(*MINE, *(() if url else (SINK,)))
    try:
        if url:
            _run(conf, url, f"the FHIR server at {url}", once)
        else:
            with process("sink", "--port", str(SINK), "--folder", str(received)):
                _run(conf, f"http://127.0.0.1:{SINK}/fhir", str(received), once)
    except KeyboardInterrupt:
        say("stopped")


def _run(conf: Path, url: str, where: str, once: bool) -> None:
    with process("run", "--conf", str(conf), FLUE_FHIR_URL=url) as engine:
        wait_until_ready(engine)
        messages = delivered(send_all(tuple(sorted((conf / "messages").glob("*.hl7")))))
        print()
        table(
            ("message", "patient", "code", "name", "value", "unit", "flag", "status"),
            (row for message in messages for row in observations(message)),
        )
        print(f"\nThe bundles lie in {where}.")
        _print_what_next(conf, url if once else "")
        if wrong := [message for message in messages if message["status"] != "sent"]:
            fail("\n".join(f"{each['control_id']} is {each['status']}" for each in wrong))
        if not once:
            say("\nServing MLLP on 2575 and HTTP on 8080; Ctrl-C stops.")
            sys.exit(engine.wait())


def _print_what_next(conf: Path, url: str) -> None:
    """Commands to type from here; where the engine is gone (`url`: its receiver's), those that read its store."""
    flue, folder = _from_here(Path(sys.executable).with_name("flue")), _from_here(conf)
    beside = f" --conf {folder}" if url else ""
    print("Try next:")
    for words in (f"messages list{beside}", f"messages show 1{beside}", f"convert --explain {folder / 'messages' / '01_chemistry.hl7'}"):
        print(f"  {flue} {words}")
    print(f"  FLUE_FHIR_URL={url} {flue} run --conf {folder}" if url else f"  {flue} replay --id 1 --dry-run")


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path

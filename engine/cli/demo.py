"""`flue demo`: the example feed end to end: engine, real MLLP, a receiver, and a table of what came out.

Prints `CONTROL-ID CODE` for every message.  Shows patients by initials only.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from engine.cli.output import fail, say, table
from engine.cli.send import messages_of, open_line
from transforms.fhir.serialization import loads
from transforms.hl7.acknowledgment import read_acknowledgment
from transforms.hl7.message import parse

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "lab_results"
DOOR, MLLP, SINK = "http://127.0.0.1:8080", "mllp://127.0.0.1:2575", 8090
SETTLED = {"sent", "filtered", "error", "held", "partly_sent"}


@contextmanager
def process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen]:
    """A `flue` process that is stopped, politely, when the block ends."""
    running = subprocess.Popen([sys.executable, "-m", "engine.cli.main", *arguments], env={**os.environ, **environment}, cwd=Path.cwd())
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()


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
            fail("the engine did not start (its own words are above); are ports 2575 and 8080 free?")
        try:
            urllib.request.urlopen(DOOR + "/ready", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    fail("the engine was not ready in time")


def send_all(files: tuple[Path, ...]) -> list[str]:
    """Send every message, print `CONTROL-ID CODE`, return the control ids in order."""
    line, sent = open_line(MLLP, 30, None), []
    for content in messages_of(files):
        answer = read_acknowledgment(line.exchange(content))
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
        bundle = delivery.get("content") or {}
        resources = [entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry]
        for each in resources:
            if each["resourceType"] == "Observation":
                coding = (each.get("code", {}).get("coding") or [{}])[0]
                value, unit = _value(each)
                flags = " ".join(coded.get("code", "") for flag in each.get("interpretation", ()) for coded in flag.get("coding", ()))
                yield (message["control_id"], initials, coding.get("code", ""), coding.get("display", ""), value, unit, flags, each["status"])


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
    if url:
        _run(conf, url, f"the FHIR server at {url}", once)
    else:
        with process("sink", "--port", str(SINK), "--folder", str(received)):
            _run(conf, f"http://127.0.0.1:{SINK}/fhir", str(received), once)


def _run(conf: Path, url: str, where: str, once: bool) -> None:
    with process("run", "--conf", str(conf), FLUE_FHIR_URL=url) as engine:
        wait_until_ready(engine)
        messages = delivered(send_all(tuple(sorted((conf / "messages").glob("*.hl7")))))
        print()
        table(
            ("message", "patient", "code", "name", "value", "unit", "flag", "status"),
            (row for message in messages for row in observations(message)),
        )
        wrong = [message for message in messages if message["status"] != "sent"]
        print(f"\nThe bundles lie in {where}.")
        print("Try next:  flue messages list    flue messages show 1    flue replay --id 1 --dry-run")
        print(f"           flue convert --explain {conf / 'messages' / '01_chemistry.hl7'}")
        if wrong:
            fail("\n".join(f"{each['control_id']} is {each['status']}" for each in wrong))
        if not once:
            say("\nServing MLLP on 2575 and HTTP on 8080; Ctrl-C stops.")
            try:
                engine.wait()
            except KeyboardInterrupt:
                say("stopping")

"""What the store costs: CPU a message for receiving and settling it, and how long a commit is waited for.

    python bench/store.py [--messages 4000] [--open 8,64] [--committer loop,thread] [--work 0] [--fsync 0] [--before 0] [--backlog 0]

`--open` is how many messages are under way at once, `--work` the microseconds of other Python work on the loop for each
(a conversion, say), `--fsync` the milliseconds that every sync of the disk is made to last, `--before` and `--backlog` how many
messages the store holds already, settled and unsettled.  Prints one JSON line a run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import uuid
from collections import deque
from hashlib import sha256
from pathlib import Path

import apsw

from engine.store.records import (
    Answer, Arrival, DeliveryRow, DeliveryStatus, MessageStatus, RegisterRow, SearchKeys, Settlement,
)  # fmt: skip
from engine.store.sqlite import SqliteStore, open_store

TESTS = (
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", "12.0", "16.0"),
    ("4544-3", "Hematocrit of Blood", "%", "36", "46"),
    ("6690-2", "Leukocytes [#/volume] in Blood", "10*3/uL", "4.5", "11.0"),
    ("777-3", "Platelets [#/volume] in Blood", "10*3/uL", "150", "400"),
)


def message(number: int, chance: random.Random) -> bytes:
    """An ORU^R01 of 12 OBX, about 1.5 KB; all of it made up."""
    patient = chance.randint(1_000_000, 9_999_999)
    lines = [
        f"MSH|^~\\&|LABSYS|GENHOSP|EHR|CLINIC|20240115103000||ORU^R01^ORU_R01|C{number}|P|2.5.1",
        f"PID|1||{patient}^^^1.2.3.4.5^MR||DOE^JANE^A||19800102|F|||12 MAIN ST^^SPRINGFIELD^IL^62701^USA",
        f"OBR|1|ORD{patient}|FIL{patient}|58410-2^CBC panel^LN|||20240115080000|||||||||1234^SMITH^JOHN^^^DR",
    ]
    for at in range(12):
        code, name, unit, low, high = TESTS[at % 4]
        lines.append(f"OBX|{at + 1}|NM|{code}^{name}^LN||{chance.randint(10, 999) / 10}|{unit}|{low}-{high}|N|||F|||20240115101500")
    return "\r".join(lines).encode()


def _identity(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


def bundle(number: int, chance: random.Random) -> tuple[bytes, tuple[str, ...]]:
    """A transaction of 14 resources, about 12 KB, and the ids of its Observations."""
    patient, report = _identity("patient", number), _identity("report", number)
    observations = tuple(_identity("observation", number, at) for at in range(12))
    entries = [_entry({"resourceType": "Patient", "name": [{"family": "DOE"}], "birthDate": "1980-01-02"}, patient)]
    for at, id in enumerate(observations):
        code, name, unit, low, high = TESTS[at % 4]
        own = {"system": "http://lab.example/observation", "value": f"{number}-{at}"}
        quantity = {"unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
        category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
        entries.append(_entry({
            "resourceType": "Observation", "id": id, "identifier": [own], "status": "final", "category": [{"coding": [category]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": name}], "text": name},
            "subject": {"reference": f"urn:uuid:{patient}"}, "effectiveDateTime": "2024-01-15T10:15:00+01:00",
            "valueQuantity": {"value": chance.randint(10, 999) / 10, **quantity},
            "referenceRange": [
                {"low": {"value": float(low), **quantity}, "high": {"value": float(high), **quantity}, "text": f"{low}-{high}"}
            ],
        }, id))  # fmt: skip
    results = [{"reference": f"urn:uuid:{id}"} for id in observations]
    entries.append(_entry({"resourceType": "DiagnosticReport", "id": report, "status": "final", "result": results}, report))
    whole = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return json.dumps(whole, separators=(",", ":")).encode(), observations


def _entry(resource: dict, id: str) -> dict:
    return {"fullUrl": f"urn:uuid:{id}", "resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{id}"}}


def arrival(number: int, content: bytes) -> Arrival:
    """What an intake would hand in."""
    return Arrival("lab", "d" * 64, content, time.time(), "127.0.0.1:50123", f"C{number}", sha256(content).digest()[:16])


def settlement(id: int, number: int, sent: bytes, observations: tuple[str, ...]) -> Settlement:
    """What a straight way settles with."""
    said = b'{"resourceType":"Bundle"}'
    row = DeliveryRow(id, "repository", 0, f"P{number}", DeliveryStatus.SENT, 1, 0.0, "200", "", said, sent, time.time())
    told = RegisterRow(_identity("report", number), f"P{number}", "2024-01-15T10:25:00.000000Z", 3, id, observations[0], observations)
    answer = b"MSH|^~\\&|EHR|CLINIC|LABSYS|GENHOSP|20240115103001||ACK^R01^ACK|9f2c1d7ab1|P|2.5.1\rMSA|AA|C%d\r" % number
    keys = SearchKeys("ORU^R01", f"C{number}", "LABSYS|GENHOSP", (str(number),), (f"ORD{number}", f"FIL{number}"))
    leftover = ("PID-11", "OBR-16", "OBX[1]-14", "OBX[2]-14", "MSH-5")
    return Settlement(id, MessageStatus.SENT, (row,), Answer("AA", (answer,)), keys, register={"repository": (told,)}, leftover=leftover)


def spin(microseconds: float) -> None:
    """Be busy, as a conversion would."""
    end = time.perf_counter() + microseconds / 1e6
    while time.perf_counter() < end:
        pass


class SlowDisk(apsw.VFS):
    """A file system whose syncs take a while."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__("slow", "unix", makedefault=True)

    def xOpen(self, name: object, flags: list) -> apsw.VFSFile:
        return SlowFile(self.seconds, name, flags)


class SlowFile(apsw.VFSFile):
    """A file of it."""

    def __init__(self, seconds: float, name: object, flags: list) -> None:
        self.seconds = seconds
        super().__init__("unix", name, flags)

    def xSync(self, flags: int) -> None:
        time.sleep(self.seconds)
        super().xSync(flags)


def making(kept: list) -> float:
    """Seconds of CPU for making what is handed in, a message: not the store's."""
    began = time.process_time()
    for number in range(400):
        content, sent, observations = kept[number % 200]
        arrival(number, content.replace(b"|C", b"|D"))
        settlement(number, number, sent, observations)
    return (time.process_time() - began) / 400


async def fill(store: SqliteStore, kept: list, before: int, backlog: int) -> None:
    """Put messages into the store beforehand."""
    for start in range(0, before + backlog, 256):
        numbers = range(start, min(start + 256, before + backlog))
        stored = await asyncio.gather(*(store.receive(arrival(-1 - n, kept[n % 200][0] + b"%d" % n)) for n in numbers))
        pairs = [(each.id, n) for each, n in zip(stored, numbers, strict=True) if n < before]
        await asyncio.gather(*(store.settle(settlement(id, -1 - n, *kept[n % 200][1:])) for id, n in pairs))


def memory() -> int:
    """Resident MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20


async def run(committer: str, at_once: int, messages: int, work: float, before: int = 0, backlog: int = 0) -> dict[str, object]:
    """One run on a store of its own."""
    chance = random.Random(1)
    kept = [(message(n, chance), *bundle(n, chance)) for n in range(200)]
    own = min(making(kept) for _ in range(3)) * 1e6 + work
    waits, numbers, settling = [], iter(range(messages)), deque()
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(Path(folder), loop=asyncio.get_running_loop(), committer=committer)

        await fill(store, kept, before, backlog)

        async def connection() -> None:
            for number in numbers:
                content, sent, observations = kept[number % 200]
                content = content.replace(b"|C%d|" % (number % 200), b"|C%d|" % number)
                began = time.perf_counter()
                stored = await store.receive(arrival(number, content))
                waits.append(time.perf_counter() - began)
                spin(work)
                settling.append(store.settle(settlement(stored.id, number, sent, observations)))  # as a sender, who waits for the ACK only
                if len(settling) > 4 * at_once:
                    await settling.popleft()

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(connection() for _ in range(at_once)))
        await asyncio.gather(*settling)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        resident = memory()
        await store.close()
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    waits.sort()
    return {
        "committer": committer, "open": at_once, "work_us": work, "messages_a_second": round(messages / wall),
        "cpu_us": round(cpu / messages * 1e6 - own, 1), "commit_p50_ms": round(waits[messages // 2] * 1e3, 2),
        "commit_p99_ms": round(waits[messages * 99 // 100] * 1e3, 2), "bytes_a_message": size // (messages + before + backlog),
        "memory_mb": resident,
    }  # fmt: skip


def main() -> None:
    """Run every combination asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--messages", type=int, default=4000)
    options.add_argument("--open", default="8,64")
    options.add_argument("--committer", default="loop,thread")
    options.add_argument("--work", type=float, default=0)
    options.add_argument("--fsync", type=float, default=0)
    options.add_argument("--before", type=int, default=0)
    options.add_argument("--backlog", type=int, default=0)
    asked = options.parse_args()
    sys.setswitchinterval(0.0002)
    disk = SlowDisk(asked.fsync / 1e3) if asked.fsync else None  # noqa: F841 - registered while it lives
    import uvloop

    for committer in asked.committer.split(","):
        for at_once in map(int, asked.open.split(",")):
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                print(json.dumps(runner.run(run(committer, at_once, asked.messages, asked.work, asked.before, asked.backlog))), flush=True)


if __name__ == "__main__":
    main()

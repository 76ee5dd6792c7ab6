"""The load: ORU^R01 messages over MLLP on some connections, one outstanding on each, every ACK waited for.

Prints one JSON line; `flue bench` reads it.  By hand:  python -m bench.load --port 2575 --total 20000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from dataclasses import dataclass, field

PANEL = (
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", "12.0-16.0"),
    ("4544-3", "Hematocrit [Volume Fraction] of Blood", "%", "36-46"),
    ("6690-2", "Leukocytes [#/volume] in Blood", "10*3/uL", "4.5-11.0"),
    ("777-3", "Platelets [#/volume] in Blood", "10*3/uL", "150-400"),
    ("789-8", "Erythrocytes [#/volume] in Blood", "10*6/uL", "4.0-5.2"),
    ("787-2", "MCV [Entitic volume]", "fL", "80-100"),
    ("785-6", "MCH [Entitic mass]", "pg", "27-33"),
    ("786-4", "MCHC [Mass/volume]", "g/dL", "32-36"),
    ("788-0", "RDW [Ratio]", "%", "11.5-14.5"),
    ("770-8", "Neutrophils/100 leukocytes in Blood", "%", "40-70"),
    ("736-9", "Lymphocytes/100 leukocytes in Blood", "%", "20-45"),
    ("5905-5", "Monocytes/100 leukocytes in Blood", "%", "2-10"),
)


def message(control_id: str, chance: random.Random, observations: int = 12) -> bytes:
    """One ORU^R01 v2.5.1 of about 1.5 KB, CR-separated, without its frame; everyone in it is made up."""
    number = chance.randint(1_000_000, 9_999_999)
    lines = [
        f"MSH|^~\\&|LABSYS|GENHOSP|EHR|CLINIC|20240115103000||ORU^R01^ORU_R01|{control_id}|P|2.5.1",
        f"PID|1||{number}^^^1.2.3.4.5^MR||DOE^JANE^A||19800102|F|||12 MAIN ST^^SPRINGFIELD^IL^62701^USA||5551234567|||S||ACC{number}",
        f"PV1|1|I|WARD1^101^A|||||1234^SMITH^JOHN^^^DR||||||||||||V{number}",
        f"ORC|RE|ORD{number}|FIL{number}||CM||||20240115093000|||1234^SMITH^JOHN^^^DR",
        f"OBR|1|ORD{number}|FIL{number}|58410-2^CBC panel^LN|||20240115080000|||||||||1234^SMITH^JOHN^^^DR||||||20240115102500||LAB|F",
    ]
    for index in range(observations):
        code, name, unit, usual = PANEL[index % len(PANEL)]
        value, flag = chance.randint(10, 999) / 10, chance.choice(("", "H", "L"))
        lines.append(f"OBX|{index + 1}|NM|{code}^{name}^LN||{value}|{unit}|{usual}|{flag}|||F|||20240115101500")
    return "\r".join(lines).encode() + b"\r"


@dataclass
class Log:
    """What a run saw."""

    acknowledged: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


class Sender(asyncio.Protocol):
    """One connection: sends, waits for the ACK, sends the next."""

    def __init__(self, name: str, share: int, observations: int, done: asyncio.Future, log: Log) -> None:
        self._name, self._left, self._observations, self._done, self._log = name, share, observations, done, log
        self._chance, self._buffer, self._sent = random.Random(name), b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if not self._left:
            self._transport.close()
            return
        self._left -= 1
        self._sent += 1
        self._control_id = f"CTL{self._name}-{self._sent:06d}"
        framed = b"\x0b" + message(self._control_id, self._chance, self._observations) + b"\x1c\r"
        self._began = time.perf_counter()
        self._transport.write(framed)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\x1c\r")
        if end < 0:
            return
        answer, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        self._log.seconds.append(time.perf_counter() - self._began)
        at = answer.find(b"\rMSA|")
        code = answer[at + 5 : at + 7].decode("ascii", "replace") if at >= 0 else "no MSA"
        if code in ("AA", "CA") and self._control_id.encode() in answer:
            self._log.acknowledged += 1
        else:
            self._log.refused[code] = self._log.refused.get(code, 0) + 1
        self._next()

    def connection_lost(self, _: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def send(host: str, port: int, connections: int, total: int, observations: int = 12) -> dict[str, object]:
    """Send `total` messages; returns counts, acknowledged a second, and ACK latencies in milliseconds."""
    loop, log = asyncio.get_running_loop(), Log()
    tag, waits, began = f"{time.time_ns() & 0xFFFFFFFF:x}", [], time.perf_counter()
    for index in range(connections):
        done: asyncio.Future = loop.create_future()
        share = total // connections + (index < total % connections)
        await loop.create_connection(
            lambda name=f"{tag}-{index:02d}", share=share, done=done: Sender(name, share, observations, done, log), host, port
        )
        waits.append(done)
    await asyncio.gather(*waits)
    seconds, ordered = time.perf_counter() - began, sorted(log.seconds)

    def at(share: float) -> float:
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else 0.0

    return {
        "acknowledged": log.acknowledged, "refused": log.refused, "seconds": round(seconds, 3),
        "acknowledged_per_s": round(log.acknowledged / seconds, 1), "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99),
    }  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2575)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--total", type=int, default=4000)
    parser.add_argument("--observations", type=int, default=12)
    asked = parser.parse_args()
    print(json.dumps(asyncio.run(send(asked.host, asked.port, asked.connections, asked.total, asked.observations))), flush=True)


if __name__ == "__main__":
    main()

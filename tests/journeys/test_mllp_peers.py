"""MLLP with clients and servers nobody here wrote: python-hl7, node-hl7-client and -server, @medplum/hl7, simple-hl7."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import hl7
import pytest
from hl7.mllp import HL7StreamReader, HL7StreamWriter, open_hl7_connection, start_hl7_server

from channels.message import Outgoing, RawMessage, Response, Verdict
from channels.mllp.destination import MllpDestination
from channels.mllp.source import MllpListening, MllpSource
from tests.journeys import peers
from tests.reactor import Runner
from transforms.document import HL7, Context, Document
from transforms.hl7.acknowledgment import acknowledge
from transforms.hl7.message import parse

pytestmark = pytest.mark.journey

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
COUNT = 3


def result(number: int, wants: str = "|") -> str:
    """A synthetic result, with letters that are not ASCII.  `wants`: MSH-15 and 16."""
    return "\r".join(
        (
            f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304050607||ORU^R01^ORU_R01|PEER{number:04}|P|2.5.1|||{wants}||UNICODE UTF-8",
            "PID|1||1234567^^^HOSP^MR||Müller^Zoë||19800102|F",
            f"OBR|1|P{number}|F{number}|24323-8^Metabolic panel^LN|||20260304",
            "OBX|1|NM|2345-7^Glucose^LN||95|mg/dL|70-99|N|||F",
            "NTE|1||Größe über Norm",
        )
    )


class Engine:
    """Keeps what comes and accepts it."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def receive(self, message: RawMessage) -> Response:
        self.received.append(message.content)
        return Response((acknowledge(message.content, "AA", control_id=f"ACK{len(self.received)}", when=WHEN),))


class Later(Engine):
    """Keeps what comes, and says some time later what it came to; or at once, when both answers leave together."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def receive(self, message: RawMessage) -> Response:
        response = await super().receive(message)
        accepted = acknowledge(message.content, "CA", control_id=f"CA{len(self.received)}", when=WHEN)
        if not self.seconds:
            return Response((accepted, *response.contents))
        loop = asyncio.get_running_loop()
        later = loop.create_future()
        loop.call_later(self.seconds, later.set_result, response)
        return Response((accepted,), later)


async def listen(runner: Runner, engine: Engine, folder: Path) -> MllpListening:
    return await MllpSource(listen="tcp:0:interface=127.0.0.1").open(runner.surroundings(folder), engine.receive)


async def run(runner: Runner, command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a command prints, while the loop goes on."""
    running = partial(subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60)
    done = await runner.loop.run_in_executor(None, running)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def write_messages(folder: Path, wants: str = "|") -> list[str]:
    files = [folder / f"{number}.hl7" for number in range(COUNT)]
    for number, file in enumerate(files):
        file.write_bytes(result(number, wants).encode())
    return [str(file) for file in files]


def assert_received(engine: Engine) -> None:
    """Every message came, and every value in it as it was sent."""
    assert len(engine.received) == COUNT
    for number, content in enumerate(engine.received):
        message = parse(content)
        read = [message.get(path) for path in ("MSH-10", "PID-5.1", "PID-5.2", "OBX-5", "NTE-3")]
        assert read == [f"PEER{number:04}", "Müller", "Zoë", "95", "Größe über Norm"]


# --- clients of theirs, our source


@pytest.mark.parametrize("peer", ["node-hl7-client", "@medplum/hl7", "simple-hl7"])
def test_node_clients_are_answered(runner: Runner, tmp_path: Path, peer: str) -> None:
    """Each accepts our acknowledgment as its message's, and goes on to the next on the same connection."""

    async def journey() -> None:
        engine = Engine()
        listening = await listen(runner, engine, tmp_path)
        command, environment = peers.node(peer, "mllp_send.cjs", peer, str(listening.port), *write_messages(tmp_path))
        answers = [json.loads(line) for line in (await run(runner, command, environment)).splitlines()]
        assert [(parse(each.encode()).get("MSA-1"), parse(each.encode()).get("MSA-2")) for each in answers] == [
            ("AA", f"PEER{number:04}") for number in range(COUNT)
        ]
        assert_received(engine)
        assert listening.accepted <= 2  # node-hl7-client tries the way once before
        await listening.close()

    runner.run(journey(), timeout=90)


@pytest.mark.parametrize(("peer", "codes"), [("node-hl7-client", ["CA", "AA"]), ("@medplum/hl7", ["AA"])])
@pytest.mark.parametrize("seconds", [0.05, 0.0])
def test_node_clients_in_enhanced_mode(runner: Runner, tmp_path: Path, peer: str, codes: list[str], seconds: float) -> None:
    """One sees both acknowledgments, the other passes over the first and waits for the application's; both go on after it."""

    async def journey() -> None:
        engine = Later(seconds)
        listening = await listen(runner, engine, tmp_path)
        command, environment = peers.node(peer, "mllp_send.cjs", peer, str(listening.port), *write_messages(tmp_path, "AL|AL"))
        answers = [json.loads(line) for line in (await run(runner, command, environment)).splitlines()]
        assert [(parse(each.encode()).get("MSA-1"), parse(each.encode()).get("MSA-2")) for each in answers] == [
            (code, f"PEER{number:04}") for number in range(COUNT) for code in codes
        ]
        assert_received(engine)
        await listening.close()

    runner.run(journey(), timeout=90)


@pytest.mark.parametrize("ends", ["\r", "\n", "\r\n"])
def test_mllp_send_of_python_hl7(runner: Runner, tmp_path: Path, ends: str) -> None:
    """Its command line, with files as they lie about."""

    async def journey() -> None:
        engine = Engine()
        listening = await listen(runner, engine, tmp_path)
        file = tmp_path / "messages.hl7"
        file.write_bytes("".join(result(number).replace("\r", ends) + ends for number in range(COUNT)).encode())
        command = [str(Path(sys.executable).with_name("mllp_send")), "--loose", "-p", str(listening.port), "-f", str(file), "127.0.0.1"]
        printed = await run(runner, command)
        assert printed.count("MSA|AA|PEER") == COUNT
        assert_received(engine)
        await listening.close()

    runner.run(journey(), timeout=90)


def test_the_asyncio_client_of_python_hl7_in_enhanced_mode(runner: Runner, tmp_path: Path) -> None:
    """It sends the next after each commit acknowledgment; the application's follow."""

    async def journey() -> None:
        engine = Later(0.2)
        listening = await listen(runner, engine, tmp_path)
        reader, writer = await open_hl7_connection("127.0.0.1", listening.port, encoding="utf-8")
        answers = []
        for number in range(COUNT):
            writer.writemessage(hl7.parse(result(number, "AL|AL")))
            await writer.drain()
            answers.append(await reader.readmessage())
        answers += [await reader.readmessage() for _ in range(COUNT)]
        assert [(str(each.segment("MSA")[1]), str(each.segment("MSA")[2])) for each in answers] == [
            (code, f"PEER{number:04}") for code in ("CA", "AA") for number in range(COUNT)
        ]
        assert_received(engine)
        writer.close()
        await listening.close()

    runner.run(journey(), timeout=90)


def test_the_asyncio_client_of_python_hl7(runner: Runner, tmp_path: Path) -> None:
    """Message by message over its streams."""

    async def journey() -> None:
        engine = Engine()
        listening = await listen(runner, engine, tmp_path)
        reader, writer = await open_hl7_connection("127.0.0.1", listening.port, encoding="utf-8")
        for number in range(COUNT):
            writer.writemessage(hl7.parse(result(number)))
            await writer.drain()
            answer = await reader.readmessage()
            assert (str(answer.segment("MSA")[1]), str(answer.segment("MSA")[2])) == ("AA", f"PEER{number:04}")
        assert_received(engine)
        writer.close()
        await listening.close()

    runner.run(journey(), timeout=90)


# --- our destination, servers of theirs


async def deliver(runner: Runner, port: int, folder: Path, stray: int = 0) -> None:
    """Send every message; each is accepted, on one connection, though `stray` frames answered nothing of ours."""
    sending = await MllpDestination(url=f"mllp://127.0.0.1:{port}", timeout=10.0).open(runner.surroundings(folder))
    for number in range(COUNT):
        document = Document(HL7, parse(result(number).encode()), Context(WHEN))
        outcome = await sending.send(Outgoing(document, number, f"PEER{number:04}", 1))
        assert (outcome.verdict, outcome.code) == (Verdict.SENT, "AA"), outcome
        assert outcome.sent == result(number).encode()
    assert (sending.connected, sending.stray, sending.timeouts) == (1, stray, 0)
    await sending.close()


@pytest.mark.parametrize(("peer", "stray"), [("node-hl7-server", 3), ("@medplum/hl7", 0), ("simple-hl7", 0)])
def test_node_servers_answer_us(runner: Runner, tmp_path: Path, peer: str, stray: int) -> None:
    """However odd their acknowledgments are: version 2.3, a bare `ACK`, MSH-10 that is always `ACK`.

    node-hl7-server 2.5 takes up, and answers, all the connection's earlier messages again with each new one.
    """
    port = peers.free_port()
    command, environment = peers.node(peer, "mllp_serve.cjs", peer, str(port))
    with peers.Running(command, environment) as server:
        runner.run(deliver(runner, port, tmp_path, stray), timeout=60)
        expected = [f"PEER{number:04}" for number in range(COUNT)]
        server.wait_for(lambda: expected[-1] in server.lines)
        assert list(dict.fromkeys(line for line in server.lines if line.startswith("PEER"))) == expected


def test_the_server_of_python_hl7(runner: Runner, tmp_path: Path) -> None:
    """It reads our frames and values, and we its acknowledgments."""
    received: list[str] = []

    async def serve(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                received.append(str(message.segment("PID")[5]))
                writer.writemessage(message.create_ack())
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    async def journey() -> None:
        server = await start_hl7_server(serve, "127.0.0.1", 0, encoding="utf-8")
        await deliver(runner, server.sockets[0].getsockname()[1], tmp_path)
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)

    runner.run(journey(), timeout=60)
    assert received == ["Müller^Zoë"] * COUNT

"""The `mllp` destination against receivers that behave, and receivers that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError
from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import StringTransport

from channels.connector import Surroundings
from channels.message import Outcome, Outgoing, Verdict
from channels.mllp.destination import MllpDestination, MllpSending
from channels.mllp.framing import frame
from channels.mllp.source import MllpSource
from channels.message import RawMessage, Response
from channels.tls import ServerTls, Tls
from tests.reactor import Runner
from transforms.document import HL7, Context, Document
from transforms.hl7.acknowledgment import acknowledge
from transforms.hl7.message import parse

WHEN = datetime(2026, 3, 4, tzinfo=timezone.utc)


def hl7(control_id: str, more: str = "") -> bytes:
    return f"MSH|^~\\&|LAB|HOSP|EHR|HOSP|20260304||ORU^R01|{control_id}|P|2.5\rPID|1{more}\r".encode()


def outgoing(control_id: str = "1", body: Any = None) -> Outgoing:
    return Outgoing(Document(HL7, body if body is not None else parse(hl7(control_id)), Context(WHEN)), 1, control_id, 1)


def ack(content: bytes, code: str = "AA") -> bytes:
    return acknowledge(content, code, control_id="A1", when=WHEN)


class Wire(StringTransport):
    """A string transport that knows what TCP's do; it tells the line when it is closed."""

    line: Any = None

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Messages leave at once."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """A dead receiver is found out."""

    def loseConnection(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            self.line.connectionLost()

    abortConnection = loseConnection

    def written(self) -> bytes:
        """What was written since the last look."""
        value = self.value()
        self.clear()
        return value


class Receiver:
    """An endpoint that connects to string transports."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        wire = Wire()
        wire.line = factory.buildProtocol(None)
        wire.line.makeConnection(wire)
        self.wires.append(wire)
        return succeed(wire.line)

    @property
    def wire(self) -> Wire:
        """The newest connection."""
        return self.wires[-1]

    def say(self, data: bytes) -> None:
        self.wire.line.dataReceived(data)


def with_receiver(test: Callable[[MllpSending, Receiver], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        receiver = Receiver()
        surroundings = Surroundings(asyncio.get_running_loop(), None, Path(), None)  # type: ignore[arg-type]
        sending = MllpSending(MllpDestination(**{"url": "mllp://10.0.0.9", **options}), surroundings, receiver)
        await test(sending, receiver)
        await sending.close()
        assert not sending.lines

    asyncio.run(run())


async def turns(count: int = 5) -> None:
    """Let what is ready happen."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_connections_stay_open() -> None:
    """One message after the other on the same connection; the outcome keeps both sides' bytes."""

    async def test(sending: MllpSending, receiver: Receiver) -> None:
        for number in ("1", "2", "3"):
            task = asyncio.ensure_future(sending.send(outgoing(number)))
            await turns()
            assert receiver.wire.written() == frame(hl7(number))
            for byte in frame(ack(hl7(number))):
                receiver.say(bytes([byte]))
            said = ack(hl7(number))
            assert await task == Outcome(Verdict.SENT, "AA", "the receiver has accepted it", response=said, sent=hl7(number))
        assert len(receiver.wires) == sending.connected == 1

    with_receiver(test)


def test_a_late_answer_is_never_the_next_messages() -> None:
    """After a timeout the connection is given up; even where it comes on the same connection, MSA-2 tells."""

    async def test(sending: MllpSending, receiver: Receiver) -> None:
        assert (await sending.send(outgoing("1"))).code == "timeout"
        late = receiver.wire
        assert late.disconnecting
        task = asyncio.ensure_future(sending.send(outgoing("2")))
        await turns()
        late.line.dataReceived(frame(ack(hl7("1"))))
        receiver.say(frame(ack(hl7("1"))))
        await turns()
        assert not task.done()
        receiver.say(frame(ack(hl7("2"), "AE")))
        assert (await task).code == "AE"
        assert (len(receiver.wires), sending.stray, sending.timeouts) == (2, 2, 1)

    with_receiver(test, timeout=0.05)


def test_what_a_kept_connection_lost_is_sent_on_a_new_one() -> None:
    """Receivers close idle connections; that is no failure.  On a new connection it is."""

    async def test(sending: MllpSending, receiver: Receiver) -> None:
        task = asyncio.ensure_future(sending.send(outgoing("1")))
        await turns()
        receiver.say(frame(ack(hl7("1"))))
        await task
        task = asyncio.ensure_future(sending.send(outgoing("2")))
        await turns()
        receiver.wire.loseConnection()
        await turns()
        assert len(receiver.wires) == 2 and receiver.wire.written() == frame(hl7("2"))
        receiver.wire.loseConnection()
        outcome = await task
        assert (outcome.verdict, outcome.code) == (Verdict.FAILING, "connection_lost")

    with_receiver(test)


def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    """Nothing is written into the void."""

    async def test(sending: MllpSending, receiver: Receiver) -> None:
        for number in ("1", "2"):
            task = asyncio.ensure_future(sending.send(outgoing(number)))
            await turns()
            receiver.say(frame(ack(hl7(number))))
            await task
            receiver.wire.loseConnection()
        assert len(receiver.wires) == 2

    with_receiver(test)


def test_lanes_have_connections_of_their_own() -> None:
    """As many as declared; one message at a time on each."""

    async def test(sending: MllpSending, receiver: Receiver) -> None:
        assert sending.declaration.in_flight == 2 and not sending.declaration.idempotent
        tasks = [asyncio.ensure_future(sending.send(outgoing(number))) for number in ("1", "2", "3")]
        await turns()
        assert [wire.written() for wire in receiver.wires] == [frame(hl7("1")), frame(hl7("2"))]
        receiver.wires[1].line.dataReceived(frame(ack(hl7("2"))))
        await turns()
        assert receiver.wires[1].written() == frame(hl7("3"))
        receiver.wires[0].line.dataReceived(frame(ack(hl7("1"))))
        receiver.wires[1].line.dataReceived(frame(ack(hl7("3"), "AR")))
        assert [(await task).code for task in tasks] == ["AA", "AA", "AR"]

    with_receiver(test, connections=2)


def test_a_connection_for_each_message() -> None:
    """For receivers that want it so."""

    async def test(sending: MllpSending, receiver: Receiver) -> None:
        for number in ("1", "2"):
            task = asyncio.ensure_future(sending.send(outgoing(number)))
            await turns()
            receiver.say(frame(ack(hl7(number))))
            assert (await task).verdict is Verdict.SENT
            assert receiver.wire.disconnecting
        assert len(receiver.wires) == 2

    with_receiver(test, reuse=False)


def test_unused_connections_are_closed() -> None:
    """After the idle time, not before."""

    async def test(sending: MllpSending, receiver: Receiver) -> None:
        task = asyncio.ensure_future(sending.send(outgoing("1")))
        await turns()
        receiver.say(frame(ack(hl7("1"))))
        await task
        assert not receiver.wire.disconnecting
        await asyncio.sleep(0.05)
        assert receiver.wire.disconnecting and not sending.lines

    with_receiver(test, idle_timeout=0.02)


def test_a_cancelled_send_gives_up_its_connection() -> None:
    """Its answer may still come, and must meet nobody."""

    async def test(sending: MllpSending, receiver: Receiver) -> None:
        task = asyncio.ensure_future(sending.send(outgoing("1")))
        await turns()
        task.cancel()
        await turns()
        assert receiver.wire.disconnecting and not sending.lines

    with_receiver(test)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"\x0b" + ack(hl7("1")).rstrip(b"\r") + b"\x1c\r", "AA"),
        (b"\x0b" + ack(hl7("1")) + b"\x1c", "AA"),
        (b"\x00\r\n\x0b" + ack(hl7("1")).replace(b"\r", b"\n") + b"\x1c\n", "AA"),
        (frame(ack(hl7("1"), "CA")), "CA"),
        (b"\x0b" + b"x" * (2**20 + 1), "connection_lost"),
        (ack(hl7("1")), "timeout"),
    ],
)
def test_answers_as_they_come(answer: bytes, code: str) -> None:
    """Without final CR, without the CR of the frame, with LF; too long is cut off; unframed is none."""

    async def test(sending: MllpSending, receiver: Receiver) -> None:
        task = asyncio.ensure_future(sending.send(outgoing("1")))
        await turns()
        receiver.say(answer)
        assert (await task).code == code

    with_receiver(test, timeout=1.5)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"resourceType": "Bundle"}, "not_hl7"),
        (b"no HL7", "not_hl7"),
        (None, "AA"),
        (hl7("1"), "AA"),
        (hl7("1").decode(), "AA"),
        (hl7("1", "|\x0b|"), "unframeable"),
        (hl7("1", "|\x1c|"), "unframeable"),
    ],
)
def test_what_can_be_sent(body: Any, code: str) -> None:
    """HL7, parsed or not; what is none, or cannot be framed, is the message's fault and never leaves."""

    async def test(sending: MllpSending, receiver: Receiver) -> None:
        task = asyncio.ensure_future(sending.send(outgoing("1", body)))
        await turns()
        if receiver.wires:
            receiver.say(frame(ack(hl7("1"))))
        outcome = await task
        assert outcome.code == code
        assert outcome.verdict is (Verdict.SENT if code == "AA" else Verdict.REFUSED)

    with_receiver(test)


@pytest.mark.parametrize(
    "options",
    [{"timeout": 0.0}, {"connections": 0}]
    + [{"url": url} for url in ("http://x", "mllp://", "mllp://x:99999", "mllp://u:p@x", "ris:2575")],
)
def test_declarations_that_cannot_be(options: dict[str, Any]) -> None:
    """They are found by `flue check`."""
    with pytest.raises(ValidationError):
        MllpDestination(**{"url": "mllp://x", **options})


# --- real sockets


class Listener:
    """Our own source, as the receiver."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    async def receive(self, message: RawMessage) -> Response:
        self.contents.append(message.content)
        return Response((ack(message.content),))


def test_over_real_sockets(runner: Runner, tmp_path: Path) -> None:
    """Several lanes, large messages, a receiver that goes away and comes back."""

    async def conversation() -> None:
        receiver, surroundings = Listener(), runner.surroundings(tmp_path)
        listening = await MllpSource(listen="tcp:0:interface=127.0.0.1").open(surroundings, receiver.receive)
        sending = await MllpDestination(url=f"mllp://127.0.0.1:{listening.port}", connections=4, timeout=5.0).open(surroundings)
        bodies = [hl7(str(number), "|" + "x" * 300_000 * (number % 4)) for number in range(40)]
        outcomes = await asyncio.gather(*(sending.send(outgoing(str(number), body)) for number, body in enumerate(bodies)))
        assert [outcome.code for outcome in outcomes] == ["AA"] * 40
        assert sorted(receiver.contents) == sorted(bodies) and sending.connected == 4
        port = listening.port
        await listening.close()
        assert (await sending.send(outgoing("41"))).code == "refused_connection"
        listening = await MllpSource(listen=f"tcp:{port}:interface=127.0.0.1").open(surroundings, receiver.receive)
        assert (await sending.send(outgoing("41"))).code == "AA"
        await sending.close()
        await listening.close()

    runner.run(conversation())


def test_receivers_that_cannot_be_reached(runner: Runner, tmp_path: Path) -> None:
    """An unknown name and an address where nobody answers are the receiver's failure."""

    async def conversation() -> None:
        surroundings = runner.surroundings(tmp_path)
        unknown = await MllpDestination(url="mllp://no-such-host.invalid").open(surroundings)
        outcome = await unknown.send(outgoing())
        assert (outcome.verdict, outcome.code) == (Verdict.FAILING, "unknown_host")
        await unknown.close()

    runner.run(conversation())


def test_tls_both_ways(runner: Runner, tmp_path: Path) -> None:
    """Certificates shown and asked for; a receiver nobody vouches for gets nothing."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    for name, host in (("server", "127.0.0.1"), ("client", "flue.example")):
        issued = authority.issue_cert(host)
        issued.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")

    async def conversation() -> None:
        receiver, surroundings = Listener(), runner.surroundings(tmp_path)
        served = ServerTls(certificate="server.pem", key="server.key", client_ca="ca.pem")
        listening = await MllpSource(listen="tcp:0:interface=127.0.0.1", tls=served).open(surroundings, receiver.receive)
        url = f"mllps://127.0.0.1:{listening.port}"
        own = {"certificate": "client.pem", "key": "client.key"}
        for tls, code in ((Tls(ca="ca.pem", **own), "AA"), (Tls(ca="other.pem", **own), "tls"), (Tls(ca="ca.pem"), "tls"), (None, "tls")):
            sending = await MllpDestination(url=url, tls=tls, timeout=5.0).open(surroundings)
            assert (await sending.send(outgoing())).code == code
            sending.reload()
            await sending.close()
        assert receiver.contents == [hl7("1")]
        await listening.close()

    runner.run(conversation())

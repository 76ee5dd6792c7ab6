"""The `mllp` source: Twisted's side of it with a string transport, and a few things only real sockets show."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.testing import StringTransport

from channels.connector import Surroundings
from channels.errors import ConnectorError
from channels.message import RawMessage, Response
from channels.mllp.framing import frame
from channels.mllp.source import MllpListening, MllpProtocol, MllpSource
from channels.tls import ServerTls
from tests.reactor import Runner

LOOPBACK = "tcp:0:interface=127.0.0.1"


class Engine:
    """Stands for what is behind `receive`: keeps what comes, answers when told to, or at once."""

    def __init__(self, at_once: bool = True) -> None:
        self.messages: list[RawMessage] = []
        self.answers: list[asyncio.Future[Response]] = []
        self.at_once = at_once

    async def receive(self, message: RawMessage) -> Response:
        self.messages.append(message)
        answer = asyncio.get_running_loop().create_future()
        self.answers.append(answer)
        if self.at_once:
            answer.set_result(Response((b"AA " + message.content[:10],)))
        return await answer

    @property
    def contents(self) -> list[bytes]:
        return [message.content for message in self.messages]


class Wire(StringTransport):
    """A string transport that knows what TCP's do."""

    closed = aborted = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Small answers leave at once."""

    def loseConnection(self) -> None:
        self.closed = True

    def abortConnection(self) -> None:
        self.aborted = True

    def written(self) -> bytes:
        """What was written since the last look."""
        value = self.value()
        self.clear()
        return value


class Bench:
    """A source without sockets, and a clock that stands still until told."""

    def __init__(self, engine: Engine, **options: Any) -> None:
        self.now = 1000.0
        surroundings = Surroundings(asyncio.get_running_loop(), None, Path(), None)  # type: ignore[arg-type]
        self.listening = MllpListening(MllpSource(**options), surroundings, engine.receive, lambda: self.now, lambda: 1.7e9)

    def connect(self, host: str = "10.0.0.7") -> tuple[MllpProtocol, Wire]:
        address = IPv4Address("TCP", host, 51000)
        protocol, wire = self.listening.factory().buildProtocol(address), Wire(peerAddress=address)
        protocol.makeConnection(wire)
        return protocol, wire

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for protocol in tuple(self.listening.protocols):
            protocol.look(self.now)


async def turns(count: int = 5) -> None:
    """Let what is ready happen."""
    for _ in range(count):
        await asyncio.sleep(0)


def on_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test that needs no reactor."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


@on_a_loop
async def test_a_message_is_answered() -> None:
    """The engine is told content, time and peer; the sender gets the answer framed."""
    engine = Engine()
    protocol, wire = Bench(engine).connect()
    protocol.dataReceived(frame(b"MSH|one"))
    await turns()
    assert engine.messages == [RawMessage(b"MSH|one", 1.7e9, "10.0.0.7:51000")]
    assert wire.written() == frame(b"AA MSH|one")


@on_a_loop
async def test_pipelined_messages_are_in_hand_together_and_answered_in_order() -> None:
    """They may share a commit; a later one's early answer waits."""
    engine = Engine(at_once=False)
    protocol, wire = Bench(engine).connect()
    protocol.dataReceived(b"".join(frame(b"%d" % each) for each in range(3)))
    await turns()
    assert engine.contents == [b"0", b"1", b"2"]
    engine.answers[2].set_result(Response((b"two",)))
    engine.answers[1].set_result(Response(()))
    await turns()
    assert wire.written() == b""
    engine.answers[0].set_result(Response((b"zero", b"zero again")))
    await turns()
    assert wire.written() == frame(b"zero") + frame(b"zero again") + frame(b"two")


@on_a_loop
async def test_reading_pauses_and_goes_on() -> None:
    """While too much is in hand, while the peer does not take its answers, while the channel is paused."""
    engine = Engine(at_once=False)
    bench = Bench(engine, outstanding=2)
    protocol, wire = bench.connect()
    protocol.dataReceived(frame(b"1") + frame(b"2") + frame(b"3"))
    await turns()
    assert wire.producerState == "paused" and engine.contents == [b"1", b"2"]
    for answer in engine.answers:
        answer.set_result(Response((b"AA",)))
    await turns()
    assert wire.producerState == "producing" and engine.contents == [b"1", b"2", b"3"]
    protocol.pauseProducing()
    assert wire.producerState == "paused"
    bench.listening.pause()
    protocol.resumeProducing()
    assert wire.producerState == "paused"
    assert bench.connect()[1].producerState == "paused"
    bench.listening.resume()
    assert wire.producerState == "producing"


@on_a_loop
async def test_a_receive_that_fails_ends_the_connection_and_nobody_elses() -> None:
    """The sender is left without an answer, so it sends again; the failure is not swallowed."""
    engine = Engine(at_once=False)
    bench = Bench(engine)
    raised: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: raised.append(context["exception"]))
    (protocol, wire), (other, wire2) = bench.connect(), bench.connect()
    protocol.dataReceived(frame(b"1") + frame(b"2"))
    other.dataReceived(frame(b"3"))
    await turns()
    engine.answers[0].set_exception(ZeroDivisionError())
    engine.answers[1].set_result(Response((b"AA",)))
    engine.answers[2].set_result(Response((b"AA",)))
    await asyncio.sleep(0.01)
    assert wire.closed and wire.written() == b""
    assert not wire2.closed and wire2.written() == frame(b"AA")
    await turns()
    gc.collect()
    assert [type(each) for each in raised] == [ZeroDivisionError]


@on_a_loop
async def test_too_many_connections_are_refused_visibly(caplog: pytest.LogCaptureFixture) -> None:
    """They are closed at once and counted; the log says so once, and again when it is over."""
    caplog.set_level(logging.INFO)
    bench = Bench(Engine(), connections=2)
    protocol, _ = bench.connect()
    bench.connect()
    factory = bench.listening.factory()
    for _ in range(3):
        assert factory.buildProtocol(IPv4Address("TCP", "10.0.0.9", 1)) is None
    assert (bench.listening.connections, bench.listening.accepted, bench.listening.refused) == (2, 2, 3)
    protocol.connectionLost()
    bench.connect()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize(
    ("address", "welcome"),
    [
        (IPv4Address("TCP", "10.2.3.4", 1), True),
        (IPv4Address("TCP", "10.3.3.4", 1), False),
        (IPv4Address("TCP", "192.168.7.1", 1), True),
        (IPv6Address("TCP", "::ffff:10.2.3.4", 1), True),
        (IPv6Address("TCP", "::ffff:10.3.3.4", 1), False),
        (IPv6Address("TCP", "fd00::1%eth0", 1), True),
        (IPv6Address("TCP", "fe80::1", 1), False),
    ],
)
@on_a_loop
async def test_only_allowed_networks_are_let_in(address: Any, welcome: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Others are closed at once, counted, and each named once in the log."""
    bench = Bench(Engine(), allow=("10.2.0.0/16", "192.168.7.1", "fd00::/8"))
    factory = bench.listening.factory()
    for _ in range(2):
        assert (factory.buildProtocol(address) is not None) == welcome
    assert bench.listening.forbidden == (0 if welcome else 2)
    assert len(caplog.records) == (0 if welcome else 1)


@on_a_loop
async def test_idle_connections_are_closed() -> None:
    """Not before their time, and not while a message is in hand."""
    engine = Engine(at_once=False)
    bench = Bench(engine, idle_timeout=60.0)
    (busy, busy_wire), (_, idle_wire) = bench.connect(), bench.connect()
    busy.dataReceived(frame(b"1"))
    bench.pass_time(59.0)
    await asyncio.sleep(0.01)
    assert not idle_wire.closed
    bench.pass_time(1.0)
    await asyncio.sleep(0.01)
    assert idle_wire.closed and not busy_wire.closed
    assert bench.listening.idle == 1
    engine.answers[0].set_result(Response((b"AA",)))
    await turns()
    assert busy_wire.written() == frame(b"AA")


@on_a_loop
async def test_an_idle_time_of_none_is_never() -> None:
    """`0s` keeps connections for ever."""
    bench = Bench(Engine(), idle_timeout=0.0)
    _, wire = bench.connect()
    bench.pass_time(1e7)
    await asyncio.sleep(0.01)
    assert not wire.closed


@on_a_loop
async def test_a_sender_without_final_cr_is_answered() -> None:
    """After a second of silence."""
    engine = Engine()
    bench = Bench(engine)
    protocol, wire = bench.connect()
    protocol.dataReceived(b"\x0bMSH|one\x1c")
    bench.pass_time(1.0)
    await turns()
    assert wire.written() == frame(b"AA MSH|one")


@on_a_loop
async def test_what_a_lost_connection_left_is_kept() -> None:
    """Whole frames and a cut one are handed in, though nobody is there to be answered."""
    engine = Engine(at_once=False)
    bench = Bench(engine, outstanding=1)
    protocol, _ = bench.connect()
    protocol.dataReceived(frame(b"1") + frame(b"2") + b"\x0bcut")
    protocol.connectionLost()
    for each in range(3):
        await turns()
        engine.answers[each].set_result(Response((b"AA",)))
    await turns()
    assert [(message.content, message.problem) for message in engine.messages] == [(b"1", ""), (b"2", ""), (b"cut", "truncated")]
    assert bench.listening.unanswered == 3
    assert not bench.listening.protocols


@on_a_loop
async def test_closing_answers_what_is_in_hand() -> None:
    """What has not begun is dropped, and never was promised; what is half received too."""
    engine = Engine(at_once=False)
    bench = Bench(engine, outstanding=1)
    protocol, wire = bench.connect()
    protocol.dataReceived(frame(b"1") + frame(b"2") + b"\x0bcut")
    await turns()
    closing = asyncio.ensure_future(bench.listening.close())
    await turns()
    assert not closing.done() and not wire.closed
    engine.answers[0].set_result(Response((b"AA",)))
    await asyncio.sleep(0.01)
    assert wire.written() == frame(b"AA") and wire.closed
    protocol.connectionLost()
    await closing
    assert engine.contents == [b"1"]


@on_a_loop
async def test_closing_can_be_cut_short() -> None:
    """Cancelled, it drops connections and what is in hand."""
    engine = Engine(at_once=False)
    bench = Bench(engine)
    protocol, wire = bench.connect()
    protocol.dataReceived(frame(b"1"))
    await turns()
    closing = asyncio.ensure_future(bench.listening.close())
    await turns()
    closing.cancel()
    await turns()
    assert wire.aborted and engine.answers[0].cancelled()


class Owing(Engine):
    """Accepts at once, and says later what it came to."""

    def __init__(self) -> None:
        super().__init__(at_once=False)
        self.later: list[asyncio.Future[Response]] = []
        self.lost: list[bytes] = []

    def response(self, content: bytes, later: bool = False) -> Response:
        """An answer that is remembered when it is lost; with `later`, another follows it."""
        if later:
            self.later.append(asyncio.get_running_loop().create_future())
        return Response((content,), self.later[-1] if later else None, lambda: self.lost.append(content))

    async def receive(self, message: RawMessage) -> Response:
        if message.content[:1].isdigit():  # original mode
            return await super().receive(message)
        return self.response(b"CA " + message.content, later=True)


@on_a_loop
async def test_what_follows_an_answer_is_written_when_it_is_known() -> None:
    """Commit acknowledgments at once, in order; each application acknowledgment when it is there; the next message waits for neither."""
    engine = Owing()
    protocol, wire = Bench(engine, outstanding=1).connect()
    protocol.dataReceived(frame(b"one") + frame(b"two"))
    await turns()
    protocol.dataReceived(frame(b"three"))
    await turns()
    assert wire.written() == b"".join(frame(b"CA " + each) for each in (b"one", b"two", b"three"))
    for number in (1, 0, 2):
        engine.later[number].set_result(engine.response(b"AA %d" % number))
        await turns()
        assert wire.written() == frame(b"AA %d" % number)
    assert engine.lost == []


@on_a_loop
async def test_what_follows_an_answer_never_overtakes_it() -> None:
    """A commit acknowledgment that waits for its turn comes before the application's, however early that is known."""
    engine = Owing()
    protocol, wire = Bench(engine).connect()
    protocol.dataReceived(frame(b"1") + frame(b"two"))
    await turns()
    engine.later[0].set_result(engine.response(b"AA two"))
    await turns()
    assert wire.written() == b""
    engine.answers[0].set_result(Response((b"AA 1",)))
    await turns()
    assert wire.written() == frame(b"AA 1") + frame(b"CA two") + frame(b"AA two")


@on_a_loop
async def test_closing_waits_for_what_follows() -> None:
    """The sender gets its application acknowledgment before the connection ends; when that takes too long, the engine is told."""
    engine = Owing()
    bench = Bench(engine)
    (one, wire), (two, wire2) = bench.connect(), bench.connect()
    one.dataReceived(frame(b"one"))
    two.dataReceived(frame(b"two"))
    await turns()
    closing = asyncio.ensure_future(bench.listening.close())
    await turns()
    assert not wire.closed
    engine.later[0].set_result(engine.response(b"AA"))
    await asyncio.sleep(0.01)
    assert wire.written() == frame(b"CA one") + frame(b"AA") and wire.closed and not wire2.closed
    closing.cancel()
    await turns()
    assert wire2.aborted and engine.later[1].cancelled()


@on_a_loop
async def test_an_answer_whose_sender_has_gone_is_lost() -> None:
    """The engine is told of each, when it is known; it goes on working until then."""
    engine = Owing()
    bench = Bench(engine)
    protocol, _ = bench.connect()
    protocol.dataReceived(frame(b"1") + frame(b"two"))
    await turns()
    protocol.connectionLost()
    assert bench.listening.protocols
    engine.answers[0].set_result(engine.response(b"AA 1"))
    await turns()
    assert engine.lost == [b"AA 1", b"CA two"] and bench.listening.protocols
    engine.later[0].set_result(Response())  # nothing is owed after all
    await turns()
    assert engine.lost == [b"AA 1", b"CA two"] and not bench.listening.protocols
    assert bench.listening.unanswered == 2


@on_a_loop
async def test_answers_behind_a_hole_are_lost() -> None:
    """They are not written, and what was to follow them neither."""
    engine = Owing()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    bench = Bench(engine)
    protocol, wire = bench.connect()
    protocol.dataReceived(frame(b"1") + frame(b"two"))
    await turns()
    engine.answers[0].set_exception(ZeroDivisionError())
    await asyncio.sleep(0.01)
    assert wire.closed and wire.written() == b"" and engine.lost == [b"CA two"]
    engine.later[0].set_result(engine.response(b"AA two"))
    protocol.connectionLost()
    await turns()
    assert engine.lost == [b"CA two", b"AA two"] and not bench.listening.protocols
    gc.collect()


@pytest.mark.parametrize(
    "options",
    [
        {"listen": "2575"},
        {"listen": "tcp:many"},
        {"listen": "ssl:2575"},
        {"allow": ("10.0.0.0/33",)},
        {"limit": 10},
        {"connections": 0},
        {"idle_timeout": "60"},
    ],
)
def test_declarations_that_cannot_be(options: dict[str, Any]) -> None:
    """They are found by `flue check`, not when the channel opens."""
    with pytest.raises(ValidationError):
        MllpSource(**options)


def test_references_are_left_for_later() -> None:
    """What the environment will say cannot be checked yet."""
    assert MllpSource(listen="${env:LISTEN}", allow=("${env:NETWORK}",)).listen == "${env:LISTEN}"


# --- real sockets


def test_over_real_sockets(runner: Runner, tmp_path: Path) -> None:
    """Pipelined and cut anyhow, half-closed before the answers: all are answered in order."""

    async def conversation() -> None:
        engine = Engine()
        listening = await MllpSource(listen=LOOPBACK, keep_alive=77.0).open(runner.surroundings(tmp_path), engine.receive)
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        stream = b"".join(frame(b"message %d" % each) for each in range(200))
        for at in range(0, len(stream), 333):
            writer.write(stream[at : at + 333])
            await writer.drain()
        writer.write_eof()
        assert await reader.read() == b"".join(frame(b"AA " + (b"message %d" % each)[:10]) for each in range(200))
        writer.close()
        await listening.close()
        assert listening.connections == 0

    runner.run(conversation())


def test_what_connections_inherit(runner: Runner, tmp_path: Path) -> None:
    """Keep-alive probes and no delay of small answers, set without a call per connection where the system allows."""

    async def conversation() -> None:
        listening = await MllpSource(listen=LOOPBACK, keep_alive=77.0).open(runner.surroundings(tmp_path), Engine().receive)
        _, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        while not listening.protocols:
            await asyncio.sleep(0.01)
        (protocol,) = listening.protocols
        found = protocol.transport.getHandle()
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
        await listening.close()

    runner.run(conversation())


def test_many_connections(runner: Runner, tmp_path: Path) -> None:
    """Four hundred at once, each answered; those over the cap see an end at once."""

    async def one(port: int, number: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(frame(b"number %d" % number))
            answer = await reader.read(100)
            await asyncio.sleep(0.2)
        except ConnectionError:
            answer = b""
        writer.close()
        return answer

    async def conversation() -> None:
        listening = await MllpSource(listen=LOOPBACK, connections=400).open(runner.surroundings(tmp_path), Engine().receive)
        answers = await asyncio.gather(*(one(listening.port, each) for each in range(420)))
        assert (sum(map(bool, answers)), listening.refused) == (400, 20)
        await listening.close()

    runner.run(conversation())


def test_who_does_not_read_its_answers(runner: Runner, tmp_path: Path) -> None:
    """Is read from no longer, so that its answers fill no memory; once it reads, it gets them all, in order."""
    count, padding = 10_000, b"." * 4000

    async def receive(message: RawMessage) -> Response:
        return Response((message.content + padding,))

    async def conversation() -> None:
        listening = await MllpSource(listen=LOOPBACK).open(runner.surroundings(tmp_path), receive)
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        for each in range(count):
            writer.write(frame(b"%d" % each))  # gathers on the sender's side
        before = -1
        while listening.messages != before:
            before = listening.messages
            await asyncio.sleep(0.3)
        assert before < count
        for each in range(count):
            assert await reader.readuntil(b"\x1c\r") == frame(b"%d" % each + padding)
        writer.close()
        await listening.close()

    runner.run(conversation())


def test_too_long_is_answered_before_the_end(runner: Runner, tmp_path: Path) -> None:
    """Although the sender is still sending."""

    async def conversation() -> None:
        engine = Engine()
        listening = await MllpSource(listen=LOOPBACK, limit=10**6).open(runner.surroundings(tmp_path), engine.receive)
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(b"\x0bMSH|huge" + b"x" * (3 * 10**6))
        assert await reader.read() == frame(b"AA MSH|hugexx")
        writer.close()
        await listening.close()
        assert [message.problem for message in engine.messages] == ["too_long"]

    runner.run(conversation())


def test_an_address_in_use_is_said(runner: Runner, tmp_path: Path) -> None:
    """With the address, and the system's reason."""

    async def conversation() -> None:
        first = await MllpSource(listen=LOOPBACK).open(runner.surroundings(tmp_path), Engine().receive)
        with pytest.raises(ConnectorError, match="already in use"):
            await MllpSource(listen=f"tcp:{first.port}:interface=127.0.0.1").open(runner.surroundings(tmp_path), Engine().receive)
        await first.close()

    runner.run(conversation())


def test_tls(runner: Runner, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Clients with the right certificate talk; others are refused and the log says why; certificates are exchanged while running."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def issue() -> trustme.LeafCert:
        server = authority.issue_cert("127.0.0.1")
        server.private_key_pem.write_to_path(tmp_path / "server.key")
        (tmp_path / "server.pem").write_bytes(b"".join(each.bytes() for each in server.cert_chain_pems))
        return server

    async def ask(port: int, context: ssl.SSLContext) -> tuple[bytes, bytes | None]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(frame(b"MSH|tls"))
        answer = await reader.readuntil(b"\x1c\r")
        writer.close()
        return answer, shown

    async def conversation() -> None:
        issue()
        tls = ServerTls(certificate="server.pem", key="server.key", client_ca="ca.pem")
        listening = await MllpSource(listen=LOOPBACK, tls=tls).open(runner.surroundings(tmp_path), Engine().receive)
        known = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        authority.issue_cert("analyser.example").configure_cert(known)
        answer, before = await ask(listening.port, known)
        assert answer == frame(b"AA MSH|tls")
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await ask(listening.port, ssl.create_default_context(cafile=str(tmp_path / "ca.pem")))
        issue()
        listening.reload()
        _, after = await ask(listening.port, known)
        assert before != after
        await listening.close()

    runner.run(conversation())
    assert "did not return a certificate" in caplog.text


@pytest.mark.parametrize("close", ["with a FIN", "with a reset", "one half"])
def test_who_does_not_wait_for_what_follows(runner: Runner, tmp_path: Path, close: str) -> None:
    """A sender that hangs up after its commit acknowledgment is found out, however it closes; one that only stops sending gets the other."""

    async def conversation() -> None:
        engine = Owing()
        listening = await MllpSource(listen=LOOPBACK).open(runner.surroundings(tmp_path), engine.receive)
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(frame(b"one"))
        assert await reader.readuntil(b"\x1c\r") == frame(b"CA one")
        if close == "one half":
            writer.write_eof()
        elif close == "with a FIN":
            writer.close()
        else:
            writer.transport.abort()
        await asyncio.sleep(0.05)
        engine.later[0].set_result(engine.response(b"AA one"))
        if close == "one half":
            assert await reader.read() == frame(b"AA one")
            writer.close()
        while listening.protocols:
            await asyncio.sleep(0.01)
        assert engine.lost == ([] if close == "one half" else [b"AA one"])
        await listening.close()

    runner.run(conversation())

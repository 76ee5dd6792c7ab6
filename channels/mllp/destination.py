"""The `mllp` destination: sends HL7 v2 over connections that stay open, one message at a time on each.

Twisted moves the bytes; framing and exchange decide.  A connection on which a message was not answered in time is given up, so that
its late answer meets nobody.  What a connection kept open has lost before anything came back is sent once more on a new one, for many
receivers close what is idle.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import (
    ConnectError, ConnectingCancelledError, ConnectionAborted, ConnectionDone, ConnectionLost, ConnectionRefusedError, DNSLookupError,
)  # fmt: skip
from twisted.internet.error import TimeoutError as TwistedTimeoutError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from channels import faults
from channels.connector import Surroundings
from channels.message import Outcome, Outgoing, Verdict
from channels.mllp.conversation import SILENCE
from channels.mllp.exchange import Exchange, Pairing, Wait
from channels.mllp.framing import FS, START, Deframer, Event, Message, TooLong, frame
from channels.tls import ClientCredentials, Tls
from transforms.component import destination, option
from transforms.declaration.quantities import Duration
from transforms.errors import MessageError
from transforms.hl7.message import Message as HL7Message
from transforms.hl7.message import parse

log = logging.getLogger(__name__)

PORT = 2575
LONGEST_ANSWER = 2**20
FLUSH = 5.0  # seconds a receiver has to take what was written before it is cut off
UNREACHED = {
    ConnectionRefusedError: ("refused_connection", "the receiver refuses the connection"),
    TimeoutError: ("connect_timeout", "no connection to the receiver in time"),
    TwistedTimeoutError: ("connect_timeout", "no connection to the receiver in time"),
    ConnectingCancelledError: ("connect_timeout", "no connection to the receiver in time"),
}


def _url(text: str) -> str:
    if "${" not in text:
        try:
            parts = urlsplit(text)
            fine = parts.scheme in ("mllp", "mllps") and bool(parts.hostname) and parts.port != 0 and parts.path in ("", "/")
        except ValueError:
            fine = False
        if not fine or parts.username or parts.query or parts.fragment:
            raise ValueError("should be an address such as mllp://ris.example:2575, or mllps:// for TLS")
    return text


@destination("mllp")
@dataclass(frozen=True)
class MllpDestination:
    """Sends HL7 v2 over MLLP and pairs what comes back by MSA-2."""

    url: Annotated[str, AfterValidator(_url)] = option("Where to: `mllp://host:2575`, or `mllps://` for TLS.")
    timeout: Duration = option("How long to wait for an answer.", default=30.0, gt=0)
    connect_timeout: Duration = option("How long to wait for a connection.", default=10.0, gt=0)
    connections: int = option("How many connections, each with one message under way.", default=1, ge=1, le=64)
    reuse: bool = option("Keep connections open; false: a new one for each message.", default=True)
    idle_timeout: Duration = option("Close a connection that was not used for this long; 0s: never.", default=600.0, ge=0)
    wait_for: Wait = option("Which answer settles it: the one MSH-15/16 ask for, or always this kind.", default="as_asked")
    pair_by: Pairing = option("How an answer finds its message; `order` if MSA-2 is of no use.", default="control_id")
    tls: Tls | None = option("Speak TLS, and whom to trust.", default=None)

    idempotent: ClassVar[bool] = False

    @property
    def in_flight(self) -> int:
        """One message on each connection."""
        return self.connections

    async def open(self, surroundings: Surroundings) -> MllpSending:
        """Ready to send; connections are made when there is something to send.  ConnectorError where certificates cannot be used."""
        return MllpSending(self, surroundings)


class MllpSending:
    """The destination as it runs; its counts are plain integers, read by whoever measures."""

    def __init__(self, declaration: MllpDestination, surroundings: Surroundings, endpoint: Any = None) -> None:
        """`endpoint`: a Twisted client endpoint in place of the declared address."""
        self.declaration, self.loop = declaration, surroundings.loop
        self.connected = 0  # connections made
        self.stray = 0  # frames that answered nothing we asked
        self.timeouts = 0
        self.lines: set[Line] = set()
        self._kept: list[Line] = []  # open and free; the last used is the next used
        self._free = asyncio.Semaphore(declaration.connections)
        self._gone = asyncio.Event()
        self._credentials, self._endpoint = (None, endpoint) if endpoint else _way(declaration, surroundings)

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Send one message and wait for its answer."""
        message = _message(outgoing.document.body)
        if message is None:
            return Outcome(Verdict.REFUSED, "not_hl7", "it is no HL7 v2 message")
        exchange = Exchange(message, self.declaration.wait_for, self.declaration.pair_by)
        if START in exchange.content or FS in exchange.content:
            return Outcome(Verdict.REFUSED, "unframeable", "it holds a byte that begins or ends MLLP frames")
        async with self._free:
            return await self._converse(exchange)

    async def close(self) -> None:
        """Hang up."""
        for line in tuple(self.lines):
            line.hang_up()
        while self.lines:
            self._gone.clear()
            await self._gone.wait()

    def reload(self) -> None:
        """Read the certificates again, for connections to come."""
        if self._credentials:
            self._credentials.reload()

    # one message

    async def _converse(self, exchange: Exchange) -> Outcome:
        if self._kept and (outcome := await self._ask(self._kept.pop(), exchange)):
            return outcome
        try:
            async with asyncio.timeout(self.declaration.connect_timeout):
                line = await self._endpoint.connect(Factory.forProtocol(partial(Line, self))).asFuture(self.loop)
        except DNSLookupError:
            return exchange.failed("unknown_host", "the receiver's name is not known")
        except (ConnectError, ConnectingCancelledError, TwistedTimeoutError, TimeoutError, OSError) as error:
            return exchange.failed(*UNREACHED.get(type(error), ("unreachable", "no connection to the receiver")))
        return await self._ask(line, exchange) or exchange.failed(*line.lost)

    async def _ask(self, line: Line, exchange: Exchange) -> Outcome | None:
        """Send on `line`; None where the connection was lost before an answer came."""
        outcome = None
        try:
            async with asyncio.timeout(self.declaration.timeout):
                outcome = await line.ask(exchange)
        except TimeoutError:
            self.timeouts += 1
            return exchange.silent()
        finally:  # also when we are cancelled
            self.stray += exchange.stray
            if outcome is not None and self.declaration.reuse and line.open:
                self._keep(line)
            else:
                line.cut_off() if outcome is None else line.hang_up()
        return outcome

    def _keep(self, line: Line) -> None:
        self._kept.append(line)
        if self.declaration.idle_timeout:
            line.wait(self.declaration.idle_timeout)

    # lines

    def joined(self, line: Line) -> None:
        """A connection was made."""
        self.connected += 1
        self.lines.add(line)

    def left(self, line: Line) -> None:
        """A connection is no more."""
        self.lines.discard(line)
        if line in self._kept:
            self._kept.remove(line)
        self._gone.set()


class Line(Protocol):
    """One connection to the receiver."""

    transport: Any

    def __init__(self, sending: MllpSending) -> None:
        self._sending, self._deframer = sending, Deframer(LONGEST_ANSWER)
        self._exchange: Exchange | None = None
        self._answer: asyncio.Future[Outcome | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.open = False
        self.lost = ("connection_lost", "the receiver hangs up instead of answering")

    async def ask(self, exchange: Exchange) -> Outcome | None:
        """Send the exchange's message and wait for its answer; None when the connection is lost before."""
        self._stop_waiting()
        if not self.open:
            return None
        self._exchange, self._answer = exchange, self._sending.loop.create_future()
        try:
            faults.reach("before_send")
            self.transport.write(frame(exchange.content))
            faults.reach("after_send")
            return exchange.sent() or await self._answer
        finally:
            self._exchange = self._answer = None

    def wait(self, seconds: float) -> None:
        """Hang up unless the line is used within `seconds`."""
        self._timer = self._sending.loop.call_later(seconds, self.hang_up)

    def hang_up(self) -> None:
        """Close once what was written has left; cut off whom that takes too long."""
        self._stop_waiting()
        if self.open:
            self.open = False
            self.transport.loseConnection()
            self._timer = self._sending.loop.call_later(FLUSH, self.transport.abortConnection)

    def cut_off(self) -> None:
        """Close at once: what still comes has nobody to meet."""
        self._stop_waiting()
        if self.open:
            self.open = False
            self.transport.abortConnection()

    def connectionMade(self) -> None:
        self.open = True
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)
        self._sending.joined(self)

    def dataReceived(self, data: bytes) -> None:
        self._take(self._deframer.receive(data))
        if self._deframer.unsure:
            self._sending.loop.call_later(SILENCE, self._silence)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.open = False
        self._stop_waiting()
        if not reason.check(ConnectionDone, ConnectionLost, ConnectionAborted):
            self.lost = ("tls", "TLS with the receiver fails")
            log.warning("mllp to %s: TLS fails: %s", self._sending.declaration.url, reason.value)
        self._take(self._deframer.finish())
        if self._answer and not self._answer.done():
            self._answer.set_result(None)
        self._sending.left(self)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if type(event) is TooLong:
                self.cut_off()
            elif type(event) is Message:
                self._answered(event.content)

    def _answered(self, content: bytes) -> None:
        if self._exchange is None or self._answer is None or self._answer.done():
            self._sending.stray += 1
            return
        faults.reach("before_response")
        if outcome := self._exchange.receive(content):
            self._answer.set_result(outcome)
            faults.reach("after_response")

    def _silence(self) -> None:
        """Nothing has followed an FS: it ended the frame."""
        if self._deframer.unsure:
            self._take(self._deframer.finish())

    def _stop_waiting(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _message(body: Any) -> HL7Message | None:
    """A document's body as a message, if it is one."""
    if isinstance(body, HL7Message):
        return body
    try:
        return parse(body.encode() if isinstance(body, str) else body) if isinstance(body, (str, bytes)) else None
    except MessageError:
        return None


def _way(declaration: MllpDestination, surroundings: Surroundings) -> tuple[ClientCredentials | None, Any]:
    """The credentials for TLS, if any, and the endpoint."""
    parts = urlsplit(declaration.url)
    host = parts.hostname or ""
    endpoint: Any = HostnameEndpoint(surroundings.reactor, host, parts.port or PORT, timeout=declaration.connect_timeout)
    tls = declaration.tls or (Tls() if parts.scheme == "mllps" else None)
    if tls is None:
        return None, endpoint
    credentials = ClientCredentials(tls, host, surroundings.folder)
    return credentials, wrapClientTLS(credentials, endpoint)

"""One connection of the `mllp` source: Twisted moves its bytes, framing and conversation decide."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from channels import faults
from channels.message import RawMessage
from channels.mllp.conversation import Begun, Conversation
from channels.mllp.framing import frame

if TYPE_CHECKING:
    from channels.mllp.source import MllpListening

log = logging.getLogger(__name__)

LINGER = 1.0  # seconds between the last answer and the end, where the peer may still be sending: an early end could destroy the answer
FLUSH = 5.0  # seconds a peer has to take its last answers before it is cut off


@implementer(IHalfCloseableProtocol)
class MllpProtocol(Protocol):
    """One connection: a task for each message at once, the answers in the order the messages came."""

    transport: Any

    def __init__(self, listening: MllpListening) -> None:
        self._listening = listening
        declaration = listening.declaration
        self._conversation = Conversation(listening, declaration.limit, declaration.outstanding, listening.steady())
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._peer = ""
        self._connected = False
        self._reading = True
        self._ready: list[bytes] = []  # answers to write, in order
        self._direct = False
        self._clogged = False  # the peer does not take its answers
        self._leaving: asyncio.TimerHandle | None = None

    # Twisted calls

    def connectionMade(self) -> None:
        listening = self._listening
        listening.connections += 1
        listening.accepted += 1
        listening.protocols.add(self)
        self._connected = True
        peer = self.transport.getPeer()
        if isinstance(peer, (IPv4Address, IPv6Address)):
            self._peer = f"{peer.host}:{peer.port}"
            self.transport.setTcpNoDelay(True)  # else the second of two answers waits for the first's arrival
        self._direct = isinstance(self.transport, FileDescriptor)  # a plain socket
        self.transport.registerProducer(self, not self._direct)
        self.regulate()

    def dataReceived(self, data: bytes) -> None:
        faults.reach("before_frame")
        self._begin(self._conversation.receive(data, self._listening.steady()))

    def readConnectionLost(self) -> None:
        """The peer sends no more, and may still listen."""
        self._begin(self._conversation.end(self._listening.steady()))

    def writeConnectionLost(self) -> None:
        """We never close one half only."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._connected = False
        self._listening.connections -= 1
        if reason.check(SSL.Error):
            log.warning("mllp on port %d: TLS with %s failed: %s", self._listening.port, self._peer, reason.value)
        if self._leaving:
            self._leaving.cancel()
        self._begin(self._conversation.end(self._listening.steady()))

    def pauseProducing(self) -> None:
        """The peer does not take its answers."""
        self._clogged = True
        self.regulate()

    def resumeProducing(self) -> None:
        """It has taken them."""
        self._clogged = False
        self.regulate()

    def stopProducing(self) -> None:
        """The connection ends; `connectionLost` follows."""

    # messages

    def _begin(self, begun: list[Begun]) -> None:
        if begun:
            now = self._listening.clock()
            for ticket, content, problem in begun:
                faults.reach("after_frame")
                message = RawMessage(content, now, self._peer, problem)
                self._tasks[ticket] = self._listening.loop.create_task(self._serve(ticket, message))
        self.regulate()

    async def _serve(self, ticket: int, message: RawMessage) -> None:
        contents = None
        try:
            contents = (await self._listening.receive(message)).contents
        finally:
            del self._tasks[ticket]
            self._answer(ticket, contents)

    def _answer(self, ticket: int, contents: Any) -> None:
        ready = self._conversation.answered(ticket, contents, self._listening.steady())
        if ready:
            self._ready += ready
            if not self._conversation.outstanding:
                self._flush()
            elif len(self._ready) == len(ready):  # what shared a commit becomes ready in this turn of the loop, and leaves in one piece
                self._listening.loop.call_soon(self._flush)
        self._begin(self._conversation.begin())

    def _flush(self) -> None:
        """Write the answers that are ready."""
        if not self._ready:
            return
        if self._connected:
            self._write(b"".join(map(frame, self._ready)))
        else:
            self._listening.unanswered += len(self._ready)
        self._ready.clear()

    def _write(self, data: bytes) -> None:
        """Send at once what the socket takes: going through Twisted's buffer costs two system calls and a turn of the loop more."""
        faults.reach("before_ack")
        if self._direct and not self._clogged:
            sent = self.transport.writeSomeData(data)
            if sent == len(data):
                faults.reach("after_ack")
                return
            self._clogged = True  # until Twisted, as to a pull producer, says that its buffer is empty
            data = data[sent:] if isinstance(sent, int) else data  # an error: Twisted meets it again, and closes the connection
        self.transport.write(data)
        if faults.asked:
            self._listening.loop.call_later(0.005, faults.reach, "after_ack")  # it is sent in the loop's next turn

    def regulate(self) -> None:
        """Read on or not, stay or leave, as things are now."""
        if not self._connected:
            if not self._tasks:
                self._listening.gone(self)
            return
        conversation = self._conversation
        if conversation.finished:
            self._hang_up()
        reading = conversation.wants_more and not self._clogged and not self._listening.paused
        if reading != self._reading:
            self._reading = reading
            self.transport.resumeProducing() if reading else self.transport.pauseProducing()

    # the end

    def look(self, now: float) -> None:
        """Once a second: close when idle, end a frame that silence ends."""
        self._begin(self._conversation.notice_silence(now))
        longest = self._listening.declaration.idle_timeout
        if longest and self._connected and not self._leaving and self._conversation.is_idle(now, longest):
            self._listening.idle += 1
            self.leave()

    def leave(self) -> None:
        """Take nothing more, and hang up once what is in hand is answered."""
        self._conversation.stop()
        self.regulate()

    def cut_off(self) -> None:
        """Drop connection and messages in hand."""
        for task in tuple(self._tasks.values()):
            task.cancel()
        if self._connected:
            self.transport.abortConnection()

    def _hang_up(self) -> None:
        """Let the last answers out, then close."""
        self._flush()
        if self._leaving is None:
            patience = LINGER if self._conversation.overrun else 0.0
            self._leaving = self._listening.loop.call_later(patience, self._close)

    def _close(self) -> None:
        self._leaving = self._listening.loop.call_later(FLUSH, self.transport.abortConnection)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

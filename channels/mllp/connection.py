"""One connection of the `mllp` source: Twisted moves its bytes, framing and conversation decide.

An answer is given when the system has taken its bytes.  One that cannot be written is lost, and the engine is told.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from channels import faults
from channels.message import RawMessage, Response
from channels.mllp.conversation import Begun, Conversation
from channels.mllp.framing import frame

if TYPE_CHECKING:
    from channels.mllp.source import MllpListening

log = logging.getLogger(__name__)

LINGER = 1.0  # seconds between the last answer and the end, where the peer may still be sending: an early end could destroy the answer
RESET = 0.2  # seconds for word to come that a peer which sends no more has closed altogether, and never read an answer that came late
FLUSH = 5.0  # seconds a peer has to take its last answers before it is cut off


@implementer(IHalfCloseableProtocol)
class MllpProtocol(Protocol):
    """One connection: a task for each message at once, the answers in the order the messages came, then what follows them."""

    transport: Any

    def __init__(self, listening: MllpListening) -> None:
        self._listening = listening
        declaration = listening.declaration
        self._conversation: Conversation[Response] = Conversation(listening, declaration.limit, declaration.outstanding, listening.steady())
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._peer = ""
        self._connected = False
        self._reading = True
        self._following: set[asyncio.Future[Response]] = set()  # application acknowledgments to come
        self._ready: list[Response] = []  # to write, in order
        self._doubted: list[Response] = []  # handed to Twisted, or to a peer that sends no more: they may not arrive
        self._patience = 0.0  # seconds to stay when all is written
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
        if not reason.check(ConnectionDone):
            self._lose(self._doubted)
        self._begin(self._conversation.end(self._listening.steady()))

    def pauseProducing(self) -> None:
        """The peer does not take its answers."""
        self._clogged = True
        self.regulate()

    def resumeProducing(self) -> None:
        """It has taken them."""
        self._clogged = False
        if not self._conversation.ended:
            self._doubted.clear()
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
        response = None
        try:
            response = await self._listening.receive(message)
        finally:
            del self._tasks[ticket]
            self._answer(ticket, response)

    # answers

    def _answer(self, ticket: int, response: Response | None) -> None:
        conversation = self._conversation
        ready = conversation.answered(ticket, None if response is None else (response,), self._listening.steady())
        if ready:
            self._ready += ready
            if not conversation.outstanding:
                self._flush()
            elif len(self._ready) == len(ready):  # what shared a commit becomes ready in this turn of the loop, and leaves in one piece
                self._listening.loop.call_soon(self._flush)
        if conversation.unwritten:
            self._await_later(conversation.unwritten)
            self._lose(conversation.unwritten)
        self._begin(conversation.begin())

    def _flush(self) -> None:
        """Write the answers that are ready."""
        ready, self._ready = self._ready, []
        if not ready:
            return
        self._await_later(ready)
        if not self._connected:
            self._lose(ready)
        elif data := b"".join([frame(content) for response in ready for content in response.contents]):
            if not self._write(data) or self._conversation.ended:
                self._doubted += ready

    def _await_later(self, responses: list[Response]) -> None:
        """Write application acknowledgments when they are known; meanwhile others are answered."""
        for response in responses:
            if response.later is not None:
                self._conversation.follow()
                self._following.add(response.later)
                response.later.add_done_callback(self._follow)

    def _follow(self, later: asyncio.Future[Response]) -> None:
        conversation = self._conversation
        self._following.discard(later)
        conversation.followed(self._listening.steady())
        if not later.cancelled():
            if conversation.mute:
                self._lose([later.result()])
            else:
                self._ready.append(later.result())
            if conversation.ended:
                self._patience = RESET
            self._flush()
        self._begin(conversation.begin())

    def _lose(self, responses: list[Response]) -> None:
        """These cannot be written, or have not arrived."""
        for response in responses:
            self._listening.unanswered += len(response.contents)
            if response.lost is not None and response.contents:
                response.lost()
        responses.clear()

    def _write(self, data: bytes) -> bool:
        """Send at once what the socket takes: going through Twisted's buffer costs two system calls and a turn of the loop more.

        Whether it has been taken.
        """
        faults.reach("before_ack")
        if self._direct and not self._clogged:
            sent = self.transport.writeSomeData(data)
            if sent == len(data):
                faults.reach("after_ack")
                return True
            self._clogged = True  # until Twisted, as to a pull producer, says that its buffer is empty
            data = data[sent:] if isinstance(sent, int) else data  # an error: Twisted meets it again, and closes the connection
        taken = not self._clogged
        self.transport.write(data)
        if faults.asked:
            self._listening.loop.call_later(0.005, faults.reach, "after_ack")  # it is sent in the loop's next turn
        return taken

    def regulate(self) -> None:
        """Read on or not, stay or leave, as things are now."""
        if not self._connected:
            if not self._tasks and not self._following:
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
        for waiting in (*self._tasks.values(), *self._following):
            waiting.cancel()
        if self._connected:
            self.transport.abortConnection()

    def _hang_up(self) -> None:
        """Let the last answers out, then close."""
        self._flush()
        if self._leaving is None:
            patience = LINGER if self._conversation.overrun else self._patience
            self._leaving = self._listening.loop.call_later(patience, self._close)

    def _close(self) -> None:
        if self._doubted and self._direct and self.transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._lose(self._doubted)
        self._leaving = self._listening.loop.call_later(FLUSH, self.transport.abortConnection)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

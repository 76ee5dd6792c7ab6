"""The `mllp` source: where it listens, who is let in, and all its connections together.

A connection over the cap, or from a network that is not allowed, is accepted and closed at once, for no acknowledgment can be given
without a message; it is counted, and the log says when refusing begins and ends.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from channels.connector import Receive, Surroundings
from channels.errors import ConnectorError
from channels.mllp.connection import MllpProtocol
from channels.mllp.conversation import Counts
from channels.tls import ServerCredentials, ServerTls
from transforms.component import option, source
from transforms.declaration.quantities import Duration, Size

log = logging.getLogger(__name__)

BACKLOG = 1024  # Twisted's default of 50 loses connections when a site's senders all reconnect at once
STRANGERS = 1000  # addresses remembered so that each is logged once


def _endpoint(text: str) -> str:
    if "${" not in text:
        if not text.startswith(("tcp:", "tcp6:", "unix:", "systemd:")):
            raise ValueError("should be a Twisted endpoint such as tcp:2575 or tcp:2575:interface=127.0.0.1")
        try:
            serverFromString(None, text)
        except (ValueError, TypeError, KeyError):
            raise ValueError("is no Twisted endpoint; one is written tcp:2575 or tcp:2575:interface=127.0.0.1") from None
    return text


def _network(text: str) -> str:
    if "${" not in text:
        try:
            ip_network(text, strict=False)
        except ValueError:
            raise ValueError("should be an address or a network such as 10.2.0.0/16") from None
    return text


@source("mllp")
@dataclass(frozen=True)
class MllpSource:
    """Receives HL7 v2 over MLLP; every message is answered, in the order it came."""

    listen: Annotated[str, AfterValidator(_endpoint)] = option("Where to listen, as a Twisted endpoint: `tcp:2575`.", default="tcp:2575")
    limit: Size = option("Longest message accepted.", default=16 * 2**20, ge=1024)
    connections: int = option("How many connections may be open at once; more are closed at once.", default=1000, ge=1)
    outstanding: int = option("How many messages of one connection may be in hand before reading pauses.", default=64, ge=1)
    idle_timeout: Duration = option("Close a connection that brings no message for this long; 0s: never.", default=3600.0, ge=0)
    keep_alive: Duration = option("Ask the system to probe a silent connection after this long; 0s: never.", default=60.0, ge=0)
    allow: tuple[Annotated[str, AfterValidator(_network)], ...] = option("Networks that may connect; none given: any.", default=())
    tls: ServerTls | None = option("Speak TLS, and to whom.", default=None)

    async def open(self, surroundings: Surroundings, receive: Receive) -> MllpListening:
        """Listen; ConnectorError where the address or the certificates cannot be used."""
        listening = MllpListening(self, surroundings, receive)
        await listening.open()
        return listening


class MllpListening(Counts):
    """The source as it runs; its counts are plain integers, read by whoever measures."""

    port = 0

    def __init__(
        self,
        declaration: MllpSource,
        surroundings: Surroundings,
        receive: Receive,
        steady: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.declaration, self.loop, self.receive = declaration, surroundings.loop, receive
        self.steady, self.clock = steady, clock
        self.paused = False
        self.protocols: set[MllpProtocol] = set()  # with a connection, or messages of a lost one in hand
        self._reactor = surroundings.reactor
        self._credentials = ServerCredentials(declaration.tls, surroundings.folder) if declaration.tls else None
        self._allowed = [ip_network(each, strict=False) for each in declaration.allow]
        self._strangers: set[str] = set()
        self._full = False
        self._port: Any = None
        self._sweep: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    async def open(self) -> None:
        """Bind the address and begin to accept."""
        listen = self.declaration.listen
        if listen.startswith(("tcp", "unix")) and "backlog=" not in listen:
            listen += f":backlog={BACKLOG}"
        try:
            self._port = await serverFromString(self._reactor, listen).listen(self.factory()).asFuture(self.loop)
        except CannotListenError as error:
            raise ConnectorError(f"mllp cannot listen on {self.declaration.listen}: {error.socketError}") from None
        address = self._port.getHost()
        if isinstance(address, (IPv4Address, IPv6Address)):
            self.port = address.port
            self._probe_silent(self._port.socket)
        self._sweep = self.loop.call_later(1.0, self._sweeping)

    def factory(self) -> Factory:
        """What makes a protocol for each connection that may come in."""
        inner: Any = Factory.forProtocol(partial(MllpProtocol, self))
        inner.noisy = False
        if self._credentials:
            inner = TLSMemoryBIOFactory(self._credentials, False, inner, self._reactor)
        return _Door(self, inner)

    def pause(self) -> None:
        """Take no more messages; connections stay."""
        self._set_paused(True)

    def resume(self) -> None:
        """Take messages again."""
        self._set_paused(False)

    def reload(self) -> None:
        """Read the certificates again, for connections to come."""
        if self._credentials:
            self._credentials.reload()

    async def close(self) -> None:
        """Stop listening, answer what is in hand, hang up.  When cancelled, cut off at once."""
        if self._sweep:
            self._sweep.cancel()
        if self._port:
            await self._port.stopListening().asFuture(self.loop)
        for protocol in tuple(self.protocols):
            protocol.leave()
        try:
            while self.protocols:
                self._empty.clear()
                await self._empty.wait()
        finally:
            for protocol in tuple(self.protocols):
                protocol.cut_off()

    # the door

    def admits(self, address: IAddress) -> bool:
        """Whether a connection from `address` may stay."""
        if self._allowed and not self._is_allowed(address):
            self.forbidden += 1
            return False
        full = self.connections >= self.declaration.connections
        if full != self._full:
            self._full = full
            if full:
                log.warning("mllp on port %d: %d connections are open, no more are let in", self.port, self.connections)
            else:
                log.info("mllp on port %d: connections are let in again", self.port)
        self.refused += full
        return not full

    def _is_allowed(self, address: IAddress) -> bool:
        host = getattr(address, "host", "")
        if not host:
            return True  # a local socket has permissions of its own
        found = ip_address(host.partition("%")[0])
        found = getattr(found, "ipv4_mapped", None) or found
        if any(found in network for network in self._allowed):
            return True
        if host not in self._strangers and len(self._strangers) < STRANGERS:
            self._strangers.add(host)
            log.warning("mllp on port %d: %s is in no allowed network", self.port, host)
        return False

    def gone(self, protocol: MllpProtocol) -> None:
        """Nothing is left of a connection."""
        self.protocols.discard(protocol)
        self._empty.set()

    # all connections

    def _set_paused(self, paused: bool) -> None:
        self.paused = paused
        for protocol in tuple(self.protocols):
            protocol.regulate()

    def _sweeping(self) -> None:
        """Once a second: who has been idle too long, whose frame ended without saying so."""
        now = self.steady()
        for protocol in tuple(self.protocols):
            protocol.look(now)
        self._sweep = self.loop.call_later(1.0, self._sweeping)

    def _probe_silent(self, listener: socket.socket) -> None:
        """Keep-alive, set where connections inherit it from."""
        if seconds := int(self.declaration.keep_alive):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in (("TCP_KEEPIDLE", seconds), ("TCP_KEEPINTVL", max(1, seconds // 4)), ("TCP_KEEPCNT", 4)):
                if hasattr(socket, name):
                    listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class _Door(Factory):
    """Closes what may not come in before anything, TLS included, is spent on it."""

    noisy = False

    def __init__(self, listening: MllpListening, inner: Any) -> None:
        self._listening, self._inner = listening, inner

    def buildProtocol(self, address: IAddress) -> Any:
        return self._inner.buildProtocol(address) if self._listening.admits(address) else None

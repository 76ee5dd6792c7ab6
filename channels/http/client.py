"""The HTTP client of destinations: kept connections, certificates, credentials; what goes wrong becomes a Failure."""

from __future__ import annotations

import asyncio
import ssl
import time
from asyncio import AbstractEventLoop, Task
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from yarl import URL

from channels.errors import ConnectorError
from channels.http.answer import Failure, Reply
from channels.http.authorization import Authorization, OAuth2, Smart, Token, signing_key, token_of, token_request
from channels.tls import Tls, reloading_context

LARGEST_ANSWER = 64 * 2**20
"""Bytes of an answer that are read; what is longer is not believed."""
UNAUTHORIZED = 401


def unwatched(point: str) -> None:
    """Nobody watches."""


class Client:
    """Sends requests to one receiver.  Nothing is opened before the first."""

    def __init__(self, loop: AbstractEventLoop, folder: Path, timeout: float, tls: Tls | None, authorization: Authorization) -> None:
        """`tls` is None where the receiver's address is plain http.  ConnectorError where a key or certificate cannot be used."""
        self._loop, self._timeout = loop, timeout
        self._server_name = tls.server_name or None if tls else None
        self._pinned = bool(tls and tls.pinned)
        self._tls = reloading_context(tls, folder) if tls else None
        self._fixed = {"Authorization": authorization.fixed} if authorization.fixed else {}
        self._tokens = Tokens(authorization.asked, folder, self) if authorization.asked else None
        self._session: aiohttp.ClientSession | None = None
        self.requests = 0  # for whoever counts

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, reach: Callable[[str], None] = unwatched
    ) -> Reply | Failure:
        """Send, and read the answer.  `reach` is told how far that is: before_send, after_send, before_response, after_response."""
        if self._fixed:
            headers = {**self._fixed, **headers}
        if self._tokens is None:
            return await self._twice(method, url, headers, body, reach)
        for _ in range(2):
            token = await self._tokens.current()
            if isinstance(token, Failure):
                return token
            reply = await self._twice(method, url, {**headers, "Authorization": token.header}, body, reach)
            if not (isinstance(reply, Reply) and reply.status == UNAUTHORIZED):
                break
            self._tokens.drop(token)  # it may have been withdrawn before its end
        return reply

    async def close(self) -> None:
        """Hang up."""
        if self._tokens is not None:
            self._tokens.close()
        if self._session is not None:
            await self._session.close()

    def reload(self) -> None:
        """Read certificates again, for connections to come."""
        if self._tls is not None:
            self._tls.reload()

    async def _twice(self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, reach: Callable[[str], None]) -> Reply | Failure:
        reach("before_send")
        try:
            try:
                return await self.exchange(method, url, headers, body, reach)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # servers close idle connections just when they are used again; the engine would only send it later
                return await self.exchange(method, url, headers, body, reach)
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            return failure(error)

    async def exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, reach: Callable[[str], None] = unwatched, *, own: bool = True
    ) -> Reply | Failure:
        """One request on one connection; raises what aiohttp raises.  `own`: it goes to the receiver itself."""
        self.requests += 1
        secured = self._secured if own else self._secured_elsewhere
        async with self._connected().request(
            method, url, data=body or None, headers=headers, allow_redirects=False, **secured()
        ) as response:
            reach("after_send")
            reach("before_response")
            content = await _body(response)
            reach("after_response")
            if content is None:
                return Failure("answer_too_long", "the receiver's answer does not end")
            return Reply(response.status, response.headers, content, time.time())

    def _secured(self) -> dict[str, Any]:
        return {} if self._tls is None else {"ssl": self._tls.current(), "server_hostname": self._server_name}

    def _secured_elsewhere(self) -> dict[str, Any]:
        """Towards an authorization server: the same authorities, its own name; pinned certificates are the receiver's alone."""
        return {} if self._tls is None or self._pinned else {"ssl": self._tls.current()}

    def _connected(self) -> aiohttp.ClientSession:
        """The session, made on the running loop when first used."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60, loop=self._loop)
            timeout = aiohttp.ClientTimeout(total=self._timeout, sock_connect=min(10.0, self._timeout))
            jar = aiohttp.DummyCookieJar()
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, loop=self._loop, cookie_jar=jar)
        return self._session


class Tokens:
    """The token of one client: fetched when first needed, and again before it ends, while the old one is used."""

    def __init__(self, declared: OAuth2 | Smart, folder: Path, client: Client) -> None:
        if isinstance(declared, Smart):
            signing_key(declared, folder)
        self._declared, self._folder, self._client = declared, folder, client
        self._token: Token | None = None
        self._fetching: Task[Token | Failure] | None = None

    async def current(self) -> Token | Failure:
        """A token that may be used."""
        now = time.time()
        token = self._token
        if token is not None and token.is_good(now):
            if token.is_old(now):
                self._fetch()
            return token
        return await asyncio.shield(self._fetch())

    def drop(self, token: Token) -> None:
        """The receiver does not take it."""
        if self._token is token:
            self._token = None

    def close(self) -> None:
        """Fetch no more."""
        if self._fetching is not None:
            self._fetching.cancel()

    def _fetch(self) -> Task[Token | Failure]:
        """One request at a time, however many wait for it."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.get_running_loop().create_task(self._asked())
        return self._fetching

    async def _asked(self) -> Token | Failure:
        now = time.time()
        try:
            request = token_request(self._declared, self._folder, now, str(uuid4()))
            reply = await self._client.exchange("POST", URL(request.url, encoded=True), request.headers, request.body, own=False)
        except ConnectorError as error:
            return Failure("token", str(error))
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            found = failure(error)
            return Failure("token", f"the authorization server gives no token ({found.code})")
        token = token_of(reply, now) if isinstance(reply, Reply) else reply
        if isinstance(token, Token):
            self._token = token
        return token


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    """The answer's content; None where it is longer than anything a receiver has to say."""
    if response.content_length is not None:
        return await response.read() if response.content_length <= LARGEST_ANSWER else None
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > LARGEST_ANSWER:
            return None
    return bytes(found)


def failure(error: BaseException) -> Failure:
    """What went wrong with a connection, in our words."""
    if isinstance(error, TimeoutError):
        return Failure("timeout", "no answer came in time")
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return Failure("tls", "no trusted connection could be made")
    if isinstance(error, aiohttp.InvalidURL):
        return Failure("bad_url", "the address of the receiver cannot be used")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Failure("unknown_host", "the receiver's name leads to no address")
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return Failure("refused_connection", "the receiver takes no connections")
    return Failure("connection_lost", "the connection broke before an answer came")

"""The `fhir` destination: sends each document as a transaction to a FHIR R4 server (rule 5).

The declaration, and the shell that moves bytes for a `Conversation`: HTTP over kept connections, one claim on a criterion
at a time across all lanes, a memory of references.  What bytes mean is decided in `conversation`, `plan` and `answer`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from asyncio import Future
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import aiohttp
from pydantic import AfterValidator
from pydantic.dataclasses import dataclass
from yarl import URL

from channels import faults
from channels.connector import Surroundings
from channels.fhir.answer import Failure, Reply
from channels.fhir.conversation import Claim, Conversation, Request, Settings
from channels.fhir.references import References
from channels.message import Outcome, Outgoing, Verdict
from channels.tls import Reloading, Tls, reloading_context
from transforms.component import destination, option
from transforms.declaration.quantities import Duration

JSON = "application/fhir+json"
LARGEST_ANSWER = 64 * 2**20
"""Bytes of an answer that are read; what is longer is not believed."""
IDENTIFIERS = "/result-key"
"""What follows the site's identity base in the identifier system of our own ids; maps write it too."""


def _http(url: str) -> str:
    if "${" not in url and not url.startswith(("http://", "https://")):
        raise ValueError("should be the base of a FHIR server, such as https://server.example/fhir/R4")
    return url.rstrip("/")


@destination("fhir")
@dataclass(frozen=True)
class FhirDestination:
    """Sends each document to a FHIR R4 server as a transaction; sending one twice leaves one there."""

    url: Annotated[str, AfterValidator(_http)] = option("Base of the FHIR server: 'https://server.example/fhir/R4'.")
    identity: Literal["put_by_id", "conditional"] = option(
        "How results keep their identity: put under ids that we give, or found by an identifier where the server refuses that.",
        default="put_by_id",
    )
    max_conditional: int = option("Most conditional entries in one transaction; what is more is created ahead of it.", default=8, ge=0)
    max_entries: int = option("Most entries in one transaction; larger ones are split by report. 0: no limit.", default=50, ge=0)
    timeout: Duration = option("How long an answer may take.", default=30.0, gt=0)
    headers: dict[str, str] = option("Headers for every request, such as Authorization: '${secret:repository_token}'.", default={})
    tls: Tls = option("Certificates: whom to trust, and who we are.", default=Tls())
    in_flight: int = option("How many lanes may be sending at once.", default=16, ge=1, le=256)

    idempotent = True

    async def open(self, surroundings: Surroundings) -> FhirSending:
        """A destination that runs.  Nothing is sent before the first document."""
        return FhirSending(self, surroundings)


class FhirSending:
    """Moves bytes between conversations and a server."""

    def __init__(self, declaration: FhirDestination, surroundings: Surroundings) -> None:
        self._declared, self._loop, self._recall = declaration, surroundings.loop, surroundings.recall
        self._base, self._root = declaration.url, URL(declaration.url, encoded=True)
        self._tls = _credentials(declaration, surroundings.folder)
        self._references = References()
        self._claims: dict[str, Future[None]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._settings: dict[str, Settings] = {}
        self._headers = {"Content-Type": JSON, "Accept": JSON, "Prefer": "return=minimal", **declaration.headers}
        self.requests = 0  # for whoever counts

    async def send(self, outgoing: Outgoing) -> Outcome:
        """One attempt.  Whatever a receiver does becomes an Outcome."""
        document = outgoing.document
        part = document.parts[0]
        if part.hold:
            return Outcome(Verdict.HELD, part.hold, "the document may not leave as it is")
        settings = self._settings_for(document.context.identity.base)
        conversation = Conversation(document.body, part.entries, settings, self._references).run()
        claimed: list[str] = []
        came: Any = None
        try:
            while True:
                ask = conversation.send(came)
                if isinstance(ask, Request):
                    came = await self._request(ask)
                elif isinstance(ask, Claim):
                    self._release(claimed)  # who waits holds nothing, so that nobody waits in a circle
                    claimed = await self._claim(ask.keys)
                    came = None
                else:
                    came = await self._recall(ask.keys)
        except StopIteration as end:
            return end.value
        finally:
            self._release(claimed)

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()

    def reload(self) -> None:
        """Read certificates again, for connections to come."""
        if self._tls is not None:
            self._tls.reload()

    def _settings_for(self, base: str) -> Settings:
        found = self._settings.get(base)
        if found is None:
            declared = self._declared
            system = base.rstrip("/") + IDENTIFIERS
            found = Settings(declared.identity == "conditional", declared.max_conditional, declared.max_entries, system)
            self._settings[base] = found
        return found

    # --- one at a time

    async def _claim(self, keys: Sequence[str]) -> list[str]:
        """Wait until nobody is creating any of these; those still unknown then are ours, all at once."""
        while busy := [self._claims[key] for key in keys if key in self._claims]:
            await asyncio.wait(busy)
            keys = [key for key in keys if self._references.get(key) is None]
        mine = self._loop.create_future()
        for key in keys:
            self._claims[key] = mine
        return list(keys)

    def _release(self, claimed: list[str]) -> None:
        for key in claimed:
            future = self._claims.pop(key)
            if not future.done():
                future.set_result(None)
        claimed.clear()

    # --- bytes

    async def _request(self, request: Request) -> Reply | Failure:
        """Send, and read the answer; what goes wrong with the connection is a Failure."""
        if request.last:
            faults.reach("before_send")
        try:
            try:
                return await self._exchange(request)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                return await self._exchange(
                    request
                )  # servers close idle connections just when they are used again; sending twice does no harm
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            return _failure(error)

    async def _exchange(self, request: Request) -> Reply | Failure:
        self.requests += 1
        async with self._connected().request(
            request.method,
            URL(f"{self._base}/{request.path}", encoded=True) if request.path else self._root,
            data=request.body or None,
            headers={**self._headers, **request.headers} if request.headers else self._headers,
            allow_redirects=False,
            **self._secured(),
        ) as response:
            if request.last:
                faults.reach("after_send")
                faults.reach("before_response")
            body = await _body(response)
            if request.last:
                faults.reach("after_response")
            if body is None:
                return Failure("answer_too_long", "the receiver's answer does not end")
            return Reply(response.status, response.headers, body, time.time())

    def _connected(self) -> aiohttp.ClientSession:
        """The session, made on the running loop when first used."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60, loop=self._loop)
            timeout = aiohttp.ClientTimeout(total=self._declared.timeout, sock_connect=min(10.0, self._declared.timeout))
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, loop=self._loop, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def _secured(self) -> dict[str, Any]:
        if self._tls is None:
            return {}
        return {"ssl": self._tls.current(), "server_hostname": self._declared.tls.server_name or None}


def _credentials(declaration: FhirDestination, folder: Path) -> Reloading[ssl.SSLContext] | None:
    return reloading_context(declaration.tls, folder) if declaration.url.startswith("https://") else None


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    """The answer's content; None where it is longer than anything a server has to say."""
    if response.content_length is not None:
        return await response.read() if response.content_length <= LARGEST_ANSWER else None
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > LARGEST_ANSWER:
            return None
    return bytes(found)


def _failure(error: BaseException) -> Failure:
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

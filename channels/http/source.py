"""The `http` source: each request a message.  Nothing is answered before the message is durable."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import zlib
from collections.abc import Mapping
from typing import Annotated, Literal

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import AfterValidator, model_validator
from pydantic.dataclasses import dataclass

from channels.connector import Receive, Surroundings
from channels.errors import ConnectorError
from channels.http import reception
from channels.http.address import LOOPBACK, address
from channels.http.reception import Answer
from channels.message import RawMessage, Response
from channels.tls import Reloading, ServerTls, server_context
from transforms.component import option, source
from transforms.declaration.quantities import Duration, Size

log = logging.getLogger(__name__)


def _endpoint(text: str) -> str:
    if "${" not in text:
        try:
            address(text)
        except OSError:
            raise ValueError("should be written tcp:8090 or tcp:8090:interface=127.0.0.1") from None
    return text


def _digest(text: str) -> str:
    digits = text.lower().removeprefix("sha256:")
    if "${" not in text and (len(digits) != 64 or not set(digits) <= set("0123456789abcdef")):
        raise ValueError("should be the SHA-256 digest of a key, in hexadecimal: `printf %s KEY | sha256sum`")
    return text if "${" in text else digits


@source("http")
@dataclass(frozen=True)
class HttpSource:
    """Takes what is posted: HL7 v2, FHIR in JSON, or anything.  HL7 is answered with its acknowledgment, else with an OperationOutcome."""

    listen: Annotated[str, AfterValidator(_endpoint)] = option("Where to listen, as a Twisted endpoint.", default="tcp:8090:interface=127.0.0.1")
    path: str = option("The path that is taken, with everything below it.", default="/", pattern="^/")
    methods: tuple[Literal["POST", "PUT", "PATCH"], ...] = option("Methods that are taken.", default=("POST",))
    content: Literal["hl7", "fhir", "any"] = option("What comes: what the first step of the channel sees.", default="hl7")
    media_types: tuple[str, ...] = option("Media types that are taken; none given: the usual ones for the content.", default=())
    keep_headers: tuple[str, ...] = option("Request headers to keep with the message, besides its media type.", default=())
    keys: tuple[Annotated[str, AfterValidator(_digest)], ...] = option(
        "SHA-256 digests of the keys that senders give as `Authorization: Bearer`; without any, only this machine may send.", default=()
    )
    status: int = option("The answer's status for what was taken.", default=200, ge=200, le=299)
    limit: Size = option("Longest body accepted, once it is unpacked.", default=16 * 2**20, ge=1024)
    timeout: Duration = option("How long a body may take to arrive.", default=30.0, gt=0)
    idle_timeout: Duration = option("Close a connection that brings no request for this long.", default=75.0, gt=0)
    tls: ServerTls | None = option("Speak TLS, and to whom.", default=None)

    @property
    def gives(self) -> str:
        """Media type of the documents it hands in."""
        return reception.GIVES[self.content]

    @model_validator(mode="after")
    def _guarded(self) -> HttpSource:
        if "${" in self.listen or self.keys or self.tls is not None and self.tls.client_ca:
            return self
        if address(self.listen)[0] not in LOOPBACK:
            raise ValueError("listens beyond this machine, so it needs `keys`, or `tls` with a `client_ca`")
        return self

    async def open(self, surroundings: Surroundings, receive: Receive) -> HttpListening:
        """Listen; ConnectorError where the address or the certificates cannot be used."""
        listening = HttpListening(self, surroundings, receive)
        await listening.open()
        return listening


class HttpListening:
    """The source as it runs."""

    port = 0

    def __init__(self, declaration: HttpSource, surroundings: Surroundings, receive: Receive) -> None:
        self._declared, self._receive, self._paused = declaration, receive, False
        self._types = declaration.media_types or reception.TAKEN[declaration.content]
        self._kept = [name.lower() for name in declaration.keep_headers]
        self._tls: Reloading | None = server_context(declaration.tls, surroundings.folder) if declaration.tls else None
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        """Listen."""
        declared = self._declared
        application = web.Application(client_max_size=declared.limit)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, keepalive_timeout=declared.idle_timeout, shutdown_timeout=60.0, lingering_time=1.0)
        await runner.setup()
        host, port = address(declared.listen)
        site = web.TCPSite(runner, host, port, backlog=1024, ssl_context=self._tls.current() if self._tls else None)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            why = os.strerror(error.errno) if error.errno else str(error)
            raise ConnectorError(f"http: cannot listen on {declared.listen}: {why}") from None
        self._runner, self.port = runner, runner.addresses[0][1]

    def pause(self) -> None:
        """Take no more messages; senders are asked to come again."""
        self._paused = True

    def resume(self) -> None:
        """Take messages again."""
        self._paused = False

    def reload(self) -> None:
        """Read the certificates again, for connections to come."""
        if self._tls:
            self._tls.reload()

    async def close(self) -> None:
        """Stop listening, answer what is in hand, hang up."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._tls:
            self._tls.current()  # looks now and then whether files have changed
        answered = self._refused(request) or await self._taken(request)
        headers = {"Server": "Flue", **answered.headers}
        return web.Response(status=answered.status, body=answered.body, content_type=answered.media_type if answered.body else None, headers=headers)

    def _refused(self, request: web.Request) -> Answer | None:
        """Why a request is not taken, told before its body is read."""
        declared = self._declared
        if declared.keys and not reception.is_known(request.headers.get("Authorization", ""), declared.keys):
            return reception.UNKNOWN
        if not reception.is_under(request.path, declared.path):
            return reception.ELSEWHERE
        if request.method not in declared.methods:
            return reception.not_allowed(declared.methods)
        if "Content-Type" in request.headers and not reception.is_taken(request.content_type, self._types):
            return reception.not_taken(self._types)
        return reception.PAUSED if self._paused else None

    async def _taken(self, request: web.Request) -> Answer:
        received = time.time()
        try:
            content = await asyncio.wait_for(request.read(), self._declared.timeout)
        except web.HTTPRequestEntityTooLarge:
            return reception.TOO_LONG
        except TimeoutError:
            return reception.TOO_SLOW
        except (HttpProcessingError, web.RequestPayloadError, zlib.error, ValueError):
            return reception.BROKEN
        if not content:
            return reception.EMPTY
        response = await self._receive(RawMessage(content, received, _peer(request), about=self._about(request)))
        return reception.answer(await _last(response), self._declared.content, self._declared.status)

    def _about(self, request: web.Request) -> Mapping[str, str]:
        about = {"method": request.method, "path": request.path, "media_type": request.content_type}
        if request.query_string:
            about["query"] = request.query_string
        return about | {f"header.{name}": request.headers[name] for name in self._kept if name in request.headers}


async def _last(response: Response) -> Response:
    """HTTP has room for one answer: in enhanced mode the last of those owed."""
    return response if response.later is None else await response.later


def _peer(request: web.Request) -> str:
    found = request.transport.get_extra_info("peername") if request.transport is not None else None
    return f"{found[0]}:{found[1]}" if found else ""

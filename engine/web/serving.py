"""The HTTP server that the doors share: aiohttp on the engine's loop, JSON in and out, errors as OperationOutcomes.

Listens on loopback unless configured otherwise.  No access log: a URL is nobody's business, and holds no patient data.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable

from aiohttp import web

from channels.http.address import LOOPBACK
from engine.store.contract import StoreUnavailable
from transforms.fhir.serialization import dumps

log = logging.getLogger("flue.web")

LARGEST = 32 * 2**20  # bytes of a request body
IDLE, HEAD = 75.0, 20.0  # seconds a kept-open connection may be quiet, and a request's body may take

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadRequest(Exception):
    """The request is at fault; `status` 400, 404, 409 or 422, and a sentence without values."""

    def __init__(self, sentence: str, status: int = 400, code: str = "invalid") -> None:
        super().__init__(sentence)
        self.sentence, self.status, self.code = sentence, status, code


def reply(content: object, status: int = 200) -> web.Response:
    """`content` as JSON, decimals as they are spelled."""
    return web.Response(body=dumps(content), status=status, content_type="application/json")


def outcome(sentence: str, status: int, code: str = "invalid") -> web.Response:
    """An OperationOutcome."""
    issue = {"severity": "error", "code": code, "diagnostics": sentence}
    body = {"resourceType": "OperationOutcome", "issue": [issue]}
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/fhir+json")


async def json_body(request: web.Request) -> dict:
    """The request's JSON object; {} where there is no body.  Raises BadRequest."""
    try:
        text = await asyncio.wait_for(request.read(), HEAD)
    except TimeoutError:
        raise BadRequest("the body took too long", 408, "timeout") from None
    if not text:
        return {}
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
JSON = frozenset({"application/json", "application/fhir+json"})


def _own_host(bound: str):  # noqa: ANN202 - a middleware
    """A page in a browser must not reach in, neither under its own name nor with a form.

    On loopback only requests that name loopback as their host are answered; what changes anything says it is JSON, which no
    page of another origin may send.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if bound in LOOPBACK and _host(request) not in LOOPBACK:
            return outcome("this door answers to 127.0.0.1 and localhost only", 403, "forbidden")
        if request.method not in SAFE and request.content_type not in JSON:
            return outcome("the body must be application/json", 415, "not-supported")
        return await handler(request)

    return check


def _host(request: web.Request) -> str:
    try:
        return request.url.host or ""
    except ValueError:  # a Host header that is none
        return ""


@web.middleware
async def _spoken_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadRequest as error:
        return outcome(error.sentence, error.status, error.code)
    except StoreUnavailable:
        return outcome("the store takes and gives nothing now", 503, "transient")
    except web.HTTPException as error:
        return outcome(error.reason, error.status, "not-found" if error.status == 404 else "invalid")
    except Exception as error:  # a request must not end without an answer; only the kind is told
        log.exception("a request failed")
        return outcome(f"the engine failed with {type(error).__name__}", 500, "exception")


async def _signed(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "Flue"


class Door:
    """A server that runs; `close` lets requests in hand finish."""

    def __init__(self, runner: web.AppRunner, port: int) -> None:
        self._runner, self.port = runner, port

    async def close(self) -> None:
        """Stop serving."""
        await self._runner.cleanup()


async def serve(add: Callable[[web.Application], None], host: str, port: int) -> Door:
    """Serve what `add` adds to the application; raises OSError, with a sentence, where it cannot listen."""
    application = web.Application(middlewares=[_own_host(host), _spoken_errors], client_max_size=LARGEST)
    application.on_response_prepare.append(_signed)
    add(application)
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=IDLE, shutdown_timeout=5.0)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        why = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(f"HTTP cannot listen on {host}, port {port}: {why}") from error
    if host not in LOOPBACK:
        log.warning("HTTP listens on %s: whoever reaches it may read and send messages, for there is no login", host)
    return Door(runner, runner.addresses[0][1])

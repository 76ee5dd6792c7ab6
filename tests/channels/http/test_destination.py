"""The `http` destination on real sockets: what goes over the wire, and what comes of what a receiver does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from channels.http.authorization import Authorization, OAuth2
from channels.http.destination import HttpDestination, HttpSending
from channels.message import Outcome, Outgoing, Verdict
from tests.reactor import Runner
from transforms.document import FHIR_JSON, HL7, Context, Document, Part
from transforms.hl7.message import parse

MESSAGE = b"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304||ORU^R01|M1/2|P|2.5.1\rPID|1||4711^^^HOSP^MR\r"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def outgoing(media_type: str = HL7, body: Any = None, hold: str = "") -> Outgoing:
    body = parse(MESSAGE) if body is None else body
    return Outgoing(Document(media_type, body, Context(datetime(2026, 3, 4, tzinfo=UTC), "lab"), (Part(hold=hold),)), 7, "M1/2", 1, 0, "there")


@asynccontextmanager
async def serving(**routes: Handler) -> AsyncIterator[str]:
    """A server with a handler for each first part of a path."""
    application = web.Application()
    for name, handler in routes.items():
        application.router.add_route("*", f"/{name}{{rest:.*}}", handler)
    running = web.AppRunner(application, shutdown_timeout=1.0)
    await running.setup()
    await web.TCPSite(running, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{running.addresses[0][1]}"
    finally:
        await running.cleanup()


@asynccontextmanager
async def sending(runner: Runner, url: str, **options: Any) -> AsyncIterator[HttpSending]:
    running = await HttpDestination(url=url, **options).open(runner.surroundings(Path()))
    try:
        yield running
    finally:
        await running.close()


class Seen:
    """Keeps requests, and answers as told."""

    def __init__(self, *answers: web.Response | int) -> None:
        self.answers, self.requests = list(answers), []  # type: ignore[var-annotated]

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0] if self.answers else 200
        return web.Response(status=answer, body=b"said") if isinstance(answer, int) else answer


def attempt(runner: Runner, seen: Seen, what: Outgoing, path: str = "/in", **options: Any) -> Outcome:
    async def once() -> Outcome:
        async with serving(**{"in": seen.take}) as url, sending(runner, url + path, **options) as running:
            return await running.send(what)

    return runner.run(once())


def test_hl7_goes_as_its_bytes(runner: Runner) -> None:
    """With the media type of HL7 over HTTP; the answer is kept."""
    seen = Seen()
    outcome = attempt(runner, seen, outgoing())
    assert (outcome.verdict, outcome.code, outcome.response, outcome.sent) == (Verdict.SENT, "200", b"said", MESSAGE)
    ((method, path, headers, body),) = seen.requests
    assert (method, path, headers["Content-Type"], body) == ("POST", "/in", "x-application/hl7-v2+er7", MESSAGE)


def test_fhir_goes_as_json(runner: Runner) -> None:
    """With FHIR's media type."""
    seen = Seen()
    attempt(runner, seen, outgoing(FHIR_JSON, {"resourceType": "Patient"}), method="PUT")
    assert seen.requests[0][0] == "PUT" and seen.requests[0][2]["Content-Type"] == "application/fhir+json"
    assert seen.requests[0][3] == b'{"resourceType":"Patient"}'


def test_templates_make_address_headers_and_body(runner: Runner) -> None:
    """What is put into an address is percent-encoded; a body may speak of fields, or of the whole."""
    seen = Seen()
    options = {
        "headers": {"X-Message": "{{ channel }}/{{ message_id }}", "Content-Type": "text/x"},
        "body": "<{{ field('PID-3.1') }}|{{ text | length }}|{{ json.resourceType | default('-') }}>",
    }
    attempt(runner, seen, outgoing(), path="/in/{{ control_id }}?part={{ part }}", **options)
    ((_, path, headers, body),) = seen.requests
    assert path == "/in/M1%2F2?part=0" and headers["X-Message"] == "lab/7" and headers["Content-Type"] == "text/x"
    assert body == f"<4711|{len(MESSAGE)}|->".encode()


def test_a_template_that_fails_refuses_its_document(runner: Runner) -> None:
    """Only this one, and without its values."""
    seen = Seen()
    outcome = attempt(runner, seen, outgoing(), body="{{ 1 / (part + 0 * message_id) if message_id == 7 else '' }}")
    assert (outcome.verdict, outcome.code) == (Verdict.REFUSED, "template") and "ZeroDivisionError" in outcome.reason and not seen.requests
    outcome = attempt(runner, seen, outgoing(), headers={"X": "{{ field('MSH-3') }}\u2028{{ part }}"})
    assert outcome.code == "template" and not seen.requests


@pytest.mark.parametrize(
    ("status", "accepted", "verdict"),
    [
        (204, (), Verdict.SENT), (503, (), Verdict.FAILING), (422, (), Verdict.REFUSED), (500, (), Verdict.COUNTED), (302, (), Verdict.FAILING),
        (409, (200, 409), Verdict.SENT), (202, (200,), Verdict.COUNTED), (404, (), Verdict.FAILING),
    ],
)  # fmt: skip
def test_statuses(runner: Runner, status: int, accepted: tuple[int, ...], verdict: Verdict) -> None:
    """What a status means, and what a site makes of it."""
    assert attempt(runner, Seen(status), outgoing(), accepted=accepted).verdict is verdict


def test_a_receiver_may_ask_for_time(runner: Runner) -> None:
    """Retry-After is passed on."""
    answer = web.Response(status=429, headers={"Retry-After": "7"})
    assert attempt(runner, Seen(answer), outgoing()).retry_after == 7


def test_what_may_not_leave_stays(runner: Runner) -> None:
    """A held part is not sent."""
    seen = Seen()
    assert attempt(runner, seen, outgoing(hold="invalid")).verdict is Verdict.HELD and not seen.requests


def test_nobody_there(runner: Runner) -> None:
    """A receiver that is down costs the message nothing."""

    async def once() -> Outcome:
        async with sending(runner, "http://127.0.0.1:9/") as running:
            return await running.send(outgoing())

    outcome = runner.run(once())
    assert (outcome.verdict, outcome.code) == (Verdict.FAILING, "refused_connection")


# --- tokens


class Server:
    """An authorization server that numbers its tokens, and a receiver that takes all but those withdrawn."""

    def __init__(self, life: int = 3600, pause: float = 0.0) -> None:
        self.given, self.life, self.pause, self.withdrawn = 0, life, pause, set()  # type: ignore[var-annotated]
        self.used: list[str] = []

    async def token(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.pause)
        self.given += 1
        return web.json_response({"access_token": f"T{self.given}", "token_type": "bearer", "expires_in": self.life})

    async def take(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "")
        self.used.append(token)
        return web.Response(status=401 if token.removeprefix("Bearer ") in self.withdrawn else 200)


def with_tokens(runner: Runner, server: Server, times: int, **more: Any) -> list[Outcome]:
    async def conversation() -> list[Outcome]:
        async with serving(token=server.token, take=server.take) as url:
            options = {"authorization": Authorization(oauth2=OAuth2(url + "/token", "lab", "secret", **more))}
            async with sending(runner, url + "/take", **options) as running:
                return list(await asyncio.gather(*(running.send(outgoing()) for _ in range(times))))

    return runner.run(conversation())


def test_one_token_serves_all(runner: Runner) -> None:
    """However many wait for it, it is asked for once."""
    server = Server(pause=0.05)
    assert {each.verdict for each in with_tokens(runner, server, 10)} == {Verdict.SENT}
    assert server.given == 1 and set(server.used) == {"Bearer T1"}


def test_a_withdrawn_token_is_fetched_anew_once(runner: Runner) -> None:
    """A 401 brings a new token; a second 401 is the receiver's last word."""
    server = Server()
    server.withdrawn = {"T1"}
    assert [each.verdict for each in with_tokens(runner, server, 1)] == [Verdict.SENT] and server.used == ["Bearer T1", "Bearer T2"]
    server = Server()
    server.withdrawn = {"T1", "T2"}
    (outcome,) = with_tokens(runner, server, 1)
    assert (outcome.verdict, outcome.code, server.given) == (Verdict.FAILING, "401", 2)


def test_an_old_token_is_renewed_while_it_is_used(runner: Runner) -> None:
    """Nobody waits for the new one."""
    server = Server(life=10)

    async def conversation() -> None:
        async with serving(token=server.token, take=server.take) as url:
            asked = Authorization(oauth2=OAuth2(url + "/token", "lab", "secret"))
            async with sending(runner, url + "/take", authorization=asked) as running:
                await running.send(outgoing())
                tokens = running._client._tokens
                assert tokens is not None and tokens._token is not None
                object.__setattr__(tokens._token, "given", tokens._token.given - 100)
                server.pause = 0.05
                await running.send(outgoing())
                assert server.used[-1] == "Bearer T1"
                await asyncio.sleep(0.15)
                await running.send(outgoing())
                assert server.used[-1] == "Bearer T2" and server.given == 2

    runner.run(conversation())


def test_without_a_token_nothing_is_sent(runner: Runner) -> None:
    """The receiver counts as failing, and the reason names the authorization server."""
    seen = Seen()

    async def once() -> Outcome:
        async with serving(take=seen.take) as url:
            asked = Authorization(oauth2=OAuth2("http://127.0.0.1:9/token", "lab", "secret"))
            async with sending(runner, url + "/take", authorization=asked) as running:
                return await running.send(outgoing())

    outcome = runner.run(once())
    assert (outcome.verdict, outcome.code) == (Verdict.FAILING, "token") and "authorization server" in outcome.reason and not seen.requests


# --- declarations


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "ftp://x"}, "should be an address"), ({"url": "https://x.example/{{ nobody }}"}, "nobody"), ({"url": "https://x.example/{{"}, "no template"),
        ({"url": "https://x.example", "body": "{% for %}"}, "no template"), ({"url": "https://x.example", "headers": {"X": "a\nb"}}, "one line"),
        ({"url": "http://x.example", "authorization": Authorization(bearer="x")}, "unencrypted"),
        ({"url": "https://x.example/{{ field('PID-3') }}"}, "into an address"), ({"url": "https://x.example/?q={{ json.id }}"}, "into an address"),
    ],
)  # fmt: skip
def test_mistakes_are_found_at_load(options: dict[str, Any], said: str) -> None:
    """What can be known without a document is said before one comes."""
    with pytest.raises(ValidationError, match=said):
        HttpDestination(**options)

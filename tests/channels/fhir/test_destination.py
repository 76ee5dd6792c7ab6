"""The `fhir` destination on real sockets: what goes over the wire, and what comes of what a receiver does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from channels.errors import ConnectorError
from channels.http import client
from channels.fhir.conversation import Request
from channels.fhir.destination import FhirDestination, FhirSending
from channels.message import Outcome, Outgoing, Verdict
from channels.tls import Tls
from tests.channels.fhir.bundles import laboratory
from tests.channels.fhir.receiver import Receiver
from tests.reactor import Runner
from transforms.document import FHIR_JSON, Context, Document, Identity, Part

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def outgoing(bundle: dict[str, Any], part: Part = Part()) -> Outgoing:
    world = Context(datetime(2024, 3, 1, tzinfo=timezone.utc), identity=Identity(base="https://site.example"))
    return Outgoing(Document(FHIR_JSON, bundle, world, parts=(part,)), message_id=1, control_id="MSG1", attempt=1)


def fhir(receiver: Receiver, seen: list[web.Request] | None = None, pause: float = 0.0) -> Handler:
    """A server that is a Receiver behind HTTP."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if seen is not None:
            seen.append(request)
        await asyncio.sleep(pause)
        path = request.raw_path.removeprefix("/fhir").lstrip("/")
        reply = receiver(Request(request.method, path, await request.read(), dict(request.headers)))
        return web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body, content_type="application/fhir+json")

    return handle


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The base URL of a server that answers everything with `handler`."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    running = web.AppRunner(application, shutdown_timeout=1.0)
    await running.setup()
    await web.TCPSite(running, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://localhost:{running.addresses[0][1]}/fhir"
    finally:
        await running.cleanup()


@asynccontextmanager
async def sending(runner: Runner, url: str, folder: Path = Path("."), **options: Any) -> AsyncIterator[FhirSending]:
    running = await FhirDestination(url=url, **options).open(runner.surroundings(folder))
    try:
        yield running
    finally:
        await running.close()


def attempt(runner: Runner, handler: Handler, **options: Any) -> Outcome:
    """What one document sent to such a server comes to."""

    async def once() -> Outcome:
        async with serving(handler) as url, sending(runner, url, **options) as running:
            return await running.send(outgoing(laboratory()))

    return runner.run(once())


def test_a_transaction_is_posted_to_the_base(runner: Runner) -> None:
    """FHIR JSON with its length, the channel's own headers, one kept connection."""
    seen: list[web.Request] = []

    async def conversation() -> None:
        async with serving(fhir(Receiver(), seen)) as url, sending(runner, url + "/", headers={"Authorization": "Bearer x"}) as running:
            for _ in range(3):
                assert (await running.send(outgoing(laboratory()))).verdict is Verdict.SENT

    runner.run(conversation())
    first = seen[0]
    assert (first.method, first.raw_path) == ("POST", "/fhir") and len(seen) == 3
    assert int(first.headers["Content-Length"]) > 1000 and "Transfer-Encoding" not in first.headers
    assert first.headers["Content-Type"] == "application/fhir+json" and first.headers["Authorization"] == "Bearer x"
    assert len({request.transport for request in seen}) == 1


def test_lanes_never_create_the_same_thing_at_once(runner: Runner) -> None:
    """Reports of one patient sent at the same time: one creates patient and practitioner, the others wait and use their ids."""
    receiver = Receiver(says_entries=True)
    bundles = [laboratory(1, name=f"report {number}") for number in range(8)]

    async def conversation() -> list[Outcome]:
        async with serving(fhir(receiver, pause=0.01)) as url, sending(runner, url) as running:
            return await asyncio.gather(*(running.send(outgoing(each)) for each in bundles))

    assert {outcome.verdict for outcome in runner.run(conversation())} == {Verdict.SENT}
    assert len(receiver.of("Patient")) == len(receiver.of("Practitioner")) == 1 and len(receiver.of("Observation")) == 8
    assert sum(b"ifNoneExist" in request.body and b"7Cpractitioner" in request.body for request in receiver.requests) == 1


def test_who_waits_goes_on_when_the_first_fails(runner: Runner) -> None:
    """A failed attempt gives its claims back."""
    receiver = Receiver()
    first = True

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal first
        if first:
            first = False
            await asyncio.sleep(0.05)
            return web.Response(status=503, headers={"Retry-After": "7"})
        return await fhir(receiver)(request)

    async def conversation() -> list[Outcome]:
        async with serving(handle) as url, sending(runner, url) as running:
            return await asyncio.gather(*(running.send(outgoing(laboratory(1, name=name))) for name in ("a", "b", "c")))

    outcomes = runner.run(conversation())
    assert [outcome.verdict for outcome in outcomes] == [Verdict.FAILING, Verdict.SENT, Verdict.SENT]
    assert outcomes[0].retry_after == 7.0


def test_nobody_listening_is_the_receivers_fault(runner: Runner) -> None:
    """No connection, no such host."""

    async def conversation() -> list[Outcome]:
        found = []
        for url in ("http://127.0.0.1:1/fhir", "http://no-such-host.invalid/fhir"):
            async with sending(runner, url) as running:
                found.append(await running.send(outgoing(laboratory())))
        return found

    outcomes = runner.run(conversation())
    assert {outcome.verdict for outcome in outcomes} == {Verdict.FAILING}
    assert [outcome.code for outcome in outcomes] == ["refused_connection", "unknown_host"]


def test_a_silent_receiver_is_not_waited_for(runner: Runner) -> None:
    """After `timeout` the attempt ends."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return web.Response()

    outcome = attempt(runner, handle, timeout=0.1)
    assert (outcome.verdict, outcome.code) == (Verdict.FAILING, "timeout") and outcome.sent


def test_a_connection_that_breaks(runner: Runner) -> None:
    """Broken once: sent again at once, for servers drop idle connections.  Broken again: the receiver's fault."""
    receiver, left = Receiver(), 1

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal left
        left -= 1
        if left >= 0:
            request.transport.close()
        return await fhir(receiver)(request)

    assert attempt(runner, handle).verdict is Verdict.SENT
    left = 5
    outcome = attempt(runner, handle)
    assert (outcome.verdict, outcome.code) == (Verdict.FAILING, "connection_lost")


def test_an_answer_without_end_is_not_read(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than any answer is not believed, announced or not."""
    monkeypatch.setattr(client, "LARGEST_ANSWER", 1000)

    async def announced(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 2000)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(50):
            await response.write(b"x" * 100)
        return response

    for handle in (announced, endless):
        assert attempt(runner, handle).code == "answer_too_long"


def test_any_friendly_answer_is_accepted(runner: Runner) -> None:
    """Empty, not JSON, chunked: a 2xx is a 2xx."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=201)
        await response.prepare(request)
        await response.write(b"thanks")
        return response

    outcome = attempt(runner, handle)
    assert (outcome.verdict, outcome.code, outcome.response, dict(outcome.learned)) == (Verdict.SENT, "201", b"thanks", {})


def test_what_is_held_is_not_sent(runner: Runner) -> None:
    """A part that may not leave stays."""
    receiver = Receiver()

    async def conversation() -> Outcome:
        async with serving(fhir(receiver)) as url, sending(runner, url) as running:
            return await running.send(outgoing(laboratory(), Part(hold="no_patient_id")))

    outcome = runner.run(conversation())
    assert (outcome.verdict, outcome.code, receiver.requests) == (Verdict.HELD, "no_patient_id", [])


def test_tls_trusts_whom_it_is_told_to(runner: Runner, tmp_path: Path) -> None:
    """A known authority is trusted, an unknown one is not, and a missing file is said to be missing when the channel opens."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    async def conversation(file: str) -> Outcome:
        async with serving(fhir(Receiver()), context) as url, sending(runner, url, tmp_path, tls=Tls(ca=file)) as running:
            running.reload()
            return await running.send(outgoing(laboratory()))

    assert runner.run(conversation("ca.pem")).verdict is Verdict.SENT
    outcome = runner.run(conversation("other.pem"))
    assert (outcome.verdict, outcome.code) == (Verdict.FAILING, "tls")
    with pytest.raises(ConnectorError):
        runner.run(conversation("missing.pem"))


def test_options_are_checked() -> None:
    """An address that is none is found before anything is sent; a reference is left for later."""
    with pytest.raises(ValueError, match="base of a FHIR server"):
        FhirDestination(url="localhost:8080")
    assert FhirDestination(url="${env:FLUE_FHIR_URL}").url == "${env:FLUE_FHIR_URL}"

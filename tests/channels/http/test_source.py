"""The `http` source on real sockets: what it takes, what it hands in, what it answers."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from pydantic import ValidationError

from channels.errors import ConnectorError
from channels.http.source import HttpListening, HttpSource
from channels.message import RawMessage, Response
from channels.tls import ServerTls
from tests.reactor import Runner
from transforms.document import FHIR_JSON, HL7

MESSAGE = b"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304||ORU^R01|1|P|2.5.1\r"
KEY, DIGEST = "s3cret", hashlib.sha256(b"s3cret").hexdigest()


class Engine:
    """Keeps what is handed in, and answers as told."""

    def __init__(self, response: Response = Response((b"MSA|AA|1\r",), code="AA", id=7), pause: float = 0.0) -> None:
        self.response, self.pause, self.seen = response, pause, []  # type: ignore[var-annotated]

    async def __call__(self, raw: RawMessage) -> Response:
        self.seen.append(raw)
        await asyncio.sleep(self.pause)
        return self.response


@asynccontextmanager
async def listening(runner: Runner, engine: Engine, folder: Path = Path(), **options: Any) -> AsyncIterator[tuple[HttpListening, str]]:
    running = await HttpSource(listen="tcp:0:interface=127.0.0.1", **options).open(runner.surroundings(folder), engine)
    try:
        yield running, f"{'https' if options.get('tls') else 'http'}://localhost:{running.port}"
    finally:
        await running.close()


def post(runner: Runner, engine: Engine, body: bytes | None = MESSAGE, to: str = "/", method: str = "POST", *,
         headers: dict[str, str] | None = None, **options: Any) -> tuple[int, bytes, dict[str, str]]:  # fmt: skip
    """Status, body and headers of the answer to one request."""

    async def once() -> tuple[int, bytes, dict[str, str]]:
        async with listening(runner, engine, **options) as (_, url), aiohttp.ClientSession() as session:
            asked = {"Content-Type": "x-application/hl7-v2+er7", **(headers or {})}
            async with session.request(method, url + to, data=body, headers=asked) as response:
                return response.status, await response.read(), dict(response.headers)

    return runner.run(once())


def test_a_message_is_handed_in_and_its_acknowledgment_is_the_answer(runner: Runner) -> None:
    """Bytes, time, sender; and how it came."""
    engine = Engine()
    status, body, headers = post(runner, engine, to="/lab/in?x=1", headers={"X-Lab": "7", "X-Other": "8"}, keep_headers=("X-Lab",))
    assert (status, body, headers["Content-Type"], headers["X-Message-Id"]) == (200, b"MSA|AA|1\r", "x-application/hl7-v2+er7", "7")
    (raw,) = engine.seen
    assert raw.content == MESSAGE and raw.peer.startswith("127.0.0.1:") and raw.received > 1e9
    assert raw.about == {"method": "POST", "path": "/lab/in", "query": "x=1", "media_type": "x-application/hl7-v2+er7", "header.x-lab": "7"}


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (Response((b"x",), code="AA", id=1), 200), (Response((b"x",), code="AE", id=1), 422), (Response((b"x",), code="AR", id=1), 400),
        (Response((b"x",), code="AR"), 503), (Response((b"x",), code="CE"), 503), (Response((b"CA", b"AA"), code="AA", id=1), 200),
        (Response((), code="", id=1), 204),
    ],
)  # fmt: skip
def test_statuses(runner: Runner, response: Response, status: int) -> None:
    """Wrong content, not readable, not kept, nothing owed; where there are two acknowledgments, the last."""
    found, body, headers = post(runner, Engine(response))
    assert found == status and body == (response.contents[-1] if response.contents else b"")
    assert ("Retry-After" in headers) == (status == 503)


@pytest.mark.parametrize(
    ("change", "options", "status"),
    [
        ({"to": "/elsewhere"}, {"path": "/lab"}, 404), ({"to": "/labs"}, {"path": "/lab"}, 404), ({"method": "PUT"}, {}, 405),
        ({"method": "GET", "body": None}, {}, 405), ({"headers": {"Content-Type": "image/png"}}, {}, 415), ({"body": b""}, {}, 400),
        ({"body": b"x" * 2000}, {"limit": 1024}, 413), ({}, {"keys": (DIGEST,)}, 401),
        ({"headers": {"Authorization": "Bearer wrong"}}, {"keys": (DIGEST,)}, 401), ({"headers": {"Authorization": KEY}}, {"keys": (DIGEST,)}, 401),
        ({"body": b"no gzip", "headers": {"Content-Encoding": "gzip"}}, {}, 400),
        ({"body": gzip.compress(b"x" * 2**22), "headers": {"Content-Encoding": "gzip"}}, {"limit": 2**20}, 413),
    ],
)  # fmt: skip
def test_what_is_not_taken(runner: Runner, change: dict[str, Any], options: dict[str, Any], status: int) -> None:
    """An OperationOutcome with the right status; nothing is handed in."""
    engine = Engine()
    found, body, _ = post(runner, engine, **change, **options)
    assert found == status and not engine.seen
    assert json.loads(body)["resourceType"] == "OperationOutcome" and json.loads(body)["issue"][0]["severity"] == "error"


def test_a_key_and_a_path_below(runner: Runner) -> None:
    """Keys are known by their digests; everything below the path is taken; gzip is unpacked."""
    engine = Engine()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Encoding": "gzip"}
    status, _, _ = post(runner, engine, gzip.compress(MESSAGE), "/lab/a/b", headers=headers, keys=("0" * 64, DIGEST))
    assert status == 200 and engine.seen[0].content == MESSAGE


def test_a_paused_channel_asks_to_come_again(runner: Runner) -> None:
    """Connections stay; after that messages are taken again."""
    engine = Engine()

    async def conversation() -> list[int]:
        async with listening(runner, engine) as (running, url), aiohttp.ClientSession() as session:
            found = []
            for change in (running.pause, running.resume):
                change()
                async with session.post(url, data=MESSAGE) as response:
                    found.append(response.status)
            return found

    assert runner.run(conversation()) == [503, 200] and len(engine.seen) == 1


def test_a_slow_body_is_not_waited_for(runner: Runner) -> None:
    """One byte now and then holds nothing up for ever."""
    engine = Engine()

    async def conversation() -> bytes:
        async with listening(runner, engine, timeout=0.2) as (running, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nM")
            line = await asyncio.wait_for(reader.readline(), 5)
            writer.close()
            return line

    assert b" 408 " in runner.run(conversation()) and not engine.seen


def test_closing_answers_what_is_in_hand(runner: Runner) -> None:
    """Whoever was taken is told so."""
    engine = Engine(pause=0.2)

    async def conversation() -> int:
        async with listening(runner, engine) as (running, url), aiohttp.ClientSession() as session:

            async def send() -> int:
                async with session.post(url, data=MESSAGE) as response:
                    return response.status

            sending = asyncio.get_running_loop().create_task(send())
            while not engine.seen:
                await asyncio.sleep(0.01)
            await running.close()
            return await sending

    assert runner.run(conversation()) == 200


def test_tls_and_clients_with_certificates(runner: Runner, tmp_path: Path) -> None:
    """With a `client_ca`, only clients with a certificate of it get in."""
    authority = trustme.CA()
    server, client = authority.issue_cert("localhost"), authority.issue_cert("lab@example.org")
    server.private_key_pem.write_to_path(tmp_path / "key.pem")
    server.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    engine = Engine()

    async def conversation() -> int:
        tls = ServerTls("cert.pem", "key.pem", client_ca="ca.pem")
        async with listening(runner, engine, tmp_path, tls=tls) as (_, url), aiohttp.ClientSession() as session:
            trusting = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
            with pytest.raises(aiohttp.ClientError):
                async with session.post(url, data=MESSAGE, ssl=trusting) as response:
                    await response.read()
            known = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
            client.configure_cert(known)
            async with session.post(url, data=MESSAGE, ssl=known) as response:
                return response.status

    assert runner.run(conversation()) == 200 and len(engine.seen) == 1


def test_an_address_in_use_is_said_so(runner: Runner) -> None:
    """With what is wrong, and where."""

    async def conversation() -> None:
        async with listening(runner, Engine()) as (running, _):
            with pytest.raises(ConnectorError, match="cannot listen on"):
                await HttpSource(listen=f"tcp:{running.port}").open(runner.surroundings(Path()), Engine())

    runner.run(conversation())


def test_what_it_gives() -> None:
    """The first step sees a message, a resource or bytes."""
    assert [HttpSource(content=each).gives for each in ("hl7", "fhir", "any")] == [HL7, FHIR_JSON, "application/octet-stream"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"listen": "tcp:8090:interface=0.0.0.0"}, "needs `keys`"), ({"listen": "udp:1"}, "should be written"), ({"keys": ("secret",)}, "SHA-256"),
        ({"path": "lab"}, "pattern"),
    ],
)  # fmt: skip
def test_mistakes_are_found_at_load(options: dict[str, Any], said: str) -> None:
    """Nobody beyond this machine may send without a key."""
    with pytest.raises(ValidationError, match=said):
        HttpSource(**options)

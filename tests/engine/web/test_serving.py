"""What the HTTP door lets in: this machine's own programs, and no page in a browser."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import web

from engine.store.contract import StoreUnavailable
from engine.web.serving import serve
from tests.engine.laboratory import Laboratory


def test_only_names_of_this_machine_are_let_in(laboratory: Laboratory) -> None:
    """A page that got its own name to mean 127.0.0.1 reads nothing; a tunnel may bring any port."""

    async def story() -> None:
        for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "a b", ""):
            assert (await laboratory.ask("GET", "/v1/messages", Host=host))[0] in (400, 403), host
        for host in ("localhost", "127.0.0.1:1", "[::1]:8080"):
            assert (await laboratory.ask("GET", "/v1/messages", Host=host))[0] == 200, host

    laboratory.tell(story())


def test_a_form_of_another_page_changes_nothing(laboratory: Laboratory) -> None:
    """What a browser sends without asking is answered 415, with or without a body."""

    async def story() -> None:
        for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
            for body in (None, b"{}"):
                status, outcome = await laboratory.ask("POST", "/v1/channels/lab/stop", body, Content_Type=kind)
                assert (status, outcome["issue"][0]["diagnostics"]) == (415, "the body must be application/json")
        assert laboratory.engine.channels()[0].state == "started"

    laboratory.tell(story())


def test_a_body_over_the_limit_is_refused(laboratory: Laboratory) -> None:
    """With 413, and the engine goes on."""

    async def story() -> None:
        status, _ = await laboratory.ask("POST", "/v1/messages/search", b" " * (33 * 2**20))
        assert status == 413
        assert (await laboratory.ask("GET", "/live"))[0] == 200

    laboratory.tell(story())


def test_what_breaks_is_answered_without_a_value(laboratory: Laboratory) -> None:
    """A defect gives 500 with its kind only; a store that fails gives 503."""

    async def broken(request: web.Request) -> web.Response:
        raise RuntimeError("Keller, Ana")

    async def unavailable(request: web.Request) -> web.Response:
        raise StoreUnavailable("disk full")

    async def story() -> None:
        door = await serve(lambda application: application.add_routes([web.get("/a", broken), web.get("/b", unavailable)]), "127.0.0.1", 0)
        laboratory.url = f"http://127.0.0.1:{door.port}"
        status, outcome = await laboratory.ask("GET", "/a")
        assert (status, outcome["issue"][0]["diagnostics"]) == (500, "the engine failed with RuntimeError")
        status, outcome = await laboratory.ask("GET", "/b")
        assert (status, outcome["issue"][0]["code"]) == (503, "transient")
        await door.close()

    laboratory.tell(story())


def test_a_port_that_is_taken_is_named() -> None:
    """In one sentence."""

    async def story() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match=f"HTTP cannot listen on 127.0.0.1, port {port}: Address already in use"):
                await serve(lambda application: None, "127.0.0.1", port)

    asyncio.run(story())

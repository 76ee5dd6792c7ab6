"""How commands reach messages: the running engine's HTTP door or, when none runs, the store itself under its lock.

Both answer with the same plain values, made by the same functions (`engine.admin_api`).
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from email.message import Message
from pathlib import Path
from typing import Any

import click

from engine.cli.output import fail, spoken
from transforms.errors import MessageError
from transforms.fhir.serialization import loads

URL = "http://127.0.0.1:8080"
PATIENCE = 30.0  # seconds for an answer

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # patients' data is no proxy's business

Local = Callable[[Any], Awaitable[dict]]
"""What answers from an opened store instead."""


def options(command: Callable) -> Callable:
    """The options every command has that asks for messages."""
    for add in (
        click.option(
            "--url",
            default=lambda: os.environ.get("FLUE_URL", ""),
            help=f"Where the engine listens; default: FLUE_URL, else as --conf says, else {URL}.",
        ),
        click.option("--conf", default="conf", type=click.Path(path_type=Path), help="The engine's folder; default: conf."),
        click.option(
            "--data", type=click.Path(path_type=Path), help="The store's folder, for when no engine runs; default: data in --conf."
        ),
    ):
        command = add(command)
    return command


class Door:
    """One way in."""

    def __init__(self, url: str, conf: Path, data: Path | None) -> None:
        self._url, self._conf, self._data = (url or _url_of(conf)).rstrip("/"), conf, data
        if not self._url.startswith(("http://", "https://")):
            raise click.BadParameter(f"{url} is no http://HOST:PORT", param_hint="--url")

    def ask(self, method: str, path: str, body: dict | None = None, local: Local | None = None, patience: float = PATIENCE) -> dict:
        """The engine's answer; without an engine, `local`'s.  Leaves with a sentence when neither can be had."""
        try:
            return self._over_http(method, path, body, patience)
        except OSError as error:
            if not _refused(error):
                fail(f"{self._url}: {spoken(error)}")
        except (http.client.HTTPException, MessageError, ValueError):
            fail(f"{self._url} does not answer as Flue does")
        if local is None:
            fail(f"no engine listens on {self._url}; this needs one that runs (flue run)")
        return self._from_store(local)

    def _over_http(self, method: str, path: str, body: dict | None, patience: float) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with _direct.open(request, timeout=patience) as answer:
                _must_be_flue(answer.headers)
                return loads(answer.read())
        except urllib.error.HTTPError as error:
            _must_be_flue(error.headers)
            fail(_sentence(error.read()) or f"{self._url}: {error.code} {error.reason}", 2 if error.code == 400 else 1)

    def _from_store(self, local: Local) -> dict:
        from engine import configuration
        from engine.store.connection import DISK
        from engine.store.contract import StoreUnavailable
        from engine.store.lock import StoreLocked
        from engine.store.schema import NewerStore
        from engine.store.sqlite import open_store, store_file
        from engine.web.serving import BadRequest

        path = self._data or self._conf / configuration.load(self._conf).configuration.store.path
        if not store_file(path).is_file():
            fail(f"no engine listens on {self._url}, and there is no store in {path} (name it with --conf or --data)")

        async def answer() -> dict:
            store = await open_store(path, loop=asyncio.get_running_loop())
            try:
                return await local(store)
            finally:
                await store.close()

        try:
            return asyncio.run(answer())
        except BadRequest as error:
            fail(str(error), 2 if error.status == 400 else 1)
        except (StoreLocked, StoreUnavailable, NewerStore) as error:
            fail(str(error))
        except DISK as error:
            fail(f"{store_file(path)} cannot be read: {error}")


def _url_of(conf: Path) -> str:
    """Where the engine of a folder listens."""
    if not (conf / "engine.yaml").is_file():
        return URL
    from channels.checks import listening
    from engine import configuration

    port, interface = listening(configuration.load(conf).configuration.http) or ("8080", "")
    return f"http://{f'[{interface}]' if ':' in interface else interface or '127.0.0.1'}:{port}"


def _must_be_flue(headers: Message) -> None:
    if not headers.get("Server", "").startswith("Flue"):
        raise ValueError("somebody else's server")


def _refused(error: Exception) -> bool:
    return isinstance(error, ConnectionRefusedError) or isinstance(getattr(error, "reason", None), ConnectionRefusedError)


def _sentence(body: bytes) -> str:
    """What an answer that refuses says: an OperationOutcome, or the problems of files."""
    try:
        said = json.loads(body)
        return "\n".join(said["problems"] if "problems" in said else [issue["diagnostics"] for issue in said["issue"]])
    except (ValueError, KeyError, TypeError):
        return ""

"""How commands reach messages: the running engine's HTTP door or, when none runs, the store itself under its lock.

Both answer with the same plain values, made by the same functions (`engine.admin_api`).
"""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from engine.cli.output import fail
from transforms.fhir.serialization import loads

URL = "http://127.0.0.1:8080"
TIMEOUT = 60.0

Local = Callable[[Any], Awaitable[dict]]
"""What answers from an opened store instead."""


def options(command: Callable) -> Callable:
    """The options every command has that asks for messages."""
    for add in (
        click.option("--url", default=lambda: os.environ.get("FLUE_URL", URL), help=f"Where the engine listens; default {URL}, or FLUE_URL."),
        click.option("--conf", default="conf", type=click.Path(path_type=Path), help="The engine's folder, for when it does not run."),
        click.option("--data", type=click.Path(path_type=Path), help="The store's folder; default: data in --conf."),
    ):
        command = add(command)
    return command


class Door:
    """One way in."""

    def __init__(self, url: str, conf: Path, data: Path | None) -> None:
        self._url, self._conf, self._data = url.rstrip("/"), conf, data

    def ask(self, method: str, path: str, body: dict | None = None, local: Local | None = None) -> dict:
        """The engine's answer; without an engine, `local`'s.  Leaves with status 1 and a sentence when neither can be had."""
        try:
            return self._over_http(method, path, body)
        except (ConnectionRefusedError, urllib.error.URLError) as error:
            if not _refused(error):
                fail(f"{self._url}: {getattr(error, 'reason', error)}")
        if local is None:
            fail(f"no engine listens on {self._url}; this needs one that runs (flue run)")
        return self._from_store(local)

    def _over_http(self, method: str, path: str, body: dict | None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return loads(answer.read())
        except urllib.error.HTTPError as error:
            fail(_sentence(error.read()) or f"{error.code} {error.reason}")

    def _from_store(self, local: Local) -> dict:
        from engine import configuration
        from engine.store.lock import StoreLocked
        from engine.store.sqlite import open_store, store_file
        from engine.web.serving import BadRequest

        path = self._data or self._conf / configuration.load(self._conf).configuration.store.path
        if not store_file(path).exists():
            fail(f"no engine listens on {self._url}, and there is no store in {path} (name it with --conf or --data)")

        async def answer() -> dict:
            store = await open_store(path, loop=asyncio.get_running_loop())
            try:
                return await local(store)
            finally:
                await store.close()

        try:
            return asyncio.run(answer())
        except (BadRequest, StoreLocked) as error:
            fail(str(error))


def _refused(error: Exception) -> bool:
    return isinstance(error, ConnectionRefusedError) or isinstance(getattr(error, "reason", None), ConnectionRefusedError)


def _sentence(body: bytes) -> str:
    try:
        return json.loads(body)["issue"][0]["diagnostics"]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""

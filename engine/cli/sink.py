"""`flue sink`: a small FHIR receiver for trying things out: keeps every bundle as a file, answers as a server would.

It is no FHIR server: it stores nothing by resource and searches nothing.
"""

from __future__ import annotations

import hashlib
import re
import socket
from pathlib import Path

import click
from aiohttp import web

from engine.cli.output import fail, say
from transforms.document import FHIR_JSON
from transforms.errors import MessageError
from transforms.fhir.serialization import dumps, loads

LARGEST = 64 * 2**20


def answer_to(bundle: dict) -> dict:
    """The transaction-response: every entry created or updated, ids derived from what identifies the resource."""
    return {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": [{"response": _response(each)} for each in bundle.get("entry", ())],
    }


def _response(entry: dict) -> dict:
    request = entry.get("request", {})
    if request.get("method") == "PUT" and "?" not in request.get("url", "?"):
        return {"status": "200 OK", "location": f"{request['url']}/_history/1"}
    named = request.get("ifNoneExist") or request.get("url", "") + entry.get("fullUrl", "")
    kind = entry.get("resource", {}).get("resourceType", "Resource")
    return {"status": "201 Created", "location": f"{kind}/{hashlib.sha256(named.encode()).hexdigest()[:16]}/_history/1"}


def application(folder: Path) -> web.Application:
    """Takes any POST or PUT of JSON; files are called after Bundle.identifier, the latest of a name wins."""
    folder.mkdir(parents=True, exist_ok=True)

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            sent = loads(body)
        except MessageError:
            sent = None
        if not isinstance(sent, dict):
            return web.Response(status=400, text="not a JSON object")
        (folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', _name(sent, body))}.json").write_bytes(body)
        if sent.get("resourceType") == "Bundle":
            return web.Response(body=dumps(answer_to(sent)), content_type=FHIR_JSON)
        location = _response({"resource": sent, "fullUrl": body.decode("utf-8", "replace")})["location"]
        return web.Response(status=201, body=body, content_type=FHIR_JSON, headers={"Location": f"/{location}"})

    app = web.Application(client_max_size=LARGEST)
    app.router.add_route("POST", "/{path:.*}", take)
    app.router.add_route("PUT", "/{path:.*}", take)
    return app


def _name(sent: dict, body: bytes) -> str:
    identifier = sent.get("identifier")
    own = identifier.get("value") if isinstance(identifier, dict) else None
    return str(own or f"{sent.get('resourceType', 'resource')}-{hashlib.sha256(body).hexdigest()[:16]}")


@click.command(epilog="Example: flue sink --port 8090 --folder received")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(1, 65535), help="Where to listen.")
@click.option(
    "--folder", default="received", show_default=True, type=click.Path(file_okay=False, path_type=Path), help="Where bundles are kept."
)
def command(port: int, folder: Path) -> None:
    """Receive FHIR bundles on 127.0.0.1 and keep each as a file in FOLDER."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        fail(f"port {port} cannot be listened on: {error.strerror}")
    say(f"receiving on http://127.0.0.1:{port}, keeping bundles in {folder}")
    web.run_app(application(folder), sock=listener, print=None)

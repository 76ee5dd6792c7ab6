"""The engine's own API: what may be asked under /v1, and the health pages beside it.

Searches are POSTed, so that a patient's identifier never stands in a URL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from aiohttp import web

import flue
from engine.admin_api import messages
from engine.metrics.counting import Metrics
from engine.runtime.engine import Engine, Unknown
from engine.runtime.views import Output, Replayed
from engine.store.records import DeliveryRow
from engine.web.serving import BadRequest, json_body, reply
from transforms.fhir.serialization import loads

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
CHANNEL_ACTIONS = ("start", "pause", "stop")
DESTINATION_ACTIONS = ("start", "pause")
DELIVERY_ACTIONS = ("retry", "dismiss")

Answer = Callable[[web.Request], Awaitable[web.Response]]


def add(engine: Engine, metrics: Metrics, application: web.Application) -> None:
    """Add every route."""
    get, post = application.router.add_get, application.router.add_post
    get("/live", partial(live, engine))
    get("/health", partial(health, engine))
    get("/ready", partial(ready, engine))
    get("/metrics", partial(exposition, metrics))
    get("/v1/messages", partial(list_messages, engine))
    post("/v1/messages/search", partial(search_messages, engine))
    get(r"/v1/messages/{id:\d+}", partial(show_message, engine))
    post("/v1/replay", partial(replay, engine))
    get("/v1/channels", partial(list_channels, engine))
    post("/v1/channels/reload", partial(reload, engine))
    post("/v1/channels/{name}/{action}", partial(act_on_channel, engine))
    post("/v1/channels/{name}/destinations/{destination}/{action}", partial(act_on_destination, engine))
    get("/v1/channels/{name}/leftovers", partial(leftovers, engine))
    post(r"/v1/messages/{id:\d+}/{action}", partial(act_on_deliveries, engine))
    get("/v1/store", partial(store, engine))
    post("/v1/store/copy", partial(copy_store, engine))


# -- health


async def live(engine: Engine, request: web.Request) -> web.Response:
    """200 as long as the process answers."""
    return reply({"status": "live", "release": flue.__version__})


async def ready(engine: Engine, request: web.Request) -> web.Response:
    """200 when the store takes messages and every channel that should run does; else 503."""
    found = engine.health()
    return reply({"ready": found.ready, "store": found.store}, 200 if found.ready else 503)


async def health(engine: Engine, request: web.Request) -> web.Response:
    """How everything is: store, channels, destinations, problems of the files loaded last."""
    found = engine.health()
    return reply(asdict(found) | {"release": flue.__version__}, 200 if found.ready else 503)


async def exposition(metrics: Metrics, request: web.Request) -> web.Response:
    """Prometheus' text."""
    return web.Response(body=metrics.exposition(), headers={"Content-Type": PLAIN})


# -- messages


async def list_messages(engine: Engine, request: web.Request) -> web.Response:
    """Messages, newest first; what could name a patient is refused here and belongs into the body of a search."""
    asked = dict(request.query)
    if private := sorted({"patient", "order"} & set(asked)):
        raise BadRequest(f"{private[0]} does not belong into a URL: POST /v1/messages/search")
    return reply(await messages.search(engine.store, asked))


async def search_messages(engine: Engine, request: web.Request) -> web.Response:
    """Messages by any field of a search."""
    return reply(await messages.search(engine.store, await json_body(request)))


async def show_message(engine: Engine, request: web.Request) -> web.Response:
    """One message whole."""
    return reply(await messages.show(engine.store, int(request.match_info["id"])))


async def act_on_deliveries(engine: Engine, request: web.Request) -> web.Response:
    """Retry or dismiss a message's dead letters, unsure and held deliveries; body: destination, part, force."""
    action = _action(request, DELIVERY_ACTIONS)
    body = await json_body(request)
    id, destination, part = int(request.match_info["id"]), str(body.get("destination") or ""), body.get("part")
    if part is not None and not isinstance(part, int):
        raise BadRequest("part must be a whole number")
    if action == "retry":
        rows = await _known(engine.retry(id, destination, part, force=body.get("force") is True))
    else:
        rows = await _known(engine.dismiss(id, destination, part))
    return reply({"deliveries": [_row(row) for row in rows]})


def _row(row: DeliveryRow) -> dict:
    return {"message_id": row.message_id, "destination": row.destination, "part": row.part, "was": row.status.value}


# -- replay


async def replay(engine: Engine, request: web.Request) -> web.Response:
    """Send messages again, or say what would be sent.  Body: ids or search, destinations, under, force, dry_run."""
    body = await json_body(request)
    unknown = sorted(set(body) - {"ids", "search", "destinations", "under", "force", "dry_run"})
    if unknown:
        raise BadRequest(f"unknown field {unknown[0]}")
    ids, search = body.get("ids") or [], body.get("search")
    if not ids and not search:
        raise BadRequest("ids or search must say which messages")
    if not all(isinstance(id, int) for id in ids):
        raise BadRequest("ids must be whole numbers")
    under = body.get("under", "then")
    if under not in ("then", "today"):
        raise BadRequest("under must be `then` or `today`")
    query = messages.query_of(search) if search else None
    destinations = [str(name) for name in body.get("destinations") or ()]
    done = await _known(
        engine.replay(ids, query, destinations=destinations, under=under, force=body.get("force") is True, dry_run=body.get("dry_run") is True)
    )
    return reply({"replayed": [replayed(each) for each in done]})


def replayed(one: Replayed) -> dict:
    """A replay as plain values."""
    return {
        "original": one.original, "id": one.id or None, "status": one.status, "error": one.error, "released": one.released,
        "outputs": [_output(each) for each in one.outputs],
    }  # fmt: skip


def _output(one: Output) -> dict:
    fhir = one.content[:1] == b"{"
    return {
        "destination": one.destination, "part": one.part, "media_type": one.media_type, "hold": one.hold,
        "content": loads(one.content) if fhir else None, "text": None if fhir else one.content.decode("utf-8", "replace"),
    }  # fmt: skip


# -- channels


async def list_channels(engine: Engine, request: web.Request) -> web.Response:
    """Channels and destinations as they run, how many messages each holds in which status, problems of their files."""
    counts = await engine.store.counts()
    shown = [asdict(view) | {"messages": {status: number for (name, status), number in counts.items() if name == view.name}} for view in engine.channels()]
    return reply({"channels": shown, "problems": [str(problem) for problem in engine.problems]})


async def reload(engine: Engine, request: web.Request) -> web.Response:
    """Read the files again; only what changed is restarted, what does not check changes nothing."""
    loading = await engine.reload()
    return reply({"problems": [str(problem) for problem in loading.problems]}, 422 if loading.errors else 200)


async def act_on_channel(engine: Engine, request: web.Request) -> web.Response:
    """Start, pause or stop a channel."""
    name, action = request.match_info["name"], _action(request, CHANNEL_ACTIONS)
    await _known({"start": engine.start_channel, "pause": engine.pause_channel, "stop": engine.stop_channel}[action](name))
    return reply({"channel": name, "state": engine.channel(name).state.value})


async def act_on_destination(engine: Engine, request: web.Request) -> web.Response:
    """Start or pause a destination."""
    name, destination, action = request.match_info["name"], request.match_info["destination"], _action(request, DESTINATION_ACTIONS)
    try:
        {"start": engine.start_destination, "pause": engine.pause_destination}[action](name, destination)
    except Unknown as error:
        raise BadRequest(str(error), 404, "not-found") from None
    return reply({"channel": name, "destination": destination, "action": action})


async def leftovers(engine: Engine, request: web.Request) -> web.Response:
    """The ledger by path: which fields no rule read, how often."""
    found = await engine.store.leftovers(request.match_info["name"])
    return reply({"leftovers": dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))})


async def store(engine: Engine, request: web.Request) -> web.Response:
    """Messages by channel and status."""
    counts = await engine.store.counts()
    return reply({"messages": [{"channel": channel, "status": status, "count": number} for (channel, status), number in sorted(counts.items())]})


async def copy_store(engine: Engine, request: web.Request) -> web.Response:
    """Copy the store to the file `target` on the engine's machine, while it is in use."""
    target = (await json_body(request)).get("target")
    if not isinstance(target, str) or not Path(target).is_absolute() or not Path(target).parent.is_dir():
        raise BadRequest("target must be an absolute path in a folder that is there")
    if Path(target).exists():
        raise BadRequest("target is there already", 409, "conflict")
    await asyncio.to_thread(engine.store.copy_to, Path(target))
    return reply({"target": target})


def _action(request: web.Request, known: tuple[str, ...]) -> str:
    action = request.match_info["action"]
    if action not in known:
        raise BadRequest(f"there is no action {action}; known are {', '.join(known)}", 404, "not-found")
    return action


async def _known(asked):  # noqa: ANN001, ANN202 - whatever the awaitable gives
    try:
        return await asked
    except Unknown as error:
        raise BadRequest(str(error), 404, "not-found") from None
    except KeyError as error:
        raise BadRequest(f"there is no destination {error.args[0]}", 404, "not-found") from None

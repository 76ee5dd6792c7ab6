"""The engine's own API: what may be asked under /v1, and the health pages beside it.

Searches are POSTed, so that a patient's identifier never stands in a URL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

import flue
from engine.admin_api import merges, messages
from engine.admin_api.asked import PRIVATE, fields, identifiers, names, query_of
from engine.metrics import standing
from engine.metrics.counting import Metrics
from engine.runtime.engine import Engine, Unknown
from engine.runtime.views import ChannelView, Output, Replayed
from engine.store.records import DeliveryRow
from engine.web.serving import BadRequest, json_body, reply
from transforms.errors import ConfigurationError
from transforms.fhir.serialization import loads

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
CHANNEL_ACTIONS = ("start", "pause", "stop")
DESTINATION_ACTIONS = ("start", "pause")
DELIVERY_ACTIONS = ("retry", "dismiss")


def add(engine: Engine, metrics: Metrics, application: web.Application) -> None:
    """Add every route."""
    get, post = application.router.add_get, application.router.add_post
    get("/live", partial(live, engine))
    get("/health", partial(health, engine))
    get("/ready", partial(ready, engine))
    get("/metrics", partial(exposition, engine, metrics))
    get("/v1/messages", partial(list_messages, engine))
    post("/v1/messages/search", partial(search_messages, engine))
    get(r"/v1/messages/{id:\d{1,18}}", partial(show_message, engine))
    post("/v1/replay", partial(replay, engine))
    get("/v1/merges", partial(list_merges, engine))
    post(r"/v1/merges/{id:\d{1,18}}/undo", partial(undo_merge, engine))
    get("/v1/channels", partial(list_channels, engine))
    post("/v1/channels/reload", partial(reload, engine))
    post("/v1/channels/{name}/{action}", partial(act_on_channel, engine))
    post("/v1/channels/{name}/destinations/{destination}/{action}", partial(act_on_destination, engine))
    get("/v1/channels/{name}/leftovers", partial(leftovers, engine))
    post(r"/v1/messages/{id:\d{1,18}}/{action}", partial(act_on_deliveries, engine))
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


async def exposition(engine: Engine, metrics: Metrics, request: web.Request) -> web.Response:
    """Prometheus' text: what was counted since the start, and how things stand now."""
    counts = await engine.store.counts()
    now = standing.Standing(_standing(view, counts) for view in engine.channels())
    return web.Response(body=metrics.exposition(now), headers={"Content-Type": PLAIN})


def _standing(view: ChannelView, counts: Mapping[tuple[str, str], int]) -> standing.Channel:
    destinations = tuple(
        standing.Destination(each.name, each.state, each.under_way, each.in_memory, each.parked_lanes, each.caught_up)
        for each in view.destinations
    )
    return standing.Channel(view.name, view.in_hand, destinations, _of(view.name, counts), view.counts)


def _of(channel: str, counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    return {status: number for (name, status), number in sorted(counts.items()) if name == channel}


# -- messages


async def list_messages(engine: Engine, request: web.Request) -> web.Response:
    """Messages, newest first; what could name a patient is refused here and belongs into the body of a search."""
    asked = dict(request.query)
    if private := [name for name in PRIVATE if name in asked]:
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
    known = {"destination": str, "part": int} | ({"force": bool} if action == "retry" else {})
    asked: dict[str, Any] = fields(await json_body(request), **known)
    id = int(request.match_info["id"])
    if action == "retry":
        rows = await _known(engine.retry(id, asked.get("destination", ""), asked.get("part"), force=asked.get("force", False)))
    else:
        rows = await _known(engine.dismiss(id, asked.get("destination", ""), asked.get("part")))
    return reply({"deliveries": [_row(row) for row in rows]})


def _row(row: DeliveryRow) -> dict:
    return {"message_id": row.message_id, "destination": row.destination, "part": row.part, "was": row.status.value}


# -- replay


async def replay(engine: Engine, request: web.Request) -> web.Response:
    """Send messages again, or say what would be sent.  Body: ids or search, destinations, under, force, dry_run."""
    asked: dict[str, Any] = fields(await json_body(request), ids=list, search=dict, destinations=list, under=str, force=bool, dry_run=bool)
    ids, search, under = identifiers(asked.get("ids", [])), asked.get("search"), asked.get("under", "then")
    if not ids and not search:
        raise BadRequest("ids or search must say which messages")
    if under not in ("then", "today"):
        raise BadRequest("under must be `then` or `today`")
    query = query_of(search) if search else None
    options = {name: asked[name] for name in ("force", "dry_run") if name in asked}
    destinations = names(asked.get("destinations", []))
    done = await _known(engine.replay(ids, query, destinations=destinations, under=under, **options), destinations)
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


# -- merges


async def list_merges(engine: Engine, request: web.Request) -> web.Response:
    """Which numbers were merged into which, newest first, those that were taken back too."""
    return reply({"merges": [merges.shown(each) for each in await engine.merged()]})


async def undo_merge(engine: Engine, request: web.Request) -> web.Response:
    """Take back what a message merged, or say what would be sent.  Body: dry_run."""
    asked: dict[str, Any] = fields(await json_body(request), dry_run=bool)
    done = await _known(engine.undo_merge(int(request.match_info["id"]), dry_run=asked.get("dry_run", False)))
    return reply(merges.undone(done, [_output(each) for each in done.outputs]))


# -- channels


async def list_channels(engine: Engine, request: web.Request) -> web.Response:
    """Channels and destinations as they run, how many messages each holds in which status, problems of their files."""
    counts = await engine.store.counts()
    shown = [asdict(view) | {"messages": _of(view.name, counts)} for view in engine.channels()]
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
    return reply({"channel": name, "destination": destination, "state": _state(engine, name, destination)})


def _state(engine: Engine, channel: str, destination: str) -> str:
    views = next(view.destinations for view in engine.channels() if view.name == channel)
    return next(view.state for view in views if view.name == destination)


async def leftovers(engine: Engine, request: web.Request) -> web.Response:
    """The ledger by path: which fields no rule read, how often."""
    name = request.match_info["name"]
    return reply(await messages.leftovers(engine.store, name, any(view.name == name for view in engine.channels())))


async def store(engine: Engine, request: web.Request) -> web.Response:
    """Messages by channel and status."""
    return reply(await messages.counts(engine.store))


async def copy_store(engine: Engine, request: web.Request) -> web.Response:
    """Copy the store to the file `target` on the engine's machine, while it is in use."""
    target = fields(await json_body(request), target=str).get("target")
    if not isinstance(target, str) or not Path(target).is_absolute():
        raise BadRequest("target must be an absolute path")
    return reply(await messages.copy(engine.store, Path(target)))  # type: ignore[arg-type]


def _action(request: web.Request, known: tuple[str, ...]) -> str:
    action = request.match_info["action"]
    if action not in known:
        raise BadRequest(f"there is no action {action}; known are {', '.join(known)}", 404, "not-found")
    return action


async def _known(asked, destinations: Sequence[str] = ()):  # noqa: ANN001, ANN202 - whatever the awaitable gives
    try:
        return await asked
    except Unknown as error:
        raise BadRequest(str(error), 404, "not-found") from None
    except ConfigurationError as error:
        raise BadRequest(str(error), 422, "invalid") from None
    except KeyError as error:
        if error.args[0] not in destinations:
            raise
        raise BadRequest(f"there is no destination {error.args[0]}", 404, "not-found") from None

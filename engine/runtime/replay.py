"""Sending messages again: as they came, under the version of their day or today's, to some or all of their destinations.

A replay is a message of its own, linked to the original and run as of the time the original came, so that it gives what that
gave.  What the receiver knows by now still counts: a result that was corrected since is superseded, unless the replay is forced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import flue
from engine.runtime.channel import Channel
from engine.runtime.in_hand import Delivery
from engine.runtime.plan import Plan
from engine.runtime.views import Output, Replayed
from engine.store.contract import Store
from engine.store.records import MessageRow, Query
from transforms.document import FHIR_JSON, Document
from transforms.fhir.register import Decision, apply
from transforms.fhir.serialization import dumps

Under = Literal["then", "today"]
MOST = 10_000  # messages a replay takes at once: more should be several


async def found(store: Store, query: Query) -> list[int]:
    """The ids of a search's messages, oldest first."""
    ids: list[int] = []
    while len(ids) < MOST:
        page = await store.search(replace(query, limit=500, before=ids[-1] if ids else query.before))
        ids += [message.id for message in page]
        if len(page) < 500:
            break
    return ids[:MOST][::-1]


async def replay(
    channel: Channel, original: MessageRow, *, under: Under, destinations: tuple[str, ...], force: bool, dry_run: bool
) -> Replayed:
    """Send one message again, or say what would be sent."""
    digest = original.version if under == "then" else channel.version.digest
    dispatch = await channel.versions.load(digest)
    kept = await channel.plant.store.version(digest)
    released = kept.release if kept is not None and kept.release != flue.__version__ else ""
    if dry_run:
        received = await channel.distribution.first_received(original)
        plan = dispatch.again(original.content, received, destinations, channel.plant.merges.now, original.about)
        return Replayed(original.id, 0, plan.status.value if plan.status else "", _why(plan), tuple(outputs(plan)), released)
    id = await channel.replay(original, dispatch, digest, destinations, force)
    return Replayed(original.id, id, released=released)


def _why(plan: Plan) -> str:
    if plan.error is None:
        return f"{plan.why} {plan.origin}".strip()
    return f"{plan.error.place}: {plan.error.why}" + (f" ({plan.error.origin})" if plan.error.origin else "")


def outputs(plan: Plan) -> Iterable[Output]:
    """The documents of a plan, as they would leave."""
    for name, deliveries in plan.deliveries.items():
        for delivery in deliveries:
            yield Output(name, delivery.part, delivery.lane, delivery.document.media_type, content(delivery), delivery.hold)


def content(delivery: Delivery) -> bytes:
    """What would leave, as bytes, before the destination makes its own of it."""
    document: Document = delivery.document
    if document.media_type == FHIR_JSON:
        return dumps(apply(document.body, document.parts[0], Decision()))
    return document.body.encode() if isinstance(document.body, str) else bytes(document.body)

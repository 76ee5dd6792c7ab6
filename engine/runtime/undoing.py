"""The merges of a store as people see them, and how one is taken back.

Taking back is a message of its own, linked to the one that merged: what the maps of that one made of it is undone at every destination
that was told in FHIR, by a delivery like any other (queued, in both patients' lanes, retried, found by search).  From that message on
the numbers stand for themselves again.  What the receiver was told of the prior patient's results in between stays with the survivor
until it is said again: a replay of those messages does that.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.runtime.channel import Channel
from engine.runtime.merges import Merges, Standing
from engine.runtime.replay import outputs
from engine.runtime.views import Output
from engine.store.contract import Store
from engine.store.records import MergeRow, MessageRow


@dataclass(frozen=True, slots=True)
class MergeView:
    """A merge: which message said it, when, what became of that one, and by which message it was taken back (0: it is in force)."""

    id: int
    received: float
    channel: str
    status: str
    row: MergeRow

    @property
    def undone(self) -> int:
        return self.row.undone


@dataclass(frozen=True, slots=True)
class Undone:
    """What becomes of taking back.  `id` is the new message's, 0 in a dry run; `outputs` what would be sent."""

    original: int
    id: int
    rows: tuple[MergeRow, ...]
    outputs: tuple[Output, ...] = ()


async def listed(store: Store, rows: list[MergeRow]) -> list[MergeView]:
    """Merges with what is known of their messages, newest first."""
    messages: dict[int, MessageRow | None] = {id: await store.message(id) for id in {row.message_id for row in rows}}
    return [
        MergeView(row.message_id, found.received, found.channel, found.status.value, row)
        for row in reversed(rows)
        if (found := messages[row.message_id]) is not None
    ]


async def undo(channel: Channel, original: MessageRow, merges: Merges, dry_run: bool) -> Undone:
    """Take back what a message merged and is in force, or say what would be sent."""
    rows = tuple([row for row in merges.of(original.id) if not row.undone])
    dispatch = await channel.versions.load(original.version)
    if not dry_run:
        return Undone(original.id, await channel.undo(original, dispatch, rows), rows)
    received = await channel.distribution.first_received(original)
    standing = Standing(merges.now.aliases, tuple([row.merge for row in rows]))
    plan = dispatch.again(original.content, received, original.destinations, standing)
    return Undone(original.id, 0, rows, tuple(outputs(plan)))

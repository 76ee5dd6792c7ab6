"""Merges as the API shows them: which number stands for which, since which message, and what taking one back does.

Takes views and gives plain values: the same functions answer HTTP and, when no engine runs, the command line.
"""

from __future__ import annotations

from engine.admin_api.messages import iso
from engine.runtime.undoing import MergeView, Undone, listed
from engine.store.contract import Store
from engine.store.records import MergeRow


async def listing(store: Store) -> dict:
    """All merges of a store, newest first."""
    return {"merges": [shown(each) for each in await listed(store, await store.merges())]}


def shown(view: MergeView) -> dict:
    """A merge in a line; `undone` is the message that took it back."""
    return {
        "id": view.id, "channel": view.channel, "received": iso(view.received), "status": view.status, **_row(view.row),
        "undone": view.row.undone or None,
    }  # fmt: skip


def undone(done: Undone, outputs: list[dict]) -> dict:
    """What taking back does: numbers that stand for themselves again, and what is sent."""
    return {"original": done.original, "id": done.id or None, "merges": [_row(row) for row in done.rows], "outputs": outputs}


def _row(row: MergeRow) -> dict:
    merge = row.merge
    return {
        "type": merge.kind, "event": merge.event, "prior": {"system": merge.prior[0], "value": merge.prior[1]},
        "survivor": {"system": merge.survivor[0], "value": merge.survivor[1]},
    }  # fmt: skip

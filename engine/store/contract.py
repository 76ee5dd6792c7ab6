"""What a store promises, whichever database it is on.

When an awaited write returns, it is durable.  Writes are grouped: what arrives while a commit runs shares the next one.
`receive` and `settle` take charge at once, in the order they are called; what they return may be awaited later, or by
others.  A destination in `register`, `recall` and in a Settlement is any name its caller keeps to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from engine.store.records import (
    Arrival, ChannelVersion, DeliveryRow, DeliveryStatus, MergeRow, MessageRow, Query, RegisterRow, Settlement, Stored,
)  # fmt: skip


class StoreUnavailable(Exception):
    """The store cannot keep anything now (disk full, I/O error); nothing was kept, the sender may send again."""


class Refused(Exception):
    """A record that the store cannot take, such as a transition its state table does not know; others are not concerned."""


class Store(Protocol):
    """The durable record."""

    async def receive(self, arrival: Arrival) -> Stored: ...
    async def settle(self, settlement: Settlement) -> None: ...

    async def message(self, id: int) -> MessageRow | None: ...
    async def search(self, query: Query) -> list[MessageRow]: ...  # without content
    async def deliveries(self, message_id: int) -> list[DeliveryRow]: ...
    async def counts(self) -> Mapping[tuple[str, str], int]: ...  # (channel, status) -> messages; cheap

    async def unsettled(self, channel: str, after: int, limit: int) -> list[MessageRow]:
        """Messages `received` with an id above `after`, oldest first, with content: the backlog, read on by cursor."""

    async def settled_for(self, channel: str, destination: str, ids: Sequence[int]) -> Mapping[int, Sequence[DeliveryRow]]:
        """Of unsettled messages `ids`, the delivery rows already written for `destination` (without `sent` and `response`)."""

    async def waiting(self, channel: str, destination: str, statuses: Sequence[DeliveryStatus], lane: str | None = None,
                      after: int = 0, limit: int = 500) -> list[DeliveryRow]: ...  # fmt: skip
    # rows in one of `statuses` that are not final, in order of message id and part, without `sent` and `response`

    async def register(self, destination: str, keys: Sequence[str]) -> Mapping[str, RegisterRow]: ...
    async def recall(self, destination: str, criteria: Sequence[str]) -> Mapping[str, str]: ...
    async def merges(self) -> list[MergeRow]: ...  # all of them, in the order of receipt; written with the Arrival that brings them
    async def keep_version(self, version: ChannelVersion) -> None: ...
    async def version(self, digest: str) -> ChannelVersion | None: ...
    async def leftovers(self, channel: str) -> Mapping[str, int]: ...  # path without occurrences -> how often
    async def close(self) -> None: ...

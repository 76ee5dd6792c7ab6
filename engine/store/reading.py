"""What is read: short indexed reads on a connection of their own, which never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw
import msgspec

from engine.store import rows
from engine.store.compression import expand
from engine.store.connection import DISK
from engine.store.contract import StoreUnavailable
from engine.store.names import Names
from engine.store.queries import STATEMENTS
from engine.store.records import ChannelVersion, DeliveryRow, DeliveryStatus, MergeRow, MessageRow, RegisterRow
from transforms.document import Merge


def json_array(values: Sequence[object]) -> str:
    """Values as a JSON array, for json_each."""
    return msgspec.json.encode(list(values)).decode()


class Reader:
    """Reads what is committed."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection, self.names = connection, Names(connection, writing=False)

    def execute(self, name: str, bindings: object = ()) -> apsw.Cursor:
        """Run a statement by name; raises StoreUnavailable where the disk fails."""
        try:
            return self.connection.execute(STATEMENTS[name], bindings)
        except DISK as why:
            raise StoreUnavailable(f"nothing can be read now: {type(why).__name__}") from why

    def fetch(self, digest: bytes) -> bytes:
        """An attachment."""
        return expand(self.execute("attachment", (digest,)).get)

    def message(self, id: int) -> MessageRow | None:
        """One message, whole."""
        row = self.execute("message", (id,)).fetchone()
        return rows.read_message(row, self.names, self.fetch) if row else None

    def backlog(self, channel: str, after: int, limit: int) -> list[MessageRow]:
        """Messages of a channel that wait to be settled."""
        found = self.execute("backlog", (self.names.number(channel), after, limit)).fetchall()
        return [rows.read_message(row, self.names, self.fetch) for row in found]

    def _deliveries(self, name: str, bindings: tuple) -> list[DeliveryRow]:
        return [rows.read_delivery(row, self.names, self.fetch) for row in self.execute(name, bindings).fetchall()]

    def deliveries(self, message: int) -> list[DeliveryRow]:
        """A message's deliveries."""
        return self._deliveries("deliveries", (message,))

    def route_deliveries(self, channel: str, destination: str, messages: Sequence[int]) -> dict[int, list[DeliveryRow]]:
        """Deliveries already written for messages."""
        found: dict[int, list[DeliveryRow]] = {}
        route = self.names.route(self.names.number(channel), destination)
        for row in self._deliveries("route_deliveries", (json_array(messages), route)) if route else ():
            found.setdefault(row.message_id, []).append(row)
        return found

    def waiting(
        self, channel: str, destination: str, statuses: Sequence[DeliveryStatus], lane: str | None, after: int, limit: int
    ) -> list[DeliveryRow]:
        """Deliveries that wait."""
        route = self.names.route(self.names.number(channel), destination)
        start = rows.delivery_id(after + 1, 0, 0)
        statuses = [status for status in dict.fromkeys(statuses) if not status.final]
        if not route:
            return []
        if lane is not None:
            wanted = json_array([status.value for status in statuses])
            return self._deliveries("waiting_in_lane", (route, lane, start, limit, wanted))
        found = [row for status in statuses for row in self._deliveries("waiting", (route, status.value, start, limit))]
        return sorted(found, key=lambda row: (row.message_id, row.part))[:limit]

    def counts(self) -> dict[tuple[str, str], int]:
        """Messages by channel and status."""
        return {(channel, status): messages for channel, status, messages in self.execute("counts")}

    def register(self, destination: str, keys: Sequence[str]) -> dict[str, RegisterRow]:
        """What a receiver was last told of reports."""
        found = self.execute("register", (self.names.number(destination), json_array(keys))).fetchall()
        return {row[0]: RegisterRow(*row[:6], tuple(row[6].split("\n")) if row[6] else ()) for row in found}

    def recall(self, destination: str, criteria: Sequence[str]) -> dict[str, str]:
        """What a destination learned."""
        return dict(self.execute("recall", (self.names.number(destination), json_array(criteria))).fetchall())

    def merges(self) -> list[MergeRow]:
        """All merges."""
        return [
            MergeRow(message, Merge(kind, event, (prior_system, prior), (system, survivor), prior_lane, lane), undone or 0)
            for message, kind, event, prior_system, prior, system, survivor, prior_lane, lane, undone in self.execute("merges")
        ]

    def version(self, digest: str) -> ChannelVersion | None:
        """A channel version."""
        row = self.execute("version", (digest,)).fetchone()
        if row is None:
            return None
        return ChannelVersion(row[0], row[1], msgspec.json.decode(expand(row[2]), type=dict[str, str]), row[3], row[4])

    def leftovers(self, channel: str) -> Mapping[str, int]:
        """How often a path was left over."""
        return dict(self.execute("leftovers", (self.names.number(channel),)).fetchall())

    def meta(self, name: str) -> object:
        """A fact about the store itself."""
        return self.execute("meta", (name,)).get

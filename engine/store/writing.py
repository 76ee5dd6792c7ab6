"""What a batch writes: arrivals and settlements to rows, one statement a table.

Runs on the one connection that writes.  Knows nothing of threads, futures or loops, and commits nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import apsw
import msgspec

from channels import faults
from engine.store import attachments, rows
from engine.store.compression import squeeze
from engine.store.contract import Refused
from engine.store.names import Names
from engine.store.queries import STATEMENTS
from engine.store.records import Arrival, DeliveryRow, Settlement, Stored
from engine.store.states import DELIVERY_MAY, MESSAGE_MAY, NEW

Job = Callable[["Writer"], object]
Record = Arrival | Settlement | Job

_pack = msgspec.msgpack.encode


class Writer:
    """Writes records within a transaction that its caller began and will end."""

    def __init__(self, connection: apsw.Connection, window: float) -> None:
        self.connection, self.window = connection, window
        self.names = Names(connection, writing=True)
        self.execute, self.executemany = connection.execute, connection.executemany
        self._next = 0
        self._period = 0
        self._present: set[tuple[int, int]] = set()
        self.forget()

    def forget(self) -> None:
        """Begin anew after a rollback: what was remembered may never have been kept."""
        self.names.forget()
        self._present.clear()
        self._period = 0
        self._next = 1 + self.execute(STATEMENTS["last_message"]).get

    def write(self, records: Sequence[Record]) -> list[object]:
        """Write records; gives each its result, or the Refused that concerns it alone."""
        batch = _Batch(self)
        results = [batch.add(record) for record in records]
        batch.write()
        return results


class _Batch:
    """The rows of one transaction, by table, until they are written together."""

    def __init__(self, writer: Writer) -> None:
        self._writer, self._names = writer, writer.names
        self._arrived: dict[bytes, int] = {}  # duplicate keys of this batch
        self._states: dict[int, tuple[int, str, str]] = {}  # message -> channel, status, control id
        self._delivery_states: dict[int, str] = {}
        self._statuses: dict[int, str] = {}  # to be changed
        self._rows: dict[str, list[tuple]] = {}
        self._counts: Counter[tuple[int, str]] = Counter()
        self._leftovers: Counter[tuple[int, str]] = Counter()
        self._spans: dict[int, tuple[float, float]] = {}

    def add(self, record: Record) -> object:
        """Take a record in; gives its result."""
        if isinstance(record, Arrival):
            return self._arrive(record)
        if isinstance(record, Settlement):
            try:
                return self._settle(record)
            except Refused as refused:
                return refused
        return record(self._writer)

    def _put(self, statement: str, row: tuple) -> None:
        self._rows.setdefault(statement, []).append(row)

    # -- arrivals

    def _arrive(self, arrival: Arrival) -> Stored:
        writer, names = self._writer, self._names
        channel = names.number(arrival.channel)
        key = b""
        if arrival.duplicate_key and not arrival.replay_of:
            key = channel.to_bytes(4, "big") + arrival.duplicate_key
            if first := self._first_of(key, arrival.received):
                return Stored(first, duplicate=True)
        id = writer._next
        writer._next += 1
        if key:
            self._arrived[key] = id
            self._put("keep_duplicate_key", (int(arrival.received // writer.window), key, id, arrival.received))
        self._put("insert_message", (
            id, channel, names.number(arrival.version), arrival.received, arrival.peer or None, arrival.control_id or None,
            arrival.replay_of or None, rows.text_list(arrival.destinations), arrival.force or None,
        ))  # fmt: skip
        self._put("insert_content", (id, *self._cut(id, arrival.content)))
        self._states[id] = (channel, "received", arrival.control_id)
        self._counts[channel, "received"] += 1
        self._stretch(id, arrival.received)
        self._present(id, rows.key_hash("channel", arrival.channel))
        if arrival.control_id:
            self._put("insert_key", (id >> rows.SPAN_BITS, rows.key_hash("control_id", arrival.control_id), id))
        return Stored(id)

    def _first_of(self, key: bytes, received: float) -> int:
        """The message that first brought a duplicate key, 0 if none did within the window."""
        if first := self._arrived.get(key):
            return first
        window = self._writer.window
        found = self._writer.execute(STATEMENTS["find_duplicates"], (key, int(received // window), received - window)).fetchone()
        return found[1] if found else 0

    def _cut(self, message: int, content: bytes) -> tuple[bytes, bytes | None]:
        """What is left of a content once its large runs are kept as attachments, and the cuts."""
        left, cuts, runs = attachments.cut(content)
        for digest, run in runs.items():
            self._put("keep_attachment", (digest, len(run), squeeze(run)))
            self._put("use_attachment", (message, digest))
        return left, attachments.pack(cuts)

    def _stretch(self, id: int, received: float) -> None:
        span = id >> rows.SPAN_BITS
        earliest, latest = self._spans.get(span, (received, received))
        self._spans[span] = (min(earliest, received), max(latest, received))

    def _present(self, id: int, hash: int) -> None:
        """Say once that a span holds a key that most messages share."""
        present, pair = self._writer._present, (id >> rows.SPAN_BITS, hash)
        if pair not in present:
            if len(present) > 10_000:
                present.clear()
            present.add(pair)
            self._put("insert_key", (*pair, 0))

    # -- settlements

    def _settle(self, settlement: Settlement) -> None:
        id = settlement.message_id
        state = self._states.get(id) or self._writer.execute(STATEMENTS["message_state"], (id,)).fetchone()
        if state is None:
            raise Refused(f"there is no message {id}")
        channel, status, control_id = state
        if settlement.status is not None and (status, settlement.status) not in MESSAGE_MAY:
            raise Refused(f"message {id} is {status}, it cannot become {settlement.status.value}")
        deliveries = [self._may_become(channel, each) for each in settlement.deliveries]
        if settlement.status is not None and settlement.status != status:
            self._change(id, channel, status, settlement.status.value)
            self._states[id] = (channel, settlement.status.value, control_id)
        for number, each in deliveries:
            self._deliver(number, each)
        self._outcome(settlement, control_id)
        self._remember(settlement)
        for path in settlement.leftover:
            self._leftovers[channel, path] += 1

    def _change(self, id: int, channel: int, old: str, new: str) -> None:
        self._statuses[id] = new
        self._counts[channel, old] -= 1
        self._counts[channel, new] += 1

    def _may_become(self, channel: int, delivery: DeliveryRow) -> tuple[int, DeliveryRow]:
        """The delivery and its number, if its state allows it."""
        route = self._names.route(self._names.text(channel), delivery.destination)
        number = rows.delivery_id(delivery.message_id, route, delivery.part)
        before = self._delivery_states.get(number)
        if before is None:
            before = self._writer.execute(STATEMENTS["delivery_state"], (number,)).get or NEW
        if (before, delivery.status) not in DELIVERY_MAY:
            raise Refused(
                f"delivery {delivery.part} of message {delivery.message_id} to {delivery.destination} is {before or 'new'}, "
                f"it cannot become {delivery.status.value}"
            )
        return number, delivery

    def _deliver(self, number: int, row: DeliveryRow) -> None:
        self._delivery_states[number] = row.status.value
        sent, cuts = self._cut(row.message_id, row.sent)
        self._put("keep_delivery", (
            number, row.lane, row.status.value, row.attempts, row.next_try, row.changed, row.code or None, row.reason or None,
            squeeze(row.response) if row.response else None, squeeze(sent) if row.sent else None, cuts,
        ))  # fmt: skip

    def _outcome(self, settlement: Settlement, control_id: str) -> None:
        answer, keys, id = settlement.answer, settlement.keys, settlement.message_id
        if keys:
            self._find_by(id, keys.type, keys.patients, keys.orders)
            if keys.control_id and not control_id:
                self._put("name_control_id", (keys.control_id, id))
                self._put("insert_key", (id >> rows.SPAN_BITS, rows.key_hash("control_id", keys.control_id), id))
        if answer or keys or settlement.status is not None:
            contents = answer.contents if answer else ()
            self._put("keep_outcome", (
                id, answer.code if answer else None, contents[0] if contents else None, _pack(contents[1:]) if contents[1:] else None,
                settlement.error_code or None, settlement.error_place or None,
                settlement.error_origin or None, settlement.error_text or None,
                keys.type if keys else None, keys.sender if keys else None,
                rows.text_list(keys.patients) if keys else None, rows.text_list(keys.orders) if keys else None,
            ))  # fmt: skip

    def _find_by(self, id: int, type: str, patients: Iterable[str], orders: Iterable[str]) -> None:
        span = id >> rows.SPAN_BITS
        if type:
            self._present(id, rows.key_hash("type", type))
        for kind, values in (("patient", patients), ("order", orders)):
            for value in values:
                self._put("insert_key", (span, rows.key_hash(kind, value), id))

    def _remember(self, settlement: Settlement) -> None:
        """The register's rows, and what destinations learned."""
        for destination, register in settlement.register.items():
            number = self._names.number(destination)
            for each in register:
                self._put("keep_register_row", (
                    number, each.key, each.patient, each.time, each.rank, each.message_id, each.report, "\n".join(each.observations)
                ))  # fmt: skip
        for destination, learned in settlement.learned.items():
            number = self._names.number(destination)
            for criterion, reference in learned.items():
                self._put("learn", (number, criterion, reference))

    # -- all of it

    def write(self) -> None:
        """Write the rows, table by table."""
        arrivals = "insert_message" in self._rows
        if arrivals:
            faults.reach("before_insert")
            self._forget_old_keys()
        for (channel, status), messages in self._counts.items():
            if messages:
                self._put("count_messages", (channel, status, messages))
        for (channel, path), times in self._leftovers.items():
            self._put("count_leftover", (channel, path, times))
        for span, times in self._spans.items():
            self._put("stretch_span", (span, *times))
        for statement, several in self._rows.items():
            self._writer.executemany(STATEMENTS[statement], several)
        self._write_statuses()
        if arrivals:
            faults.reach("after_insert")

    def _write_statuses(self) -> None:
        by_status: dict[str, list[int]] = {}
        for id, status in self._statuses.items():
            by_status.setdefault(status, []).append(id)
        for status, ids in by_status.items():
            self._writer.execute(STATEMENTS["change_status"], (status, msgspec.json.encode(ids).decode()))

    def _forget_old_keys(self) -> None:
        """When a new period begins, keys older than the window fall off."""
        periods = [row[0] for row in self._rows.get("keep_duplicate_key", ())]
        if periods and max(periods) > self._writer._period:
            self._writer._period = max(periods)
            self._writer.execute(STATEMENTS["drop_old_duplicates"], (self._writer._period - 1,))

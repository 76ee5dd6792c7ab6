"""What a batch writes: arrivals and settlements to rows, table by table.

Runs on the one connection that writes.  Knows nothing of threads, futures or loops, and commits nothing itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import apsw
import msgspec

from channels import faults
from engine.store import attachments, rows
from engine.store.compression import squeeze
from engine.store.contract import Refused
from engine.store.names import Names
from engine.store.queries import STATEMENTS
from engine.store.recent import Recent, duplicate_hash
from engine.store.records import Arrival, DeliveryRow, Settlement, Stored
from engine.store.states import DELIVERY_MAY, MESSAGE_MAY, NEW

Job = Callable[["Writer"], object]
Record = Arrival | Settlement | Job

RECEIVED = "received"
MOST_FRESH = 20_000
"""So many messages are known to stand where they came in; others are looked up when they are settled."""

_pack = msgspec.msgpack.encode


@lru_cache(maxsize=4096)
def any_occurrence(path: str) -> str:
    """A path without its occurrences: `OBX[3]-15` is counted as `OBX-15`, so that there are as many counts as fields."""
    return re.sub(r"\[\d+\]", "", path)


class Writer:
    """Writes records within a transaction that its caller began and will end."""

    def __init__(self, connection: apsw.Connection, window: float) -> None:
        self.connection, self.window = connection, window
        self.execute, self.executemany = connection.execute, connection.executemany
        self.names = Names(connection, writing=True)
        self.recent = Recent(connection, window)
        self.fresh: dict[int, tuple[int, str]] = {}  # message that nothing was settled of yet -> channel, control id
        self.next_id = 1 + self.execute(STATEMENTS["last_message"]).get
        self._forgotten = False

    def write(self, records: Sequence[Record]) -> list[object]:
        """Write records; gives each its result, or the Refused that concerns it alone."""
        if self._forgotten:
            self._remember()
        batch = _Batch(self)
        batch.look_up([record for record in records if type(record) is Arrival and record.duplicate_key])
        results = [batch.add(record) for record in records]
        batch.write()
        if (span := self.recent.due(self.next_id)) is not None:
            self.recent.write(span)
        return results

    def committed(self) -> None:
        """What was written is durable."""
        self.recent.committed()

    def forget(self) -> None:
        """Begin anew after a rollback: what was remembered may never have been kept."""
        self.names.forget()
        self.fresh.clear()
        self._forgotten = True

    def _remember(self) -> None:
        self.recent.load()
        self.next_id = 1 + self.execute(STATEMENTS["last_message"]).get
        self._forgotten = False


class _Batch:
    """The rows of one transaction, by table, until they are written together."""

    def __init__(self, writer: Writer) -> None:
        self._writer, self._names, self._recent = writer, writer.names, writer.recent
        self._arrived: dict[tuple[int, bytes], int] = {}  # channel and duplicate key -> message, of this batch
        self._hashes: dict[tuple[int, bytes], int] = {}  # channel and duplicate key -> what it is looked up by
        self._candidates: dict[int, list[int]] = {}  # that -> messages that may have brought it first
        self._states: dict[int, tuple[int, str, str]] = {}  # message -> channel, status, control id
        self._delivery_states: dict[int, str] = {}
        self._backlog: dict[tuple[int, int], bool] = {}  # channel and message -> enters, leaves
        self._counts: dict[tuple[int, str], int] = {}
        self._leftovers: dict[tuple[int, tuple[str, ...]], int] = {}
        self._messages: list[tuple] = []
        self._outcomes: list[tuple] = []
        self._deliveries: list[tuple] = []
        self._register: list[tuple] = []
        self._others: dict[str, list[tuple]] = {}  # statement -> rows

    def add(self, record: Record) -> object:
        """Take a record in; gives its result."""
        if type(record) is Arrival:
            return self._arrive(record)
        if type(record) is Settlement:
            try:
                return self._settle(record)
            except Refused as refused:
                return refused
        return record(self._writer)

    def _put(self, statement: str, row: tuple) -> None:
        self._others.setdefault(statement, []).append(row)

    # -- arrivals

    def look_up(self, arrivals: list[Arrival]) -> None:
        """Find what may have brought the duplicate keys of arrivals before."""
        wanted = []
        for each in arrivals:
            channel, key = self._names.number(each.channel), each.duplicate_key
            self._hashes[channel, key] = resend = duplicate_hash(channel, key)
            wanted.append((resend, each.received))
        self._candidates = self._recent.first_of(wanted)

    def _arrive(self, arrival: Arrival) -> Stored:
        writer = self._writer
        channel = self._names.number(arrival.channel)
        key, resend = arrival.duplicate_key, 0
        if key and not arrival.replay_of:
            resend = self._hashes[channel, key]
            if first := self._first_of(channel, key, resend, arrival.received):
                return Stored(first, True)
        id = writer.next_id
        left, cuts = self._cut(id, arrival.content)
        self._messages.append((
            id, channel, self._names.number(arrival.version), arrival.received, arrival.peer or None, arrival.control_id or None,
            key or None, arrival.replay_of or None, rows.text_list(arrival.destinations), arrival.force or None, left, cuts,
            rows.mapping(arrival.about) if arrival.about else None,
        ))  # fmt: skip
        writer.next_id = id + 1
        if resend:
            self._arrived[channel, key] = id
        if arrival.merges or arrival.undoes:
            self._merge(id, arrival)
        self._backlog[channel, id] = True
        counted = (channel, RECEIVED)
        self._counts[counted] = self._counts.get(counted, 0) + 1
        self._recent.arrived(id, channel, arrival.received, arrival.control_id, resend)
        if len(writer.fresh) < MOST_FRESH:
            writer.fresh[id] = (channel, arrival.control_id)
        else:
            self._states[id] = (channel, RECEIVED, arrival.control_id)
        return Stored(id)

    def _merge(self, id: int, arrival: Arrival) -> None:
        for number, each in enumerate(arrival.merges):
            self._put("keep_merge", (id, number, each.kind, each.event, *each.prior, *each.survivor, each.prior_lane, each.lane))
        if arrival.undoes:
            self._put("undo_merges", (id, arrival.undoes))

    def _first_of(self, channel: int, key: bytes, resend: int, received: float) -> int:
        """The message that first brought a duplicate key, 0 if none did within the window."""
        if first := self._arrived.get((channel, key)):
            return first
        since = received - self._writer.window
        for first in self._candidates.get(resend, ()):
            if self._writer.execute(STATEMENTS["same_key"], (first, channel, key, since)).get:
                return first
        return 0

    def _cut(self, message: int, content: bytes) -> tuple[bytes, bytes | None]:
        """What is left of a content once its large runs are kept as attachments, and the cuts."""
        if len(content) <= attachments.SMALLEST:
            return content, None
        left, cuts, runs = attachments.cut(content)
        for digest, run in runs.items():
            self._put("keep_attachment", (digest, len(run), squeeze(run)))
            self._put("use_attachment", (message, digest))
        return left, attachments.pack(cuts)

    # -- settlements

    def _settle(self, settlement: Settlement) -> None:
        id, wanted = settlement.message_id, settlement.status
        channel, status, control_id, fresh = self._state(id)
        if wanted is not None and (status, wanted) not in MESSAGE_MAY:
            raise Refused(f"message {id} is {status}, it cannot become {wanted.value}")
        for number, each in [(self._may_become(channel, each, fresh), each) for each in settlement.deliveries]:
            self._deliver(number, each)
        if wanted is not None and wanted != status:
            self._change(id, channel, status, wanted)
            status = wanted
        self._states[id] = (channel, status, control_id)
        if settlement.keys:
            self._find_by(settlement, control_id)
        if wanted is not None or settlement.answer or settlement.keys:
            self._outcome(settlement, channel, status)
        if settlement.register or settlement.learned:
            self._remember(settlement)
        if settlement.leftover:  # a channel's messages mostly leave the same over: counted together, taken apart once
            counted = (channel, settlement.leftover)
            self._leftovers[counted] = self._leftovers.get(counted, 0) + 1

    def _state(self, id: int) -> tuple[int, str, str, bool]:
        """Channel, status and control id of a message, and whether nothing was settled of it yet."""
        if (state := self._states.get(id)) is not None:
            return *state, False
        if (fresh := self._writer.fresh.pop(id, None)) is not None:
            return fresh[0], RECEIVED, fresh[1], True
        state = self._writer.execute(STATEMENTS["message_state"], (id,)).fetchone()
        if state is None:
            raise Refused(f"there is no message {id}")
        return state[0], state[1], state[2] or "", False

    def _change(self, id: int, channel: int, old: str, new: str) -> None:
        self._counts[channel, old] = self._counts.get((channel, old), 0) - 1
        self._counts[channel, new] = self._counts.get((channel, new), 0) + 1
        if old == RECEIVED:
            self._backlog[channel, id] = False
            self._recent.settled(id)
        elif new == RECEIVED:
            self._backlog[channel, id] = True

    def _may_become(self, channel: int, delivery: DeliveryRow, fresh: bool) -> int:
        """The number of the delivery, if its state allows what it is to become."""
        number = rows.delivery_id(delivery.message_id, self._names.route(channel, delivery.destination), delivery.part)
        before = self._delivery_states.get(number)
        if before is None:
            before = NEW if fresh else self._writer.execute(STATEMENTS["delivery_state"], (number,)).get or NEW
        if (before, delivery.status) not in DELIVERY_MAY:
            raise Refused(
                f"delivery {delivery.part} of message {delivery.message_id} to {delivery.destination} is {before or 'new'}, "
                f"it cannot become {delivery.status.value}"
            )
        return number

    def _deliver(self, number: int, row: DeliveryRow) -> None:
        self._delivery_states[number] = row.status
        sent, cuts = self._cut(row.message_id, row.sent)
        self._deliveries.append((
            number, row.lane, row.status, row.attempts, row.next_try, row.changed, row.code or None, row.reason or None,
            squeeze(row.response) if row.response else None, squeeze(sent) if row.sent else None, cuts,
        ))  # fmt: skip

    def _find_by(self, settlement: Settlement, control_id: str) -> None:
        keys, id = settlement.keys, settlement.message_id
        late = "" if control_id else keys.control_id
        if late:
            self._put("name_control_id", (late, id))
        for row in self._recent.found_by(id, keys.type, keys.patients, keys.orders, late):
            self._put("insert_key", row)

    def _outcome(self, settlement: Settlement, channel: int, status: str) -> None:
        answer, keys = settlement.answer, settlement.keys
        code = first = more = type = sender = patients = orders = None
        if answer is not None:
            code, contents = answer.code, answer.contents
            first = contents[0] if contents else None
            more = _pack(contents[1:]) if len(contents) > 1 else None
        if keys is not None:
            type, sender, patients, orders = keys.type, keys.sender, rows.text_list(keys.patients), rows.text_list(keys.orders)
        self._outcomes.append((
            settlement.message_id, channel, status, code, first, more,
            settlement.error_code or None, settlement.error_place or None,
            settlement.error_origin or None, settlement.error_text or None, type, sender, patients, orders,
        ))  # fmt: skip

    def _remember(self, settlement: Settlement) -> None:
        """The register's rows, and what destinations learned."""
        for destination, register in settlement.register.items():
            number = self._names.number(destination)
            for each in register:
                self._register.append((
                    number, each.key, each.patient, each.time, each.rank, each.message_id, each.report, "\n".join(each.observations)
                ))  # fmt: skip
        for destination, learned in settlement.learned.items():
            number = self._names.number(destination)
            for criterion, reference in learned.items():
                self._put("learn", (number, criterion, reference))

    def _left_over(self) -> list[tuple[int, str, int]]:
        """Channel, path, and how often it was left over."""
        times: dict[tuple[int, str], int] = {}
        for (channel, paths), messages in self._leftovers.items():
            for path in paths:
                counted = (channel, any_occurrence(path))
                times[counted] = times.get(counted, 0) + messages
        return [(*counted, number) for counted, number in times.items()]

    # -- all of it

    def write(self) -> None:
        """Write the rows, table by table."""
        many = self._writer.executemany
        if self._messages:
            faults.reach("before_insert")
            many(STATEMENTS["insert_message"], self._messages)
        if self._outcomes:
            many(STATEMENTS["keep_outcome"], self._outcomes)
        if self._deliveries:
            many(STATEMENTS["keep_delivery"], self._deliveries)
        if self._register:
            many(STATEMENTS["keep_register_row"], self._register)
        if self._backlog:
            many(STATEMENTS["leave_backlog"], [pair for pair, enters in self._backlog.items() if not enters])
            many(STATEMENTS["enter_backlog"], [pair for pair, enters in self._backlog.items() if enters])
        if counts := [(*pair, messages) for pair, messages in self._counts.items() if messages]:
            many(STATEMENTS["count_messages"], counts)
        if self._leftovers:
            many(STATEMENTS["count_leftover"], self._left_over())
        for statement, several in self._others.items():
            many(STATEMENTS[statement], several)
        if self._messages:
            faults.reach("after_insert")

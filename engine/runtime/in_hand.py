"""Messages in hand: those of which something is still to be done and which memory holds.

A message is in hand for one or more destinations at once.  What a destination has no room for it leaves to the store and
reads again later (backlog.py); the message then counts as `missing` there and cannot be settled before.  One that leaves
memory leaves nothing behind: everything here can be made again from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from channels.message import Outcome
from engine.runtime.states import outcome
from engine.store.records import Answer, DeliveryRow, DeliveryStatus, RegisterRow, SearchKeys, Settlement
from transforms.document import Document


WAITS = "parked"  # code of a `queued` row that waits for its lane
RELEASED = "released"  # code of a `queued` row that a person wants sent again
FORCED = "forced"  # the same, as it is although it was held; it keeps that code until it is over
SET_DOWN = (WAITS, RELEASED, FORCED)  # codes of rows that are their lane's business
UNDER_WAY = (DeliveryStatus.QUEUED, DeliveryStatus.SENDING)
NOTHING: Mapping[str, Any] = {}


class Delivery:
    """One document (a part of a message's) on its way to one destination.

    `hold` is the code why it may not leave, empty if it may.  `status` is what it came to, once it is over.  `weight`: about how many
    bytes of memory its document takes.
    """

    __slots__ = (
        "alone", "attempts", "destination", "document", "forced", "hand", "hold", "lane", "next_try", "part", "released", "seen", "status",
        "tried", "weight", "written",
    )  # fmt: skip
    hand: InHand
    also: tuple[str, ...] = ()  # lanes it takes besides its own

    def __init__(self, destination: str, part: int, lane: str, document: Document, hold: str = "", weight: int = 0) -> None:
        self.weight = weight
        self.destination, self.part, self.lane, self.document, self.hold = destination, part, lane, document, hold
        self.attempts = self.alone = 0  # attempts that count; failures of the receiver while others got through
        self.next_try = 0.0
        self.seen: int | None = None  # what had got through to the destination at the last failure
        self.status: DeliveryStatus | None = None
        self.tried = False  # in this life of the engine
        self.written = False  # a row says `queued` or `sending`: it must be written when that is no longer so
        self.forced = False  # it was held, and a person wants it sent as it is
        self.released = False  # its message is settled, but for this: it waited behind a dead letter, or was given up before

    def row(self, status: DeliveryStatus, now: float, result: Outcome | None = None, code: str = "", reason: str = "") -> DeliveryRow:
        """As it is written."""
        if self.forced and status in UNDER_WAY:  # what a person wants must survive what the receiver says
            reason = f"{result.code}: {result.reason}" if result is not None else reason or "a person sends it as it is"
            code = FORCED
        if result is None:
            return DeliveryRow(
                self.hand.id, self.destination, self.part, self.lane, status, self.attempts, self.next_try, code, reason, changed=now
            )
        return DeliveryRow(
            self.hand.id, self.destination, self.part, self.lane, status, self.attempts, self.next_try, code or result.code,
            reason or result.reason, result.response, result.sent, now,
        )  # fmt: skip


class Joining(Delivery):
    """A delivery that takes several lanes (rule 8: a merge takes both patients')."""

    __slots__ = ("also",)

    def __init__(self, delivery: Delivery, also: tuple[str, ...]) -> None:
        super().__init__(delivery.destination, delivery.part, delivery.lane, delivery.document, delivery.hold, delivery.weight)
        self.also = also


class InHand:
    """A message of which something is still to be done.

    `order` is its place in the order of receipt: its id, or a replay's original's.
    `statuses`: (destination, part) -> what a row says or will say; `sending` while memory holds it.
    `open`: deliveries that memory holds.  `missing`:
    destinations that will read the message from the store.  `first`: called with each first attempt's outcome while a sender
    waits for it.
    """

    __slots__ = ("answer", "control_id", "first", "force", "id", "keys", "leftover", "missing", "open", "order", "received", "size", "statuses", "unsaid")  # fmt: skip

    def __init__(self, id: int, control_id: str, received: float, size: int, force: bool = False, replay_of: int = 0) -> None:
        self.id, self.control_id, self.received, self.size, self.force = id, control_id, received, size, force
        self.order = replay_of or id
        self.statuses: dict[tuple[str, int], DeliveryStatus] = {}
        self.open = 0
        self.missing: set[str] = set()
        self.keys: SearchKeys | None = None
        self.answer: Answer | None = None
        self.unsaid = True  # the answer is not written
        self.leftover: tuple[str, ...] = ()
        self.first: Callable[[Delivery, Outcome], None] | None = None

    def written(
        self, row: DeliveryRow, scope: str = "", learned: Mapping[str, str] = NOTHING, register: tuple[RegisterRow, ...] = ()
    ) -> Settlement:
        """The settlement that writes `row`; with it goes whatever of the message has not been written yet.

        `scope` is the destination's name for what it `learned` and for its part of the `register`.
        """
        status = outcome(self.statuses.values()) if self.open <= 0 and not self.missing else None
        settlement = Settlement(
            self.id, status, (row,), self.answer if self.unsaid else None, self.keys,
            learned={scope: learned} if learned else NOTHING, register={scope: register} if register else NOTHING, leftover=self.leftover,
        )  # fmt: skip
        self.keys, self.unsaid, self.leftover = None, self.answer is None, ()
        return settlement

    def hold(self, deliveries: Iterable[Delivery]) -> None:
        """Memory holds these of its deliveries."""
        for delivery in deliveries:
            delivery.hand = self
            self.open += 1
            self.statuses[delivery.destination, delivery.part] = DeliveryStatus.SENDING

    def let_go(self, deliveries: Iterable[Delivery]) -> None:
        """Memory does not hold them after all."""
        for delivery in deliveries:
            self.open -= 1
            del self.statuses[delivery.destination, delivery.part]

    def finish(
        self, delivery: Delivery, row: DeliveryRow, scope: str = "", learned: Mapping[str, str] = NOTHING,
        register: tuple[RegisterRow, ...] = (),
    ) -> Settlement:
        """`delivery` needs memory no more: the settlement to write, which carries the message's own status if it was the last."""
        self.statuses[delivery.destination, delivery.part] = row.status
        self.open -= 1
        return self.written(row, scope, learned, register)

    def settlement(self) -> Settlement | None:
        """What of the message itself is not written yet: for one that leaves memory without a delivery's row; None if nothing is."""
        status = outcome(self.statuses.values()) if self.open <= 0 and not self.missing else None
        answer = self.answer if self.unsaid else None
        if status is None and self.keys is None and answer is None:
            return None
        settlement = Settlement(self.id, status, (), answer, self.keys, leftover=self.leftover)
        self.keys, self.unsaid, self.leftover = None, self.answer is None, ()
        return settlement


class Hands:
    """All messages of a channel that are in hand, by id."""

    def __init__(self) -> None:
        self.by_id: dict[int, InHand] = {}
        self._readers = 0
        self._gone: set[int] = set()  # settled while a reader was reading: what it read of them is out of date

    def __len__(self) -> int:
        return len(self.by_id)

    def take(self, hand: InHand) -> None:
        """Hold a message."""
        self.by_id[hand.id] = hand

    def committed(self, hand: InHand) -> None:
        """A settlement of the message is durable: let go of it if memory holds none of its deliveries."""
        if hand.open <= 0 and self.by_id.get(hand.id) is hand:
            del self.by_id[hand.id]
            if self._readers and not hand.missing:
                self._gone.add(hand.id)

    def reading(self) -> None:
        """A reader begins."""
        self._readers += 1

    def read(self) -> None:
        """A reader has dealt with what it read."""
        self._readers -= 1
        if not self._readers:
            self._gone.clear()

    def outdated(self, id: int) -> bool:
        """A message of this id was settled since the reader began."""
        return id in self._gone


def closed(rows: Iterable[DeliveryRow]) -> dict[tuple[str, int], DeliveryStatus]:
    """Of an unsettled message's rows, those of which the backlog's reader has to do nothing: over, or their lane's business."""
    return {(row.destination, row.part): row.status for row in rows if row.status not in UNDER_WAY or row.code in SET_DOWN}

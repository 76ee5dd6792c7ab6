"""What may follow what: the state tables of messages, deliveries and answers (design, section 6).

The tables are the single source: the store refuses what they do not allow, the docs draw them, the tests walk every
cell.  A state that is *derived* is passed through without being written, so what is written may skip it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.store.records import DeliveryStatus as D
from engine.store.records import MessageStatus as M

NEW = ""
"""Before the first state."""


@dataclass(frozen=True)
class Machine:
    """A state table: from a state to those that may follow; `derived` are the states that need not be written."""

    name: str
    follows: Mapping[str, frozenset[str]]
    derived: frozenset[str]
    written: frozenset[str]

    @property
    def states(self) -> frozenset[str]:
        """All states, without NEW."""
        return frozenset(self.follows) - {NEW}

    def writable(self) -> frozenset[tuple[str, str]]:
        """Pairs (kept now, written next): one step, several over derived states, or the same state once more."""
        pairs = {(state, state) for state in self.written}
        for start in self.follows:
            reached, edge = set(), {start}
            while edge:
                nexts = {after for state in edge for after in self.follows[state]} - reached
                reached |= nexts
                edge = nexts & self.derived
            pairs |= {(start, after) for after in reached & self.written if start == NEW or start in self.written}
        return frozenset(pairs)


def _table(**follows: str) -> dict[str, frozenset[str]]:
    return {NEW if state == "new" else state: frozenset(after.split()) for state, after in follows.items()}


MESSAGE = Machine(
    "message",
    _table(
        new="received",
        received="filtered error held sent partly_sent",
        filtered="",
        error="received",  # by replay
        held="received",
        partly_sent="received",  # its dead letters are sent or dismissed after all
        sent="",
    ),
    derived=frozenset({"received"}),  # a replay in place goes straight to its outcome
    written=frozenset(M),
)

DELIVERY = Machine(
    "delivery",
    _table(
        new="queued",
        queued="sending held",
        sending="queued sent superseded dead_letter unsure held",
        sent="",
        superseded="",
        dead_letter="queued dismissed",
        unsure="queued dismissed",
        held="queued dismissed",
        dismissed="",
    ),
    derived=frozenset({"queued", "sending"}),  # written only to survive a restart, or where sending twice would double
    written=frozenset(D),
)

ANSWER = Machine(
    "answer",
    _table(new="owed not_owed", owed="given undelivered not_owed", given="", undelivered="", not_owed=""),
    derived=frozenset({"owed", "given", "undelivered", "not_owed"}),  # what was answered is written, as Settlement.answer
    written=frozenset(),
)

MACHINES = (MESSAGE, DELIVERY, ANSWER)
MESSAGE_MAY = MESSAGE.writable()
DELIVERY_MAY = DELIVERY.writable()

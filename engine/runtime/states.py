"""The four machines of the engine: channel, message, delivery, answer.  One table each, used by the code.

A table says which state may follow which; `WRITTEN` which of them the store keeps.  What is not in a table cannot
happen: `step` raises, so that a mistake shows where it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TypeVar

from engine.store.records import DeliveryStatus, MessageStatus


class ChannelState(str, Enum):
    """States of a channel."""

    UNDEPLOYED = "undeployed"
    DEPLOYED = "deployed"
    STARTED = "started"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class AnswerState(str, Enum):
    """States of the answer to a sender."""

    OWED = "owed"
    GIVEN = "given"
    UNDELIVERED = "undelivered"  # the sender hung up before it could be written
    NOT_OWED = "not_owed"  # MSH-15/16 asked for none, or nobody waits: a replay


C, M, D, A = ChannelState, MessageStatus, DeliveryStatus, AnswerState
S = TypeVar("S", bound=Enum)

CHANNEL: Mapping[ChannelState, tuple[ChannelState, ...]] = {
    C.UNDEPLOYED: (C.DEPLOYED, C.FAILED),
    C.DEPLOYED: (C.STARTED, C.FAILED, C.STOPPED, C.UNDEPLOYED),
    C.STARTED: (C.PAUSED, C.STOPPING, C.FAILED),
    C.PAUSED: (C.STARTED, C.STOPPING, C.FAILED),
    C.STOPPING: (C.STOPPED, C.FAILED),
    C.STOPPED: (C.STARTED, C.UNDEPLOYED, C.FAILED),
    C.FAILED: (C.STARTED, C.STOPPING, C.UNDEPLOYED, C.FAILED),
}
"""Nothing of it is written: a channel's state is made anew at every start of the engine."""

MESSAGE: Mapping[MessageStatus, tuple[MessageStatus, ...]] = {
    M.RECEIVED: (M.FILTERED, M.ERROR, M.HELD, M.SENT, M.PARTLY_SENT),
    M.FILTERED: (),
    M.ERROR: (M.ERROR, M.HELD, M.SENT, M.PARTLY_SENT),  # its dead letters were sent again; a replay is a message of its own
    M.HELD: (M.ERROR, M.HELD, M.SENT, M.PARTLY_SENT),
    M.PARTLY_SENT: (M.PARTLY_SENT, M.SENT),
    M.SENT: (),
}
"""All of them are written: `received` at intake, the others with the settlement."""

DELIVERY: Mapping[DeliveryStatus, tuple[DeliveryStatus, ...]] = {
    D.QUEUED: (D.QUEUED, D.SENDING, D.SENT, D.SUPERSEDED, D.HELD, D.DEAD_LETTER, D.DISMISSED),  # idempotent ones skip `sending`
    D.SENDING: (D.QUEUED, D.SENT, D.SUPERSEDED, D.HELD, D.DEAD_LETTER, D.UNSURE),
    D.UNSURE: (D.QUEUED, D.DISMISSED),
    D.DEAD_LETTER: (D.QUEUED, D.DISMISSED),
    D.HELD: (D.QUEUED, D.DISMISSED),
    D.SENT: (),
    D.SUPERSEDED: (),
    D.DISMISSED: (),
}

WRITTEN: Mapping[DeliveryStatus, str] = {
    D.QUEUED: "where a retry time or a place behind a dead letter must survive",
    D.SENDING: "where the destination is not idempotent",
    D.SENT: "with the settlement",
    D.SUPERSEDED: "with the settlement",
    D.HELD: "with the settlement",
    D.DEAD_LETTER: "with the settlement",
    D.UNSURE: "at the start after a crash",
    D.DISMISSED: "when a person says so",
}
"""When a delivery's state becomes a row."""

ANSWER: Mapping[AnswerState, tuple[AnswerState, ...]] = {
    A.OWED: (A.GIVEN, A.UNDELIVERED, A.NOT_OWED),
    A.GIVEN: (),
    A.UNDELIVERED: (),
    A.NOT_OWED: (),
}
"""The answer's bytes and code are written with the settlement, whichever way they went."""

ACTIONABLE = tuple(status for status in D if D.QUEUED in DELIVERY[status] and status not in (D.QUEUED, D.SENDING))
"""What a person may send again or dismiss."""

WAITING = (D.QUEUED, D.SENDING, D.UNSURE, D.DEAD_LETTER, D.HELD)
"""What is not over yet."""


class ImpossibleStep(Exception):
    """A machine was asked for a step its table does not have."""


def step(table: Mapping[S, tuple[S, ...]], now: S, then: S) -> S:
    """`then`, if it may follow `now`."""
    if then not in table[now]:
        raise ImpossibleStep(f"{type(now).__name__}: {now.value} -> {then.value}")
    return then


def outcome(deliveries: Iterable[DeliveryStatus]) -> MessageStatus:
    """What a message has come to when each of its deliveries has a row.

    Nothing to deliver: the destinations' filters let none pass.  `queued` and `unsure` wait for a person (behind a dead
    letter, or after a crash), so the message is held.
    """
    statuses = set(deliveries)
    if not statuses:
        return M.FILTERED
    there = statuses & {D.SENT, D.SUPERSEDED}
    rest = statuses - there
    if not rest:
        return M.SENT
    if there:
        return M.PARTLY_SENT
    return M.ERROR if rest <= {D.DEAD_LETTER, D.DISMISSED} else M.HELD

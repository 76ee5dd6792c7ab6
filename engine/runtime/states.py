"""The machine of a channel, and what a message has come to.  The tables of messages, deliveries and answers are the store's."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from engine.store.records import DeliveryStatus as D
from engine.store.records import MessageStatus as M
from engine.store.states import NEW, Machine


class ChannelState(str, Enum):
    """States of a channel.  None is written: they are made anew whenever the engine starts."""

    UNDEPLOYED = "undeployed"  # no valid file has named it yet, or it was taken away
    DEPLOYED = "deployed"  # made from its declaration; nothing is open
    STARTED = "started"  # takes messages, delivers
    PAUSED = "paused"  # takes none; what it has is delivered
    STOPPING = "stopping"  # answers and settles what is in hand
    STOPPED = "stopped"
    FAILED = "failed"  # could not open its source or a destination; tried again by itself


CHANNEL = Machine(
    "channel",
    {
        NEW: frozenset({"undeployed"}),
        "undeployed": frozenset({"deployed"}),
        "deployed": frozenset({"started", "failed", "stopped", "undeployed"}),
        "started": frozenset({"paused", "stopping", "failed"}),
        "paused": frozenset({"started", "stopping", "failed"}),
        "stopping": frozenset({"stopped", "failed"}),
        "stopped": frozenset({"deployed", "started", "failed", "undeployed"}),
        "failed": frozenset({"started", "paused", "stopping", "undeployed"}),
    },
    derived=frozenset(each.value for each in ChannelState),
    written=frozenset(),
)

ACTIONABLE = (D.DEAD_LETTER, D.UNSURE, D.HELD)
"""Deliveries a person may send again or dismiss."""


class ImpossibleStep(Exception):
    """A machine was asked for a step its table does not have."""


def step(now: ChannelState, then: ChannelState) -> ChannelState:
    """`then`, if it may follow `now`."""
    if then.value not in CHANNEL.follows[now.value]:
        raise ImpossibleStep(f"channel: {now.value} -> {then.value}")
    return then


def outcome(deliveries: Iterable[D]) -> M:
    """What a message has come to when each of its deliveries has a row.

    None at all: the destinations' filters let nothing pass.  `queued` and `unsure` wait for a person (behind a dead letter,
    after a crash): the message is held.  A dismissed delivery was not sent.
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

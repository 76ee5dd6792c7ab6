"""What the engine shows of itself: plain values for the doors (HTTP, commands), which only translate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.runtime.channel import Channel
from engine.runtime.outlet import Outlet


@dataclass(frozen=True, slots=True)
class DestinationView:
    """A destination as it runs.  `state`: open, paused (by a person) or failing (its receiver is at fault)."""

    name: str
    connector: str
    state: str
    code: str = ""  # what it fails with
    failing_since: float = 0.0
    next_try: float = 0.0
    under_way: int = 0  # attempts being made now
    in_memory: int = 0  # deliveries that memory holds
    parked_lanes: int = 0
    caught_up: bool = True  # nothing waits in the store only


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel as it runs."""

    name: str
    description: str
    state: str
    why: str  # it failed
    version: str  # digest
    source: str
    port: int
    in_hand: int  # messages
    destinations: tuple[DestinationView, ...]
    counts: Mapping[str, int]  # by the source, since it was opened


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the engine does its work.  `ready`: all channels that should run do, and the store takes messages."""

    ready: bool
    store: str  # ok, or why not
    channels: tuple[ChannelView, ...]
    problems: tuple[str, ...]  # of the files that were loaded last


@dataclass(frozen=True, slots=True)
class Output:
    """A document that would leave in a dry run.  `hold`: the code why it may not."""

    destination: str
    part: int
    lane: str
    media_type: str
    content: bytes
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a replay.  `id` is the new message's, 0 in a dry run; `released` the release its version ran under, if another."""

    original: int
    id: int = 0
    status: str = ""  # of a message that gives nothing to deliver: filtered, error
    error: str = ""
    outputs: tuple[Output, ...] = ()
    released: str = ""


def channel_view(channel: Channel) -> ChannelView:
    """A channel as it is now."""
    declared = channel.version.channel
    return ChannelView(
        channel.name, declared.description, channel.state.value, channel.why, channel.version.digest, declared.source.name, channel.port,
        len(channel.distribution.hands),
        tuple(_destination(one.name, one.connector.name, channel.outlets.get(one.name)) for one in declared.destinations),
        channel.counts,
    )  # fmt: skip


def _destination(name: str, connector: str, outlet: Outlet | None) -> DestinationView:
    if outlet is None:
        return DestinationView(name, connector, "closed")
    delivering, health = outlet.delivering, outlet.delivering.health
    state = "paused" if delivering.paused else "failing" if health.failing else "open"
    return DestinationView(
        name, connector, state, health.code, health.failing_since, health.next_probe, delivering.under_way, delivering.lanes.count,
        len(outlet.parking), outlet.backlog.caught_up,
    )  # fmt: skip

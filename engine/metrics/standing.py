"""How things stand at the moment of a scrape, as Prometheus' families: queues, states, and what sources count themselves.

Takes plain values and knows no engine; labels are names of channels and destinations, and states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

STATES = ("open", "paused", "failing", "closed")

COUNTED = {
    "accepted": "Connections accepted",
    "refused": "Connections closed at once, over the cap",
    "forbidden": "Connections closed at once, from networks that are not allowed",
    "messages": "Frames that arrived, whole or not",
    "junk": "Bytes outside frames",
    "truncated": "Frames that never ended",
    "too_long": "Frames over the limit",
    "idle": "Connections closed for being idle",
    "unanswered": "Messages whose answer could not be written, the peer was gone",
}
"""What sources count since they were opened, by its name in `Channel.counts`."""


@dataclass(frozen=True)
class Destination:
    """A destination as it stands."""

    name: str
    state: str
    under_way: int
    in_memory: int
    parked_lanes: int
    caught_up: bool


@dataclass(frozen=True)
class Channel:
    """A channel as it stands.  `messages`: status -> how many the store holds."""

    name: str
    in_hand: int
    destinations: tuple[Destination, ...] = ()
    messages: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


class Standing(Collector):
    """The families of all channels."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._channels = tuple(channels)

    def collect(self) -> Iterator[Metric]:
        """What Prometheus' client asks a collector for."""
        yield from self._of_channels()
        yield from self._of_destinations()
        yield from self._of_sources()

    def _of_channels(self) -> Iterator[Metric]:
        kept = GaugeMetricFamily(
            "flue_messages", "Messages in the store, by status; `received` are those not settled", labels=["channel", "status"]
        )
        in_hand = GaugeMetricFamily("flue_channel_in_hand", "Messages in memory", labels=["channel"])
        for channel in self._channels:
            in_hand.add_metric([channel.name], channel.in_hand)
            for status, number in {"received": 0, **channel.messages}.items():
                kept.add_metric([channel.name, status], number)
        yield from (kept, in_hand)

    def _of_destinations(self) -> Iterator[Metric]:
        labels = ["channel", "destination"]
        state = GaugeMetricFamily("flue_destination_state", "1 for the state a destination is in", labels=[*labels, "state"])
        under_way = GaugeMetricFamily("flue_destination_under_way", "Attempts being made now", labels=labels)
        in_memory = GaugeMetricFamily("flue_destination_in_memory", "Deliveries waiting in memory", labels=labels)
        parked = GaugeMetricFamily("flue_destination_parked_lanes", "Lanes waiting behind a dead letter, or for their time", labels=labels)
        behind = GaugeMetricFamily("flue_destination_behind", "1 while more waits in the store than memory holds", labels=labels)
        for channel in self._channels:
            for each in channel.destinations:
                of = [channel.name, each.name]
                for known in STATES:
                    state.add_metric([*of, known], known == each.state)
                under_way.add_metric(of, each.under_way)
                in_memory.add_metric(of, each.in_memory)
                parked.add_metric(of, each.parked_lanes)
                behind.add_metric(of, not each.caught_up)
        yield from (state, under_way, in_memory, parked, behind)

    def _of_sources(self) -> Iterator[Metric]:
        connections = GaugeMetricFamily("flue_source_connections", "Connections open now", labels=["channel"])
        for channel in self._channels:
            if "connections" in channel.counts:
                connections.add_metric([channel.name], channel.counts["connections"])
        yield connections
        for name, text in COUNTED.items():
            counter = CounterMetricFamily(f"flue_source_{name}", text, labels=["channel"])
            for channel in self._channels:
                if name in channel.counts:
                    counter.add_metric([channel.name], channel.counts[name])
            yield counter

"""What is counted: events in, Prometheus' series out.  Labels are channels, destinations and codes, never a patient's.

Children of a metric are looked up once per label set and kept, so that an event costs about a microsecond.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

import flue
from engine import events

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
MOST_PATHS = 500  # distinct ledger paths a channel is counted by; the rest goes under `other`
OTHER = "other"
PATH = re.compile(r"[A-Z][A-Z0-9]{2}-\d+(\.\d+)*")  # nothing else of a message ever becomes a label


class Metrics:
    """The engine's series, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, CPU, file descriptors
        Info("flue", "The engine's release", registry=self.registry).info({"release": flue.__version__})
        self._known: dict[tuple, object] = {}
        self._paths: dict[str, set[str]] = {}
        self.received = self._counter("flue_messages_received", "Messages made durable", "channel")
        self.duplicates = self._counter("flue_messages_duplicate", "Messages that came again, byte for byte", "channel")
        self.answered = self._counter("flue_answers", "Acknowledgments by MSA-1", "channel", "code")
        self.undelivered = self._counter("flue_answers_undelivered", "Acknowledgments whose sender was gone, by MSA-1", "channel", "code")
        self.filtered = self._counter("flue_messages_filtered", "Messages the filter did not let pass", "channel")
        self.failed = self._counter("flue_messages_failed", "Messages in error, by condition code of table 0357", "channel", "code")
        self.refused = self._counter("flue_messages_refused", "Messages the store could not keep", "channel")
        self.batches = self._counter("flue_batches_at_fault", "Batches whose counts or bounds are wrong; their messages were taken", "channel")
        self.unmapped = self._counter("flue_unmapped_fields", "Non-empty fields that no rule read", "channel", "path")
        self.noted = self._counter(
            "flue_messages_noted", "Messages with something odd that was borne, by the note's code", "channel", "code"
        )
        self.delivered = self._counter("flue_deliveries_sent", "Documents delivered", "channel", "destination")
        self.superseded = self._counter(
            "flue_deliveries_superseded", "Documents not sent, the receiver knows newer", "channel", "destination"
        )
        self.held = self._counter("flue_deliveries_held", "Documents that may not leave", "channel", "destination", "code")
        self.retried = self._counter(
            "flue_deliveries_retried", "Attempts that failed and will be repeated", "channel", "destination", "code"
        )
        self.dead = self._counter("flue_deliveries_dead_letter", "Documents given up", "channel", "destination", "code")
        self.unsure = self._counter("flue_deliveries_unsure", "Documents that may have arrived before a crash", "channel", "destination")
        self.faults = self._counter("flue_faults", "Defects of the engine itself", "where")
        self.stored_in = self._histogram("flue_store_seconds", "From the frame to the durable message", "channel")
        self.answered_in = self._histogram("flue_answer_seconds", "From the frame to the acknowledgment", "channel")
        self.delivered_in = self._histogram("flue_delivery_seconds", "From the frame to the delivery", "channel", "destination")
        self.failing = Gauge(
            "flue_destination_failing", "1 while a receiver is at fault", ["channel", "destination"], registry=self.registry
        )
        self.state = Gauge("flue_channel_started", "1 while a channel is started", ["channel"], registry=self.registry)
        self.store_failing = Gauge("flue_store_failing", "1 while the store takes nothing", registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=SECONDS, registry=self.registry)

    def of(self, metric: Counter | Histogram | Gauge, *labels: str):  # noqa: ANN201 - a child of the metric
        """The metric's child for a label set, remembered."""
        key = (metric, *labels)
        child = self._known.get(key)
        if child is None:
            child = self._known[key] = metric.labels(*labels)
        return child

    def listen(self, bus: events.Events) -> None:
        """Count everything the engine tells."""
        for kind, handler in self._handlers().items():
            bus.listen(kind, handler)

    def exposition(self, *standing: Collector) -> bytes:
        """The text for /metrics: what was counted, and how things stand now."""
        now = CollectorRegistry()
        for each in standing:
            now.register(each)
        return generate_latest(self.registry) + generate_latest(now)

    def _handlers(self) -> dict[type, Callable[..., None]]:
        of = self.of
        simple = {
            events.Duplicate: self.duplicates, events.Filtered: self.filtered, events.Refused: self.refused,
            events.BatchAtFault: self.batches,
        }  # fmt: skip
        delivery = {events.Superseded: self.superseded, events.Unsure: self.unsure}
        coded = {events.Held: self.held, events.Retrying: self.retried, events.DeadLetter: self.dead}
        handlers: dict[type, Callable[..., None]] = {}
        for kind, metric in simple.items():
            handlers[kind] = lambda event, metric=metric: of(metric, event.channel).inc()
        for kind, metric in delivery.items():
            handlers[kind] = lambda event, metric=metric: of(metric, event.channel, event.destination).inc()
        for kind, metric in coded.items():
            handlers[kind] = lambda event, metric=metric: of(metric, event.channel, event.destination, event.code).inc()
        return handlers | {
            events.Received: self._received, events.Answered: self._answered, events.Delivered: self._delivered,
            events.Undelivered: lambda event: of(self.undelivered, event.channel, event.code).inc(),
            events.Failed: lambda event: of(self.failed, event.channel, event.code).inc(),
            events.Unmapped: self._unmapped, events.Noted: self._noted,
            events.Fault: lambda event: of(self.faults, event.where).inc(),
            events.DestinationFailing: lambda event: of(self.failing, event.channel, event.destination).set(1),
            events.DestinationRecovered: lambda event: of(self.failing, event.channel, event.destination).set(0),
            events.ChannelChanged: lambda event: of(self.state, event.channel).set(event.state == "started"),
            events.StoreFailing: lambda _: self.store_failing.set(1),
            events.StoreRecovered: lambda _: self.store_failing.set(0),
        }  # fmt: skip

    def _received(self, event: events.Received) -> None:
        self.of(self.received, event.channel).inc()
        self.of(self.stored_in, event.channel).observe(event.seconds)

    def _answered(self, event: events.Answered) -> None:
        self.of(self.answered, event.channel, event.code).inc()
        self.of(self.answered_in, event.channel).observe(event.seconds)

    def _delivered(self, event: events.Delivered) -> None:
        self.of(self.delivered, event.channel, event.destination).inc()
        self.of(self.delivered_in, event.channel, event.destination).observe(event.seconds)

    def _noted(self, event: events.Noted) -> None:
        for code in set(event.codes):
            self.of(self.noted, event.channel, code).inc()

    def _unmapped(self, event: events.Unmapped) -> None:
        known = self._paths.setdefault(event.channel, set())
        for place in event.paths:
            path = _path(place)
            if path not in known:
                path = path if len(known) < MOST_PATHS else OTHER
                known.add(path)
            self.of(self.unmapped, event.channel, path).inc()


def _path(place: str) -> str:
    """`OBX[3]-15[2]` as `OBX-15`: counted per path.  What is no path, whatever it may hold, is `other`."""
    path = "".join(piece.split("]")[-1] for piece in place.split("[")) if "[" in place else place
    return path if PATH.fullmatch(path) else OTHER

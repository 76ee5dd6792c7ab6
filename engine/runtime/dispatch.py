"""Runs a channel version's pipeline over a message: what is to be delivered where, or why nothing is.  Pure.

The same message under the same version gives the same plan, so a plan need not be kept: after a crash, or when memory has no
room for it, it is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone

from channels.definition import Channel
from channels.loading import Version
from channels.routing import NOTHING, Route
from engine.runtime.in_hand import Delivery, Joining
from engine.runtime.keys import patient_lane, search_keys
from engine.runtime.merges import NOWHERE, Standing
from engine.runtime.plan import Plan, broken, refused
from engine.store.records import MessageStatus, SearchKeys
from transforms.document import FHIR_JSON, HL7, NO_ALIASES, Aliases, Document, Merge, Part
from transforms.errors import MessageError
from transforms.hl7.message import Message
from transforms.hl7.readers import reader
from transforms.mapping.merging import JOINING, after, lanes_of, merges_of, people, prior_path, undoing
from transforms.pipeline import Filtered

ENTRY = 6000  # bytes of memory that an entry of a bundle takes, about: measured

LaneOf = Callable[[Message], str | None]


class Dispatch:
    """A channel version's way for messages, and which lane each document takes.

    A lane is what the destination's `lane` field holds, else the channel's, else what the map chose for the part (the
    patient's identifier), else the message's patient.
    """

    def __init__(self, route: Route) -> None:
        channel: Channel = route.channel
        self.channel, self._route, self.gives = channel, route, route.gives
        self._preferred = tuple(channel.identity.patient)
        self._counts = channel.unmapped != "ignore"
        self._lanes: dict[str, LaneOf | None] = {}
        self._prior_lanes: dict[str, LaneOf | None] = {}  # of the patient who is merged into another
        for destination in channel.destinations:
            path = destination.lane or channel.lane
            self._lanes[destination.name] = reader(path) if path else None
            prior = prior_path(path) if path else ""
            self._prior_lanes[destination.name] = reader(prior) if prior else None

    @classmethod
    def of(cls, version: Version) -> Dispatch:
        """A version's, whose references are resolved."""
        return cls(version.route)

    def read(
        self, content: bytes, received: float, aliases: Aliases = NO_ALIASES, about: Mapping[str, str] = NOTHING
    ) -> Document:
        """The message as the first rule sees it, with the merges in force.  Raises MessageError."""
        return self._route.document(content, datetime.fromtimestamp(received, timezone.utc), aliases, about)

    def plan(self, document: Document, only: Iterable[str] = ()) -> Plan:
        """What to do with it; never raises.  `only`: deliver to these destinations and no other."""
        message = document.body if document.media_type == HL7 else None
        keys = SearchKeys()
        try:
            if message is not None:
                keys = search_keys(message)
            if message is not None and keys.type[4:7] in JOINING:
                return self._merging(document, message, keys, tuple(only))
            return self._routed(document, message, keys, tuple(only))
        except MessageError as error:
            return refused(error, keys)
        except Exception as error:  # whatever a message does to us, it is answered and kept
            return broken(error, keys)

    def again(
        self, content: bytes, received: float, only: Iterable[str] = (), standing: Standing = NOWHERE, about: Mapping[str, str] = NOTHING
    ) -> Plan:
        """The plan of a message read back from the store, as of its standing; never raises."""
        try:
            document = self.read(content, received, standing.aliases, about)
        except MessageError as error:
            return refused(error)
        except Exception as error:
            return broken(error)
        return self._undoing(document, self.plan(document, only), standing.undone) if standing.undone else self.plan(document, only)

    # -- merges

    def _merging(self, document: Document, message: Message, keys: SearchKeys, only: tuple[str, ...]) -> Plan:
        """The plan of a message that may merge patients or visits, or is about several patients.

        It stands under what it merges itself: whom it calls by a prior number too is the survivor.
        """
        context, refused = document.context, None
        try:
            merges = merges_of(message, context)
            document = replace(document, context=replace(context, aliases=after(context.aliases, merges))) if merges else document
        except MessageError as error:  # which a channel that does not want the message need not know
            merges, refused = (), error
        plan = self._routed(document, message, keys, only)
        if plan.status is None:
            if refused is not None:
                raise refused
            plan.merges = merges
            self._join(plan, message, document)
        return plan

    def _join(self, plan: Plan, message: Message, document: Document) -> None:
        """Of a message that is about several patients each delivery takes all their lanes."""
        named = people(message, document.context)
        by_map, by_number = lanes_of(named, document.context.identity), tuple([lane for _, lane in named])
        for name, deliveries in plan.deliveries.items():
            declared = self._prior_lanes[name]
            for index, delivery in enumerate(deliveries):
                if self._lanes[name] is not None:
                    also = (declared(message) or "",) if declared is not None else ()
                else:
                    also = by_map if delivery.document.parts[0].lane else by_number
                if others := tuple(dict.fromkeys(lane for lane in also if lane and lane != delivery.lane)):
                    deliveries[index] = Joining(delivery, others)

    def _undoing(self, document: Document, plan: Plan, undone: tuple[Merge, ...]) -> Plan:
        """The plan that takes merges back, where the plan of the merge message sent FHIR."""
        body = undoing(undone, document.context.identity)
        found = Plan(keys=plan.keys)
        for name, deliveries in plan.deliveries.items():
            if deliveries[0].document.media_type == FHIR_JSON:
                first = deliveries[0]
                lane = Part(lane=first.document.parts[0].lane)
                also = tuple(dict.fromkeys(each for one in deliveries for each in (one.lane, *one.also) if each != first.lane))
                made = Document(FHIR_JSON, body, document.context, (lane,))
                found.deliveries[name] = [Joining(Delivery(name, 0, first.lane, made, weight=first.weight), also)]
        if not found.deliveries:
            found.status, found.why = MessageStatus.FILTERED, "no destination takes FHIR"
        return found

    # -- deliveries

    def _routed(self, document: Document, message: Message | None, keys: SearchKeys, only: tuple[str, ...]) -> Plan:
        routed = self._route(document)
        if isinstance(routed, Filtered):
            return Plan(MessageStatus.FILTERED, keys=keys, origin=routed.origin, why=routed.rule)
        return self._deliveries(routed.items(), document, message, keys, only)

    def _deliveries(
        self, routed: Iterable[tuple[str, Document | Filtered]], came: Document, message: Message | None, keys: SearchKeys,
        only: tuple[str, ...],
    ) -> Plan:  # fmt: skip
        plan = Plan(keys=keys)
        filtered: Filtered | None = None
        leftover: tuple[str, ...] | None = None
        for name, document in routed:
            if isinstance(document, Filtered):
                filtered = filtered or document
            elif not only or name in only:
                plan.deliveries[name] = self._parts(name, document, message, came.context.aliases)
                if len(document.notes) > len(plan.notes):
                    plan.notes = document.notes
                if leftover is None or document.leftover is not leftover:
                    leftover = document.leftover if leftover is None else _both(leftover, document.leftover)
        if not plan.deliveries:
            plan.status = MessageStatus.FILTERED
            plan.origin, plan.why = (filtered.origin, filtered.rule) if filtered else ("", "no destination")
        elif self._counts and leftover:
            plan.leftover = leftover
        return plan

    def _parts(self, name: str, document: Document, message: Message | None, aliases: Aliases) -> list[Delivery]:
        parts, chosen = document.parts, self._lanes[name]
        lane = (chosen(message) or "") if chosen is not None and message is not None else None
        weight = _weight(document, message) // len(parts)
        if len(parts) == 1:
            part = parts[0]
            return [Delivery(name, 0, self._lane(lane, part.lane, message, aliases), document, part.hold, weight)]
        return [
            Delivery(name, index, self._lane(lane, part.lane, message, aliases), replace(document, parts=(part,)), part.hold, weight)
            for index, part in enumerate(parts)
        ]

    def _lane(self, declared: str | None, part: str, message: Message | None, aliases: Aliases) -> str:
        if declared is not None:
            return declared
        if part or message is None:
            return part
        lane = patient_lane(message, self._preferred)
        return aliases.lane(lane) if aliases else lane


def _weight(document: Document, message: Message | None) -> int:
    """About how many bytes of memory a document takes, that was made of a message or came as it is."""
    body = document.body
    made_of = 4 * len(message.raw) if message is not None else len(body) if isinstance(body, bytes | str) else 0
    return made_of + ENTRY * (1 + len(body.get("entry", ()))) if isinstance(body, dict) else made_of


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Paths that no destination's map read: left over in both."""
    return tuple(path for path in one if path in set(other))

"""Runs a channel version's pipeline over a message: what is to be delivered where, or why nothing is.  Pure.

The same message under the same version gives the same plan, so a plan need not be kept: after a crash, or when memory has no
room for it, it is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timezone

from channels.definition import Channel
from channels.loading import Version
from channels.routing import Route
from engine.runtime.in_hand import Delivery
from engine.runtime.keys import patient_lane, search_keys
from engine.runtime.plan import Plan, broken, refused
from engine.store.records import MessageStatus, SearchKeys
from transforms.document import HL7, Document
from transforms.errors import MessageError
from transforms.hl7.message import Message
from transforms.hl7.readers import reader
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
        for destination in channel.destinations:
            path = destination.lane or channel.lane
            self._lanes[destination.name] = reader(path) if path else None

    @classmethod
    def of(cls, version: Version) -> Dispatch:
        """A version's, whose references are resolved."""
        return cls(version.route)

    def read(self, content: bytes, received: float) -> Document:
        """The message as the first rule sees it.  Raises MessageError."""
        return self._route.document(content, datetime.fromtimestamp(received, timezone.utc))

    def plan(self, document: Document, only: Iterable[str] = ()) -> Plan:
        """What to do with it; never raises.  `only`: deliver to these destinations and no other."""
        message = document.body if document.media_type == HL7 else None
        keys = SearchKeys()
        try:
            if message is not None:
                keys = search_keys(message)
            routed = self._route(document)
            if isinstance(routed, Filtered):
                return Plan(MessageStatus.FILTERED, keys=keys, origin=routed.origin, why=routed.rule)
            return self._deliveries(routed.items(), message, keys, tuple(only))
        except MessageError as error:
            return refused(error, keys)
        except Exception as error:  # whatever a message does to us, it is answered and kept
            return broken(error, keys)

    def again(self, content: bytes, received: float, only: Iterable[str] = ()) -> Plan:
        """The plan of a message read back from the store; never raises."""
        try:
            document = self.read(content, received)
        except MessageError as error:
            return refused(error)
        except Exception as error:
            return broken(error)
        return self.plan(document, only)

    def _deliveries(
        self, routed: Iterable[tuple[str, Document | Filtered]], message: Message | None, keys: SearchKeys, only: tuple[str, ...]
    ) -> Plan:
        plan = Plan(keys=keys)
        filtered: Filtered | None = None
        leftover: tuple[str, ...] | None = None
        for name, document in routed:
            if isinstance(document, Filtered):
                filtered = filtered or document
            elif not only or name in only:
                plan.deliveries[name] = self._parts(name, document, message)
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

    def _parts(self, name: str, document: Document, message: Message | None) -> list[Delivery]:
        parts, chosen = document.parts, self._lanes[name]
        lane = (chosen(message) or "") if chosen is not None and message is not None else None
        weight = _weight(document, message) // len(parts)
        if len(parts) == 1:
            part = parts[0]
            return [Delivery(name, 0, self._lane(lane, part.lane, message), document, part.hold, weight)]
        return [
            Delivery(name, index, self._lane(lane, part.lane, message), replace(document, parts=(part,)), part.hold, weight)
            for index, part in enumerate(parts)
        ]

    def _lane(self, declared: str | None, part: str, message: Message | None) -> str:
        if declared is not None:
            return declared
        return part or (patient_lane(message, self._preferred) if message is not None else "")


def _weight(document: Document, message: Message | None) -> int:
    """About how many bytes of memory a document takes, that was made of a message or came as it is."""
    body = document.body
    made_of = 4 * len(message.raw) if message is not None else len(body) if isinstance(body, bytes | str) else 0
    return made_of + ENTRY * (1 + len(body.get("entry", ()))) if isinstance(body, dict) else made_of


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Paths that no destination's map read: left over in both."""
    return tuple(path for path in one if path in set(other))

"""What happens in the engine, as typed values, and who hears of it.

Metrics, alerts, logs and audit listen; whoever makes something happen calls nobody by name.  An event names channels,
destinations, codes and ids: never a patient, never a value of a message.  Listeners are called at once, on the event
loop's thread, and have to be quick; one that fails is reported to the log and does not disturb the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

log = logging.getLogger("flue.events")


# Making a frozen dataclass costs four times as much.  What every message makes several of is therefore not frozen, and never changed.
@dataclass(slots=True, unsafe_hash=True)
class Received:
    """A message is durable.  `seconds`: how long keeping it took."""

    channel: str
    message_id: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A message came again, byte for byte, and was not kept a second time."""

    channel: str
    message_id: int


@dataclass(slots=True, unsafe_hash=True)
class Answered:
    """A sender has its answer.  `code`: MSA-1; `seconds`: since the bytes were there."""

    channel: str
    message_id: int
    code: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Undelivered:
    """An answer could not be given: the sender was gone.  `code`: MSA-1; empty, as `message_id` 0, where it was not known yet."""

    channel: str
    message_id: int
    code: str


@dataclass(frozen=True, slots=True)
class Filtered:
    """The channel's filter did not let a message pass.  `origin`: file and line of the rule."""

    channel: str
    message_id: int
    origin: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A message could not be read or transformed.  `code`: table 0357's; `place`: in the message; `origin`: in the configuration."""

    channel: str
    message_id: int
    code: str
    place: str
    origin: str


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Non-empty fields of a message that no rule read (the ledger)."""

    channel: str
    message_id: int
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Noted:
    """Something odd about a message was borne: the codes of its notes.  `destination`: where what it was told before made it odd."""

    channel: str
    message_id: int
    codes: tuple[str, ...]
    destination: str = ""


@dataclass(frozen=True, slots=True)
class BatchAtFault:
    """The counts or bounds of a batch's envelope are wrong; its messages were taken.  `faults`: sentences without values."""

    channel: str
    messages: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The store could not keep a message; the sender was told to send again."""

    channel: str


@dataclass(slots=True, unsafe_hash=True)
class Delivered:
    """A destination took a document.  `seconds`: since the message was received; `sending`: the attempt alone."""

    channel: str
    destination: str
    message_id: int
    seconds: float
    sending: float


@dataclass(frozen=True, slots=True)
class Superseded:
    """A document was not sent, because the receiver has been told something newer."""

    channel: str
    destination: str
    message_id: int


@dataclass(frozen=True, slots=True)
class Held:
    """A document may not leave as it is; a person looks.  `code`: why."""

    channel: str
    destination: str
    message_id: int
    code: str


@dataclass(frozen=True, slots=True)
class Retrying:
    """An attempt failed and will be made again.  `counted`: it used up one of the message's attempts."""

    channel: str
    destination: str
    message_id: int
    code: str
    counted: bool
    wait: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery was given up."""

    channel: str
    destination: str
    message_id: int
    code: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """The engine died while it sent, and cannot know whether the receiver has it."""

    channel: str
    destination: str
    message_id: int


@dataclass(frozen=True, slots=True)
class DestinationFailing:
    """A receiver is at fault: its destination waits and probes.  Said once, not for each probe."""

    channel: str
    destination: str
    code: str


@dataclass(frozen=True, slots=True)
class DestinationRecovered:
    """A receiver that was at fault took a document again.  `seconds`: how long it had been so."""

    channel: str
    destination: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ChannelChanged:
    """A channel entered a state.  `why`: a sentence where it failed."""

    channel: str
    state: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class StoreFailing:
    """The store takes nothing."""

    why: str


@dataclass(frozen=True, slots=True)
class StoreRecovered:
    """The store takes messages again."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Something of our own broke where it should not: where, and the exception's type.  A defect to report."""

    where: str
    kind: str


Event = (
    Received | Duplicate | Answered | Undelivered | Filtered | Failed | Unmapped | Noted | BatchAtFault | Refused | Delivered | Superseded
    | Held | Retrying | DeadLetter | Unsure | DestinationFailing | DestinationRecovered | ChannelChanged | StoreFailing | StoreRecovered | Fault
)  # fmt: skip
Kind = TypeVar("Kind")


class Events:
    """Hands each event to those who asked for its type, in the order they asked."""

    def __init__(self) -> None:
        self._listeners: dict[type, list[Callable[..., None]]] = {}

    def listen(self, kind: type[Kind], listener: Callable[[Kind], None]) -> None:
        """Call `listener` with every event of `kind` from now on."""
        self._listeners.setdefault(kind, []).append(listener)

    def wants(self, kind: type) -> bool:
        """Whether anybody listens for `kind`: what happens with every message is told only then."""
        return kind in self._listeners

    def tell(self, event: Event) -> None:
        """Let the listeners know."""
        for listener in self._listeners.get(type(event), ()):
            try:
                listener(event)
            except Exception:  # a broken metric must not stop a message
                log.exception("a listener failed at %s", type(event).__name__)

"""What crosses a connector: bytes in, a response back; content out, an outcome back."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from transforms.document import Document
from transforms.fhir.serialization import dumps


# Making a frozen dataclass costs four times as much.  What every message makes several of is therefore not frozen, and never changed.
@dataclass(slots=True, unsafe_hash=True)
class RawMessage:
    """Bytes a source took off the wire, nothing decided yet.

    `problem` is empty, or why the frame is no message (`too_long`, `truncated`): kept, answered AR.
    """

    content: bytes
    received: float  # seconds since the epoch
    peer: str = ""  # address of the sender, `host:port`
    problem: str = ""
    about: Mapping[str, str] = field(default_factory=dict, compare=False)  # what is known of it beside its bytes (Context.about)


@dataclass(slots=True, unsafe_hash=True)
class Response:
    """What the sender is owed: the ACKs to write now, oldest first; none when nothing may be answered.

    `later` gives what follows as a message of its own (an application acknowledgment in enhanced mode), and never fails: other
    answers do not wait for it.  Who can deliver nothing any more cancels it.  `lost` is to be called when `contents` could not be
    written (the Answer's state is then `undelivered`, else `given`).
    """

    contents: tuple[bytes, ...] = ()
    later: Future[Response] | None = field(default=None, compare=False)
    lost: Callable[[], None] | None = field(default=None, compare=False)
    code: str = ""  # MSA-1 of the last of them, or what would stand there; empty where nothing is owed
    id: int = 0  # of the message, 0 where it could not be kept


class Verdict(Enum):
    """What became of an attempt, and so what may be done next (design, section 5)."""

    SENT = "sent"
    REFUSED = "refused"  # the message is at fault: dead letter at once
    COUNTED = "counted"  # 409, 500, AR: uses up `attempts` while others get through
    FAILING = "failing"  # the receiver is at fault: pause it, probe it, costs no attempt
    HELD = "held"  # may not leave as it is; a person looks


@dataclass(slots=True, unsafe_hash=True)
class Outgoing:
    """One document on its way to one destination."""

    document: Document  # the part to send: `document.parts` has exactly one
    message_id: int
    control_id: str
    attempt: int  # from 1
    part: int = 0  # which of the message's parts, from 0
    destination: str = ""  # its name in the channel

    @property
    def content(self) -> bytes:
        """The document's bytes: JSON of FHIR, HL7 and anything else as it is."""
        body = self.document.body
        if isinstance(body, dict | list):
            return dumps(body)
        return body.encode() if isinstance(body, str) else bytes(body)  # type: ignore[call-overload]  # of a Message or of bytes


@dataclass(slots=True, unsafe_hash=True)
class Outcome:
    """What an attempt came to.

    `code` is the receiver's (`201`, `AE`) or ours (`timeout`, `refused_connection`); `reason` a sentence
    without values; `response` what the receiver said; `sent` the bytes that went out; `learned` what the
    destination wants to be reminded of (criterion -> reference), written with the settlement.
    """

    verdict: Verdict
    code: str = ""
    reason: str = ""
    response: bytes = b""
    sent: bytes = b""
    retry_after: float = 0.0  # seconds the receiver asked for, 0: none
    learned: Mapping[str, str] = field(default_factory=dict)

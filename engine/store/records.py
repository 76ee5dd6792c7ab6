"""What the store keeps, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from transforms.document import Merge


class MessageStatus(str, Enum):
    """States of a message (design, section 6).  All but `received` are settled."""

    RECEIVED = "received"
    FILTERED = "filtered"
    ERROR = "error"
    HELD = "held"
    SENT = "sent"
    PARTLY_SENT = "partly_sent"


class DeliveryStatus(str, Enum):
    """States of a delivery (design, section 6).  A row is written only when a state must survive."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    SUPERSEDED = "superseded"
    DEAD_LETTER = "dead_letter"
    UNSURE = "unsure"
    DISMISSED = "dismissed"
    HELD = "held"

    @property
    def final(self) -> bool:
        """Nothing more will happen to it by itself, and nothing needs to."""
        return self in (DeliveryStatus.SENT, DeliveryStatus.SUPERSEDED, DeliveryStatus.DISMISSED)


# Making a frozen dataclass costs four times as much.  What every message makes several of is therefore not frozen, and never changed.
@dataclass(slots=True, unsafe_hash=True)
class Arrival:
    """A message to be taken charge of."""

    channel: str
    version: str  # digest of the channel version
    content: bytes  # as received, unframed
    received: float  # seconds since the epoch
    peer: str = ""
    control_id: str = ""
    duplicate_key: bytes = b""  # digest over MSH-3, 4, 10 and the bytes; empty: never a duplicate
    replay_of: int = 0  # id of the original, 0: none
    destinations: tuple[str, ...] = ()  # only these; empty: all
    force: bool = False  # a replay that may overwrite what is newer
    merges: tuple[Merge, ...] = ()  # in force for every message after this one
    undoes: int = 0  # id of the message whose merges it takes back, 0: none
    about: Mapping[str, str] = field(default_factory=dict, compare=False)  # what is known of it beside its bytes (Context.about)


@dataclass(slots=True, unsafe_hash=True)
class Stored:
    """What became of an Arrival, now durable.

    For a duplicate (same key within the window) `id` is the first message's and `duplicate` True; nothing new was kept.
    """

    id: int
    duplicate: bool = False


@dataclass(slots=True, unsafe_hash=True)
class Answer:
    """What the sender was answered: MSA-1 of the (last) acknowledgment, and the acknowledgments' bytes."""

    code: str
    contents: tuple[bytes, ...]


@dataclass(slots=True, unsafe_hash=True)
class SearchKeys:
    """What a message is found by (a narrow table of its own, indexed)."""

    type: str = ""  # MSH-9 as `ORU^R01`
    control_id: str = ""
    sender: str = ""  # MSH-3|MSH-4
    patients: tuple[str, ...] = ()  # identifiers of PID-3, first components
    orders: tuple[str, ...] = ()  # placer and filler order numbers, first components


@dataclass(slots=True, unsafe_hash=True)
class DeliveryRow:
    """One delivery as written.  `part` is the index in Document.parts; times are seconds since the epoch.

    Written again with `sent` or `response` empty, what was kept of them before stays.
    """

    message_id: int
    destination: str
    part: int
    lane: str
    status: DeliveryStatus
    attempts: int = 0
    next_try: float = 0.0
    code: str = ""
    reason: str = ""
    response: bytes = b""
    sent: bytes = b""  # what went out; kept compressed
    changed: float = 0.0


@dataclass(slots=True, unsafe_hash=True)
class RegisterRow:
    """The result register: what the receiver was last told of one report (rule 3)."""

    key: str
    patient: str
    time: str
    rank: int
    message_id: int
    report: str
    observations: tuple[str, ...]


@dataclass(slots=True, unsafe_hash=True)
class Settlement:
    """Everything one transaction writes about a message.

    `status` None: the message is not settled yet, only deliveries changed.  `error_*`: code, place, origin and sentence of
    what stopped it.  `learned`: destination -> criterion -> reference.  `register`: destination -> rows.
    """

    message_id: int
    status: MessageStatus | None = None
    deliveries: tuple[DeliveryRow, ...] = ()
    answer: Answer | None = None
    keys: SearchKeys | None = None
    error_code: str = ""
    error_place: str = ""
    error_origin: str = ""
    error_text: str = ""
    learned: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    register: Mapping[str, tuple[RegisterRow, ...]] = field(default_factory=dict)
    leftover: tuple[str, ...] = ()  # paths no rule read (ledger); aggregated per channel and path


@dataclass(frozen=True, slots=True)
class MergeRow:
    """What a message merged, in force for those received after it.  `undone`: the message from which on it is not, 0: none."""

    message_id: int
    merge: Merge
    undone: int = 0


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as read back; `content` is the bytes as received, attachments put back in their places."""

    id: int
    channel: str
    version: str
    received: float
    peer: str
    status: MessageStatus
    control_id: str
    content: bytes = b""
    replay_of: int = 0
    destinations: tuple[str, ...] = ()
    force: bool = False
    answer: Answer | None = None
    error_code: str = ""
    error_place: str = ""
    error_origin: str = ""
    error_text: str = ""
    keys: SearchKeys = SearchKeys()
    about: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    """A search over messages; empty fields do not matter.  Newest first; `before` is an exclusive id to page on from."""

    channel: str = ""
    status: str = ""
    type: str = ""
    control_id: str = ""
    patient: str = ""
    order: str = ""
    since: float = 0.0
    until: float = 0.0
    destination: str = ""  # with `delivery_status`
    delivery_status: str = ""
    before: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ChannelVersion:
    """Everything a channel was made of, by digest: file name -> text, and Flue's release."""

    digest: str
    channel: str
    files: Mapping[str, str]
    release: str
    created: float

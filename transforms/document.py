"""What runs between steps: content, and the facts of the world it may lean on.

Transforms are pure: time, zone and identity come in with the document, so that the same message under
the same channel version gives the same bytes on any machine in any year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

HL7 = "application/hl7-v2"
FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Identity:
    """How a site names things (rules: identifiers need a system, keys need a secret).

    `base` is the URI prefix for namespaces nobody declared; `secret` keys the UUIDv5 namespace;
    `authorities` maps (sending application, sending facility, namespace id) to a URI, `*` standing for any.
    `patient` lists the assigning authorities and then identifier types to choose the patient's id by.
    """

    base: str = ""
    secret: str = ""
    authorities: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    patient: tuple[str, ...] = ()


Known = tuple[str, str]
"""A number as (system, value)."""


@dataclass(frozen=True, slots=True)
class Aliases:
    """Which numbers were merged into others (rule 8), as of one place in the order of receipt.

    `into` says of a prior number, as (resource type, system, value), into which it was merged; `replaced` of a surviving one, which
    were merged straight into it; `lanes` the same of lanes that no map names (`number^namespace`).  Chains are followed, circles
    never get in.  `version` is the id of the message that changed it last.
    """

    version: int = 0
    into: Mapping[tuple[str, str, str], Known] = field(default_factory=dict)
    replaced: Mapping[tuple[str, str, str], tuple[Known, ...]] = field(default_factory=dict)
    lanes: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.into)

    def survivor(self, kind: str, known: Known) -> Known:
        """What a number stands for now: itself, if it was never merged."""
        while (found := self.into.get((kind, *known))) is not None:
            known = found
        return known

    def priors(self, kind: str, known: Known) -> tuple[Known, ...]:
        """The numbers that were merged straight into this one."""
        return self.replaced.get((kind, *known), ())

    def lane(self, lane: str) -> str:
        """The lane that messages of a merged number take."""
        while (found := self.lanes.get(lane)) is not None:
            lane = found
        return lane


NO_ALIASES = Aliases()


@dataclass(frozen=True, slots=True)
class Merge:
    """A number of a resource type that stands for another from now on.  `prior_lane`, `lane`: as `number^namespace`."""

    kind: str
    event: str
    prior: Known
    survivor: Known
    prior_lane: str = ""
    lane: str = ""


# Making a frozen dataclass costs four times as much.  What every message makes several of is therefore not frozen, and never changed.
@dataclass(slots=True, unsafe_hash=True)
class Context:
    """What a transform may know of the world outside the message."""

    received: datetime  # aware, UTC: when the source took it off the wire
    channel: str = ""
    timezone: str = ""  # IANA name declared by the channel; empty: none
    identity: Identity = Identity()
    aliases: Aliases = NO_ALIASES
    about: Mapping[str, str] = field(default_factory=dict)  # how it came: of HTTP `method`, `path`, `query`, `media_type`, `header.x-name`


@dataclass(frozen=True, slots=True)
class Note:
    """Something odd that was borne: a segment out of place, a number that is none.  Never a value."""

    code: str
    place: str
    sentence: str


# Not frozen, for every message makes several and freezing makes that four times as dear; never changed.
@dataclass(slots=True, unsafe_hash=True)
class ReportFact:
    """What the result register must know of one report in a document (rules 2 to 4), or of anything else that later messages overwrite.

    Keys and identities are UUIDs made from the message as received.  `time` is OBR-22 (of what is no report EVN-2), else MSH-7,
    as `YYYY-MM-DDTHH:MM:SS.ffffffZ` (comparable as text), empty where the message gives none.
    """

    key: str
    patient: str  # empty: whosever it is
    time: str
    rank: int  # of the report's status: a final outranks a preliminary
    report: str  # id of the DiagnosticReport, or of what else it is
    observations: tuple[str, ...]  # ids of the Observations sent
    emptied: tuple[str, ...] = ()  # of those: OBX-5 empty though final
    status_only: tuple[str, ...] = ()  # of those: OBX-11 is U
    removed: tuple[str, ...] = ()  # elements of what is updated that the message says are no longer so (`""`)


# Not frozen, for every message makes several and freezing makes that four times as dear; never changed.
@dataclass(slots=True, unsafe_hash=True)
class Part:
    """A share of a document that is delivered by itself: one patient's.

    `entries` are indexes into the Bundle's entries; None is the whole body.  `lane` orders it;
    `hold` is a reason code why it may not leave ('no_patient_id', 'invalid' ...), empty if it may.
    """

    lane: str = ""
    facts: tuple[ReportFact, ...] = ()
    entries: tuple[int, ...] | None = None
    hold: str = ""


WHOLE = (Part(),)


@dataclass(slots=True, unsafe_hash=True)
class Document:
    """Content between steps.

    `body` is a `transforms.hl7.message.Message` for HL7, a dict for FHIR JSON, bytes or str else.
    `leftover` are the paths of non-empty fields that no rule read or dropped (`OBX[3]-15`).
    `original` is the HL7 message as received, once a step has changed it (rule 2: keys come from that one); else None.
    """

    media_type: str
    body: object
    context: Context
    parts: tuple[Part, ...] = WHOLE
    leftover: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    original: object = None

    def with_body(self, body: object, media_type: str | None = None) -> Document:
        """The same document with other content."""
        media_type = media_type or self.media_type
        original = self.body if self.original is None and self.media_type == media_type == HL7 else self.original
        return replace(self, body=body, media_type=media_type, original=original)

    def with_notes(self, *notes: Note) -> Document:
        """The same document with something more said about it."""
        return replace(self, notes=self.notes + notes) if notes else self

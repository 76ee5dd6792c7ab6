"""What a channel is, as its YAML says it: frozen values, every option with its meaning.

Nothing is opened here and no reference is resolved: `${env:…}` and `${secret:…}` stay text until the engine opens the channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from transforms import document
from transforms.component import option
from transforms.declaration.building import OneOf, Placed
from transforms.declaration.quantities import Duration
from transforms.declaration.suggestions import did_you_mean
from transforms.hl7.local import LocalSegment, LocalStructure
from transforms.hl7.readers import FieldPath

Rules = tuple[Annotated[Any, OneOf("rule")], ...]
Steps = tuple[Annotated[Any, OneOf("step")], ...]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        meant = {"meant": did_you_mean(name, available_timezones())}
        raise PydanticCustomError("timezone", "should be a time zone of the IANA list, such as Europe/Zurich{meant}", meant) from None
    return name


def _base(uri: str) -> str:
    if "${" not in uri and not uri.startswith(("http://", "https://", "urn:")):
        raise PydanticCustomError("uri", "should be a URI of your own, such as https://hospital.example/id")
    return uri.rstrip("/")


@dataclass(frozen=True)
class Authority:
    """Which URI stands for a namespace of the senders' identifiers (HD.1)."""

    namespace: str = option("The namespace as senders write it: `HOSP` in `123^^^HOSP^MR`; `\"\"`: numbers that name none.")
    uri: str = option("The identifier system it stands for.", min_length=1)
    application: str = option("Only when the sending application (MSH-3) is this.", default="*")
    facility: str = option("Only when the sending facility (MSH-4) is this.", default="*")


@dataclass(frozen=True)
class Identity:
    """How a site names things: every identifier needs a system, every key a secret."""

    base: Annotated[str, AfterValidator(_base)] = option("URI prefix for namespaces that nobody declared.", default="")
    secret: str = option("Keys the ids of owned resources, so that record numbers cannot be guessed from them.", default="")
    authorities: tuple[Authority, ...] = option("What the senders' namespaces stand for.", default=())
    patient: tuple[str, ...] = option("Which patient identifier to choose: authorities and types, the best first.", default=())

    def declared(self) -> document.Identity:
        """As transforms want it."""
        authorities = {(each.application, each.facility, each.namespace): each.uri for each in self.authorities}
        return document.Identity(self.base, self.secret, authorities, self.patient)


@dataclass(frozen=True)
class Retry:
    """How often, and how patiently, a delivery is tried again: waits double from `first` to `longest`."""

    attempts: int = option("How often a message may be refused for a reason that may pass.", default=10, ge=1, le=1000)
    first: Duration = option("The first wait.", default=1.0, gt=0)
    longest: Duration = option("The longest wait.", default=300.0, gt=0)


@dataclass(frozen=True)
class Duplicates:
    """When a message counts as sent twice: same sender, same control id, same bytes."""

    window: Duration = option("How long a message is remembered.", default=86400.0, ge=0)


@dataclass(frozen=True)
class Test:
    """A message, and what the channel must make of it.  Runs without network: `flue test`."""

    name: str = option("What a user would call it.")
    given: str = option("A file beside the channel, or the message itself (beginning with MSH).", min_length=1)
    expect: dict[str, Any] = option("`answer`, `error`, or a destination's name: what must come of it.", min_length=1)

    __test__ = False  # not one of pytest's


@dataclass(frozen=True)
class Destination:
    """Where documents go, and what happens on the way and when it fails."""

    name: str = option("What it is called; stable, for deliveries are kept under it.", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    connector: Annotated[Any, OneOf("destination", inline=True)] = option("One connector: `fhir: {…}`, `file: {…}`, `mllp: {…}`.")
    retry: Retry = option("How deliveries are tried again.", default=Retry())
    on_dead_letter: Literal["park", "pass"] = option("A dead letter parks its lane, or lets the next pass.", default="park")
    on_unsure: Literal["resend", "hold"] = option("Whether a delivery that may have arrived is sent again.", default="hold")
    filter: Rules = option("What this destination wants; all must hold.", default=())
    transform: Steps = option("Further steps for this destination.", default=())
    lane: FieldPath | Literal[""] = option("The field whose value keeps order here; default: the channel's lane.", default="")
    in_flight: int | None = option("How many lanes may be sending at once; default: the connector's.", default=None, ge=1, le=256)


@dataclass(frozen=True)
class Channel:
    """One way messages take: a source, a filter, a transformer, destinations."""

    channel: str = option("What it is called; stable, for messages are kept under it.", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    source: Annotated[Any, OneOf("source")] = option("Where messages come from: one connector.")
    destinations: tuple[Destination, ...] = option("Where they go.", min_length=1)
    description: str = option("What it is for, in a sentence.", default="")
    acknowledge: Literal["when_stored", "when_transformed", "when_delivered"] = option(
        "When the sender is answered.", default="when_transformed"
    )
    acknowledgment_mode: Literal["as_asked", "original", "enhanced"] = option("By MSH-15/16, or always one way.", default="as_asked")
    answer_within: Duration = option("With when_delivered: when to answer AE while delivery goes on.", default=20.0, gt=0)
    processing: tuple[Literal["P", "T", "D"], ...] = option("Which processing ids (MSH-11) are welcome; none given: any.", default=())
    timezone: Annotated[str, AfterValidator(_zone)] = option("Zone of times that carry none (IANA name).", default="")
    identity: Identity = option("How this site names things; default: the engine's.", default=Identity())
    unmapped: Literal["ignore", "warn", "error"] = option("What to do about fields that no rule reads.", default="warn")
    report_mode: Literal["snapshot", "delta", "unknown"] = option(
        "Whether a message holds the whole report or only what is new.", default="unknown"
    )
    lane: FieldPath | Literal[""] = option("The field whose value keeps order; default: the chosen patient identifier.", default="")
    duplicates: Duplicates = option("When a message counts as sent twice.", default=Duplicates())
    on_invalid: Literal["hold", "send"] = option("What to do with output that does not validate.", default="hold")
    window: int = option("How many messages are held in memory; the others wait in the store.", default=1000, ge=1, le=1_000_000)
    segments: dict[str, LocalSegment] = option("Segments and fields of the site's own, by segment.", default_factory=dict)
    structures: dict[str, LocalStructure] = option("Message structures of the site's own.", default_factory=dict)
    filter: Rules = option("Which messages to take; all must hold.", default=())
    transform: Steps = option("What is done to them, in order.", default=())
    tests: tuple[Test, ...] = option("Messages, and what must come of them.", default=())

    def destination(self, name: str) -> Destination:
        """The destination of that name; raises KeyError."""
        return {each.name: each for each in self.destinations}[name]


def components(channel: Channel) -> Mapping[str, list[Placed]]:
    """Every component of a channel by kind, those inside rules too."""
    found: dict[str, list[Placed]] = {"source": [channel.source], "destination": [], "rule": [], "step": []}
    for part in (channel, *channel.destinations):
        found["rule"] += [each for rule in part.filter for each in inside(rule)]
        found["step"] += part.transform
    found["destination"] += [each.connector for each in channel.destinations]
    return found


def inside(rule: Placed) -> list[Placed]:
    """A rule, and the rules it is made of."""
    parts = getattr(rule.declaration, "rules", ())
    return [rule, *(each for part in parts for each in inside(part))]

"""What a conversation with a FHIR server asks for, and how it ends.  Values only."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from channels.message import Outcome, Verdict


# Not frozen, for every message makes several and freezing makes that four times as dear; never changed.
@dataclass(slots=True, unsafe_hash=True)
class Request:
    """An HTTP request, its path relative to the base; comes back as a Reply or a Failure."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    last: bool = False  # the one that makes the message arrive


@dataclass(slots=True, unsafe_hash=True)
class Claim:
    """Nobody else may be creating these (criteria) now: comes back when nobody is, and keeps others waiting until the end."""

    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Recall:
    """What was learned before of these criteria: comes back as a mapping."""

    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a receiver wants it."""

    conditional: bool = False  # owned resources by identifier, for servers that do not create under ids that we give
    max_conditional: int = 8
    max_entries: int = 0  # 0: no limit
    system: str = ""  # identifier system of our own ids, where they are conditional


Asks = Generator[Request | Claim | Recall, Any, Any]


UNFOUND = "the receiver does not say under which id a shared resource is"
STRANGE = Outcome(Verdict.COUNTED, "strange_answer", "the receiver answers something else than it was asked")


class Stop(Exception):
    """The conversation is over."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome

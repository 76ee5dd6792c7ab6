"""What an HTTP receiver's answer means: sent, refused, to be tried again, or not our message's fault.  No I/O.

Follows the design's section 5 and rule 5: a failing receiver costs no message an attempt, a refused message goes to a person
at once, and what is neither is counted.  Sentences never quote what the receiver said, for that may quote the patient's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from channels.message import Verdict

FAILING = {
    401: "the receiver does not accept our credentials",
    403: "the receiver does not allow us this",
    404: "the receiver has no such address",
    405: "the receiver does not take this",
    408: "the receiver gave up waiting",
    425: "the receiver asks to be tried again",
    429: "the receiver asks for fewer requests",
    502: "the receiver's gateway has no answer from it",
    503: "the receiver is out of service",
    504: "the receiver's gateway waited in vain for it",
    507: "the receiver has no space left",
}
REFUSED = {
    400: "the receiver refuses the content",
    410: "the receiver deleted what this is about",
    413: "the receiver finds the content too large",
    422: "the receiver's rules refuse the content",
}
HELD = {412: "the receiver has several resources where there should be one"}
COUNTED = {409: "the receiver reports a conflict", 500: "the receiver failed over this"}


# Not frozen, for every message makes one and freezing makes that four times as dear; never changed.
@dataclass(slots=True, unsafe_hash=True)
class Reply:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    received: float = 0.0  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer: `code` is ours (`timeout`, `refused_connection` ...)."""

    code: str
    reason: str


def verdict(status: int) -> tuple[Verdict, str]:
    """What a status means for the message, and the sentence for it."""
    if 200 <= status < 300:
        return Verdict.SENT, ""
    if status in FAILING:
        return Verdict.FAILING, FAILING[status]
    if status in HELD:
        return Verdict.HELD, HELD[status]
    if status in COUNTED:
        return Verdict.COUNTED, COUNTED[status]
    if status in REFUSED or 400 <= status < 500:
        return Verdict.REFUSED, REFUSED.get(status, "the receiver refuses this")
    if 300 <= status < 400:
        return Verdict.FAILING, "the receiver is at another address"
    return Verdict.COUNTED, "the receiver failed over this"


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """Seconds the receiver asked us to wait, as a number or a date (RFC 9110); 0 where it did not."""
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now) if text else 0.0
    except ValueError:
        return 0.0

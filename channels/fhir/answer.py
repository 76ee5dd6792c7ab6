"""What a FHIR server's answer means: sent, refused, to be tried again, or not our message's fault.  No I/O.

Follows the design's section 5 and rule 5: a failing receiver costs no message an attempt, a refused message goes to a person
at once, and what is neither is counted.  Reasons never quote what the receiver said, for that may quote the patient's data:
the OperationOutcome itself is kept as the response.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from channels.message import Verdict
from transforms.errors import MessageError
from transforms.fhir.outcome import sentence
from transforms.fhir.serialization import loads

FAILING = {
    401: "the receiver does not accept our credentials",
    403: "the receiver does not allow us this",
    404: "the receiver has no such address, or does not create resources under ids that we give",
    405: "the receiver does not take this, or does not create resources under ids that we give",
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

_REFERENCE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64})(?:/_history/[^/]*)?$")


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


@dataclass(frozen=True, slots=True)
class Made:
    """What a server says of one entry."""

    status: int
    reference: str  # `Patient/123`, empty where it does not say
    resource: Mapping[str, Any] | None = None


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


def explained(reply: Reply) -> tuple[Verdict, str]:
    """Verdict and sentence for a reply, with the codes and places of its OperationOutcome."""
    found, why = verdict(reply.status)
    said = "" if found is Verdict.SENT else sentence(body_of(reply))
    return found, f"{why} ({said})" if said else why


def body_of(reply: Reply) -> Any:
    """The reply's JSON; None where it has none."""
    try:
        return loads(reply.body)
    except MessageError:
        return None


def entries(reply: Reply, count: int) -> list[Made] | None:
    """What a transaction-response says of each of `count` entries; None where it does not say."""
    body = body_of(reply) if len(reply.body) > 60 else None  # shorter than any that names an entry
    listed = body.get("entry") if isinstance(body, dict) else None
    if not isinstance(listed, list) or len(listed) != count:
        return None
    return [_made(each if isinstance(each, dict) else {}) for each in listed]


def _made(entry: Mapping[str, Any]) -> Made:
    response, resource = entry.get("response"), entry.get("resource")
    response = response if isinstance(response, dict) else {}
    resource = resource if isinstance(resource, dict) else None
    status = str(response.get("status", ""))[:3]
    return Made(int(status) if status.isdigit() else 0, reference(response.get("location")) or reference_to(resource), resource)


def reference(location: object) -> str:
    """`Patient/123` out of a Location, whole or relative, with or without a version; empty where there is none."""
    found = _REFERENCE.search(location) if isinstance(location, str) else None
    return found[1] if found else ""


def reference_to(resource: Mapping[str, Any] | None) -> str:
    """`Patient/123` of a resource that a server returned."""
    return reference(f"{resource.get('resourceType')}/{resource.get('id')}") if resource and "id" in resource else ""


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """Seconds the receiver asked us to wait, as a number or a date (RFC 9110); 0 where it did not."""
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now) if text else 0.0
    except ValueError:
        return 0.0

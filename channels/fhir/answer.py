"""What a FHIR server's answer means: sent, refused, to be tried again, or not our message's fault.  No I/O.

What statuses mean is the same as for any HTTP receiver (`channels.http.answer`).  Reasons never quote what the receiver said,
for that may quote the patient's data: the OperationOutcome itself is kept as the response.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from channels.http import answer
from channels.http.answer import Reply
from channels.message import Verdict
from transforms.errors import MessageError
from transforms.fhir.outcome import sentence
from transforms.fhir.serialization import loads

SENTENCES = {
    404: "the receiver has no such address, or does not create resources under ids that we give",
    405: "the receiver does not take this, or does not create resources under ids that we give",
}

_REFERENCE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64})(?:/_history/[^/]*)?$")


@dataclass(frozen=True, slots=True)
class Made:
    """What a server says of one entry."""

    status: int
    reference: str  # `Patient/123`, empty where it does not say
    resource: Mapping[str, Any] | None = None


def verdict(status: int) -> tuple[Verdict, str]:
    """What a status means for the message, and the sentence for it."""
    found, why = answer.verdict(status)
    return found, SENTENCES.get(status, why)


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

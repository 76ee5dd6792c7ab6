"""What an HTTP request means to the `http` source, and what its sender is answered.  No I/O.

HL7 v2 over HTTP: the acknowledgment is the body of the answer.  Everything else is answered with an OperationOutcome.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from channels.message import Response
from transforms.document import FHIR_JSON, HL7

ER7 = "x-application/hl7-v2+er7"
TAKEN = {
    "hl7": ("application/hl7-v2", "application/hl7-v2+er7", ER7, "x-application/hl7-v2", "text/plain", "application/octet-stream"),
    "fhir": (FHIR_JSON, "application/json", "application/json+fhir"),
    "any": ("*/*",),
}
"""Media types taken where a channel names none, by the content it wants."""
GIVES = {"hl7": HL7, "fhir": FHIR_JSON, "any": "application/octet-stream"}
AGAIN = "5"
"""Seconds after which a sender may try again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    media_type: str = FHIR_JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, code: str, sentence: str, **headers: str) -> Answer:
    """An OperationOutcome for a request that is not taken; nothing of the request stands in it."""
    body = '{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"%s","details":{"text":"%s"}}]}' % (code, sentence)
    return Answer(status, body.encode(), FHIR_JSON, {name.replace("_", "-"): value for name, value in headers.items()})


PAUSED = refusal(503, "transient", "the channel takes no messages now", Retry_After=AGAIN)
UNKNOWN = refusal(401, "login", "a known key is needed: Authorization: Bearer", WWW_Authenticate='Bearer realm="flue"')
ELSEWHERE = refusal(404, "not-found", "the channel takes no messages here")
TOO_LONG = refusal(413, "too-long", "the body is longer than this channel accepts")
TOO_SLOW = refusal(408, "timeout", "the body took too long")
BROKEN = refusal(400, "structure", "the body cannot be read as it is encoded")
EMPTY = refusal(400, "required", "there is no body")


def not_allowed(methods: Sequence[str]) -> Answer:
    """Another method is needed."""
    return refusal(405, "not-supported", f"the channel takes {', '.join(methods)}", Allow=", ".join(methods))


def not_taken(types: Sequence[str]) -> Answer:
    """Another media type is needed."""
    return refusal(415, "not-supported", f"the channel takes {', '.join(types)}", Accept=", ".join(types))


def is_taken(media_type: str, types: Sequence[str]) -> bool:
    """Whether a media type is among those taken; `text/*` and `*/*` stand for many."""
    kind = media_type.partition("/")[0]
    return any(each in (media_type, f"{kind}/*", "*/*") for each in types)


def is_under(path: str, base: str) -> bool:
    """Whether a path is the declared one, or below it."""
    base = base.rstrip("/")
    return path == base or path.startswith(base + "/") or not base


def is_known(header: str, digests: Sequence[str]) -> bool:
    """Whether a request's Authorization names one of the keys whose SHA-256 digests are declared."""
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer":
        return False
    found = hashlib.sha256(key.strip().encode()).hexdigest()
    return any([hmac.compare_digest(found, each) for each in digests])  # all of them: the time tells nothing


def answer(response: Response, content: str, status: int) -> Answer:
    """What the engine's response is over HTTP.  `status` is for what was taken."""
    body = response.contents[-1] if response.contents else b""
    media_type = ER7 if content == "hl7" else FHIR_JSON
    if not response.id and response.code in ("AR", "CE", "CR"):
        return Answer(503, body, media_type, {"Retry-After": AGAIN})
    named = {"X-Message-Id": str(response.id)} if response.id else {}
    if response.code in ("AE", "CE"):
        return Answer(422, body, media_type, named)
    if response.code in ("AR", "CR"):
        return Answer(400, body, media_type, named)
    return Answer(status if body else 204, body, media_type, named)

"""The `http` destination: each delivery a request, to an address, with headers and a body that may be templates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator
from pydantic.dataclasses import dataclass
from yarl import URL

from channels import faults
from channels.connector import Surroundings
from channels.http.answer import Failure, Reply, retry_after, verdict
from channels.http.authorization import Authorization, encrypted, web_address
from channels.http.client import Client
from channels.http.templates import ERRORS, checked, template
from channels.message import Outcome, Outgoing, Verdict
from channels.tls import Tls
from transforms.component import destination, option
from transforms.declaration.quantities import Duration
from transforms.document import FHIR_JSON, HL7

MEDIA_TYPES = {HL7: "x-application/hl7-v2+er7", FHIR_JSON: FHIR_JSON}
"""What a document's media type is called on the wire; HL7's is the one of its own HTTP binding (HL7 over HTTP 1.0)."""


def _address(text: str) -> str:
    return checked(web_address(text), address=True)


def _header(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("is one line")
    return checked(text)


@destination("http")
@dataclass(frozen=True)
class HttpDestination:
    """Sends each delivery in an HTTP request: HL7 as its bytes, FHIR as JSON, or what a template makes of it."""

    url: Annotated[str, AfterValidator(_address)] = option(
        "Where to: 'https://server.example/in/{{ control_id }}'.  A template; what it puts in is percent-encoded."
    )
    method: Literal["POST", "PUT", "PATCH"] = option("How.", default="POST")
    headers: dict[str, Annotated[str, AfterValidator(_header)]] = option("Headers; values may be templates.", default={})
    body: Annotated[str, AfterValidator(checked)] = option("A template for the body; empty: the document as it is.", default="")
    media_type: str = option("Content-Type; empty: the document's.", default="")
    accepted: tuple[int, ...] = option("Statuses that mean it has arrived; none given: 200 to 299.", default=())
    timeout: Duration = option("How long an answer may take.", default=30.0, gt=0)
    authorization: Authorization = option("Who we are to the receiver.", default=Authorization())
    tls: Tls = option("Certificates: whom to trust, and who we are.", default=Tls())
    idempotent: bool = option("The receiver bears the same request twice, so after a crash it is simply sent again.", default=False)
    in_flight: int = option("How many lanes may be sending at once.", default=8, ge=1, le=256)

    @model_validator(mode="after")
    def _safe(self) -> HttpDestination:
        if not self.authorization.is_empty:
            encrypted(self.url)
        return self

    async def open(self, surroundings: Surroundings) -> HttpSending:
        """A destination that runs.  Nothing is sent before the first document."""
        return HttpSending(self, surroundings)


class HttpSending:
    """The destination as it runs."""

    def __init__(self, declaration: HttpDestination, surroundings: Surroundings) -> None:
        self._declared = declaration
        tls = declaration.tls if declaration.url.startswith("https://") else None
        self._client = Client(surroundings.loop, surroundings.folder, declaration.timeout, tls, declaration.authorization)
        self._url = template(declaration.url, address=True)
        self._headers = {name: template(text) for name, text in declaration.headers.items()}
        self._body = template(declaration.body) if declaration.body else None

    async def send(self, outgoing: Outgoing) -> Outcome:
        """One request.  Whatever a receiver does becomes an Outcome."""
        document = outgoing.document
        if hold := document.parts[0].hold:
            return Outcome(Verdict.HELD, hold, "the document may not leave as it is")
        try:
            url = URL(self._url(outgoing), encoded=True)
            headers = {"Content-Type": self._declared.media_type or MEDIA_TYPES.get(document.media_type, document.media_type)}
            headers |= {name: _one_line(make(outgoing)) for name, make in self._headers.items()}
            body = self._body(outgoing).encode() if self._body else outgoing.content
        except ERRORS as error:
            return Outcome(Verdict.REFUSED, "template", f"a template gives nothing for this document ({type(error).__name__})")
        reply = await self._client.send(self._declared.method, url, headers, body, faults.reach)
        if isinstance(reply, Failure):
            return Outcome(Verdict.FAILING, reply.code, reply.reason, sent=body)
        return self._judged(reply, body)

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()

    def reload(self) -> None:
        """Read certificates again, for connections to come."""
        self._client.reload()

    def _judged(self, reply: Reply, body: bytes) -> Outcome:
        found, why = verdict(reply.status)
        if accepted := self._declared.accepted:
            found, why = _among(accepted, reply.status, found, why)
        wait = retry_after(reply.headers, reply.received) if found is not Verdict.SENT else 0.0
        return Outcome(found, str(reply.status), why, reply.body, body, wait)


def _among(accepted: tuple[int, ...], status: int, found: Verdict, why: str) -> tuple[Verdict, str]:
    """The verdict where a site says which statuses mean success."""
    if status in accepted:
        return Verdict.SENT, ""
    return (Verdict.COUNTED, "the receiver answers with a status that is not among `accepted`") if found is Verdict.SENT else (found, why)


def _one_line(text: str) -> str:
    """A header's value: nothing that could begin another header."""
    if not text.isprintable():
        raise ValueError("not printable")
    return text

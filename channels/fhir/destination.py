"""The `fhir` destination: sends each document as a transaction to a FHIR R4 server (rule 5).

The declaration, and the shell that moves bytes for a `Conversation`: HTTP over kept connections, one claim on a criterion
at a time across all lanes, a memory of references.  What bytes mean is decided in `conversation`, `plan` and `answer`.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, model_validator
from pydantic.dataclasses import dataclass
from yarl import URL

from channels import faults
from channels.connector import Surroundings
from channels.fhir.conversation import Claim, Conversation, Request, Settings
from channels.fhir.plan import URN
from channels.fhir.references import References
from channels.http.answer import Failure, Reply
from channels.http.authorization import Authorization, encrypted
from channels.http.client import Client, unwatched
from channels.message import Outcome, Outgoing, Verdict
from channels.tls import Tls
from transforms.component import destination, option
from transforms.declaration.quantities import Duration

JSON = "application/fhir+json"
IDENTIFIERS = "/result-key"
"""What follows the site's identity base in the identifier system of our own ids; maps write it too."""


def _http(url: str) -> str:
    if "${" not in url and not url.startswith(("http://", "https://")):
        raise ValueError("should be the base of a FHIR server, such as https://server.example/fhir/R4")
    return url.rstrip("/")


@destination("fhir")
@dataclass(frozen=True)
class FhirDestination:
    """Sends each document to a FHIR R4 server as a transaction; sending one twice leaves one there."""

    url: Annotated[str, AfterValidator(_http)] = option("Base of the FHIR server: 'https://server.example/fhir/R4'.")
    identity: Literal["put_by_id", "conditional"] = option(
        "How results keep their identity: put under ids that we give, or found by an identifier where the server refuses that.",
        default="put_by_id",
    )
    max_conditional: int = option("Most conditional entries in one transaction; what is more is created ahead of it.", default=8, ge=0)
    max_entries: int = option("Most entries in one transaction; larger ones are split by report. 0: no limit.", default=50, ge=0)
    timeout: Duration = option("How long an answer may take.", default=30.0, gt=0)
    headers: dict[str, str] = option("Headers for every request.", default={})
    authorization: Authorization = option("Who we are to the server.", default=Authorization())
    tls: Tls = option("Certificates: whom to trust, and who we are.", default=Tls())
    in_flight: int = option("How many lanes may be sending at once.", default=16, ge=1, le=256)

    idempotent = True

    @model_validator(mode="after")
    def _safe(self) -> FhirDestination:
        if not self.authorization.is_empty:
            encrypted(self.url)
        return self

    async def open(self, surroundings: Surroundings) -> FhirSending:
        """A destination that runs.  Nothing is sent before the first document."""
        return FhirSending(self, surroundings)


class FhirSending:
    """Moves bytes between conversations and a server."""

    def __init__(self, declaration: FhirDestination, surroundings: Surroundings) -> None:
        self._declared, self._loop, self._recall = declaration, surroundings.loop, surroundings.recall
        self._base, self._root = declaration.url, URL(declaration.url, encoded=True)
        tls = declaration.tls if declaration.url.startswith("https://") else None
        self._client = Client(surroundings.loop, surroundings.folder, declaration.timeout, tls, declaration.authorization)
        self._references = References()
        self._claims: dict[str, Future[None]] = {}
        self._settings: dict[str, Settings] = {}
        self._headers = {"Content-Type": JSON, "Accept": JSON, "Prefer": "return=minimal", **declaration.headers}

    async def send(self, outgoing: Outgoing) -> Outcome:
        """One attempt.  Whatever a receiver does becomes an Outcome."""
        document = outgoing.document
        part = document.parts[0]
        if part.hold:
            return Outcome(Verdict.HELD, part.hold, "the document may not leave as it is")
        settings = self._settings_for(document.context.identity.base)
        removed = {URN + fact.report: fact.removed for fact in part.facts if fact.removed}
        conversation = Conversation(document.body, part.entries, settings, self._references, removed).run()
        claimed: list[str] = []
        came: Any = None
        try:
            while True:
                ask = conversation.send(came)
                if isinstance(ask, Request):
                    came = await self._request(ask)
                elif isinstance(ask, Claim):
                    self._release(claimed)  # who waits holds nothing, so that nobody waits in a circle
                    claimed = await self._claim(ask.keys)
                    came = None
                else:
                    came = await self._recall(ask.keys)
        except StopIteration as end:
            return end.value
        finally:
            self._release(claimed)

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()

    def reload(self) -> None:
        """Read certificates again, for connections to come."""
        self._client.reload()

    @property
    def requests(self) -> int:
        """How many were made, for whoever counts."""
        return self._client.requests

    def _settings_for(self, base: str) -> Settings:
        found = self._settings.get(base)
        if found is None:
            declared = self._declared
            system = base.rstrip("/") + IDENTIFIERS
            found = Settings(declared.identity == "conditional", declared.max_conditional, declared.max_entries, system)
            self._settings[base] = found
        return found

    # --- one at a time

    async def _claim(self, keys: Sequence[str]) -> list[str]:
        """Wait until nobody is creating any of these; those still unknown then are ours, all at once."""
        while busy := [self._claims[key] for key in keys if key in self._claims]:
            await asyncio.wait(busy)
            keys = [key for key in keys if self._references.get(key) is None]
        mine = self._loop.create_future()
        for key in keys:
            self._claims[key] = mine
        return list(keys)

    def _release(self, claimed: list[str]) -> None:
        for key in claimed:
            future = self._claims.pop(key)
            if not future.done():
                future.set_result(None)
        claimed.clear()

    # --- bytes

    async def _request(self, request: Request) -> Reply | Failure:
        """Send, and read the answer; what goes wrong with the connection is a Failure."""
        return await self._client.send(
            request.method,
            URL(f"{self._base}/{request.path}", encoded=True) if request.path else self._root,
            {**self._headers, **request.headers} if request.headers else self._headers,
            request.body,
            faults.reach if request.last else unwatched,
        )

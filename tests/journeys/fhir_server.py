"""A FHIR R4 server nobody here wrote (Medplum's router and memory), as a process: what a receiver has, seen from outside.

with FhirServer() as server:
    ... send to server.url ...
    assert len(server.all("Observation")) == 12
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from tests.journeys import peers

Resource = dict[str, Any]


class FhirServer(peers.Running):
    """The running server; skipped loudly where it cannot be had."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(*peers.node("Medplum FHIR", "fhir_server.mjs", str(port)))
        self.root = f"http://127.0.0.1:{next(line for line in self.lines if line.startswith('up')).split()[1]}"
        self.url = f"{self.root}/fhir/R4"

    def read(self, reference: str) -> Resource | None:
        """`Observation/1`, or None where there is none."""
        try:
            return self._asked("GET", f"{self.url}/{reference}")
        except urllib.error.HTTPError as error:
            error.close()
            return None

    def all(self, type_name: str, **criteria: str) -> list[Resource]:
        """Every resource of a type, or those that meet search criteria."""
        found = self._asked("GET", f"{self.url}/{type_name}?{urlencode({**criteria, '_count': '1000'})}")
        return [entry["resource"] for entry in found.get("entry", ())]

    def create(self, resource: Resource) -> Resource:
        """Somebody else makes a resource there."""
        return self._asked("POST", f"{self.url}/{resource['resourceType']}", resource)

    def remove(self, reference: str) -> None:
        """Somebody deletes a resource there."""
        self._asked("DELETE", f"{self.url}/{reference}")

    def counts(self, *types: str) -> dict[str, int]:
        """How many there are of each type."""
        return {each: len(self.all(each)) for each in types}

    def forget(self) -> None:
        """The server loses everything."""
        self._asked("DELETE", f"{self.root}/")

    def _asked(self, method: str, url: str, body: Resource | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(
            urllib.request.Request(url, data, {"Content-Type": "application/fhir+json"}, method=method), timeout=20
        ) as reply:
            return json.loads(reply.read())

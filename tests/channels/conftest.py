"""A registry of components that channel files in tests lean on, so that what they say does not change with our connectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic.dataclasses import dataclass

from channels import checks, loading
from transforms.component import Resources, option, registry
from transforms.declaration.quantities import Duration, Size
from transforms.document import FHIR_JSON, HL7, Document, Part
from transforms.errors import OptionError


@dataclass(frozen=True)
class Listener:
    """A source that hands in HL7."""

    listen: str = option("Where to listen.")
    limit: Size = option("Longest message.", default=1024, ge=10)
    connections: int = option("How many.", default=5, ge=1)


@dataclass(frozen=True)
class Inbox:
    """A source that hands in bytes."""

    gives = "application/octet-stream"
    folder: str = option("Where files come.")


@dataclass(frozen=True)
class Server:
    """A destination that takes FHIR."""

    takes = FHIR_JSON
    url: str = option("Where to.", pattern="^(https?://|\\$)")
    password: str = option("The password.", default="")
    timeout: Duration = option("How long to wait.", default=30.0)


@dataclass(frozen=True)
class Outbox:
    """A destination that takes anything."""

    folder: str = option("Where files go.")


@dataclass(frozen=True)
class ToFhir:
    """A map that makes a Patient, and tells the lane."""

    takes, gives = HL7, FHIR_JSON
    map: str = option("Which map.", default="auto")

    def prepare(self, resources: Resources) -> Callable[[Document], Document]:
        if self.map not in ("auto", "ORU_R01", *resources.maps):
            raise OptionError("map", "unknown_map", f"There is no map `{self.map}`.")

        def run(document: Document) -> Document:
            message = document.body
            body = {"resourceType": "Patient", "id": message.get("PID-3.1"), "active": True}
            leftover = ("ZZZ-1",) if message.first("ZZZ") else ()
            return Document(FHIR_JSON, body, document.context, (Part(lane=body["id"] or ""),), leftover)

        return run


@pytest.fixture
def components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our rules and steps, and the stand-ins above, whatever else is registered."""
    checks.components()
    steps = {name: each for name, each in registry["step"].items() if name != "map_to_fhir"}
    known = {
        "rule": registry["rule"],
        "step": {**steps, "map_to_fhir": ToFhir},
        "source": {"mllp": Listener, "inbox": Inbox},
        "destination": {"fhir": Server, "file": Outbox},
    }
    monkeypatch.setattr(checks, "components", lambda: known)


@pytest.fixture
def folder(tmp_path: Path, components: None) -> Callable[[dict[str, str]], Path]:
    """A conf folder made of these files."""

    def make(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8", newline="")
        return tmp_path

    return make


@pytest.fixture
def load(folder: Callable[[dict[str, str]], Path]) -> Callable[..., loading.Loading]:
    """Load a channel from its text, in a folder of its own, with nothing set in the environment."""

    def loaded(text: str, files: dict[str, str] | None = None, **options: object) -> loading.Loading:
        options.setdefault("lookup", lambda kind, name: None)
        return loading.load(folder({"channel.yaml": text, **(files or {})}), **options)

    return loaded

"""A Reading to convert single fields with."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from transforms.document import Context, Identity
from transforms.hl7.delimiters import Delimiters
from transforms.mapping.functions.registry import functions
from transforms.mapping.options import MapOptions
from transforms.mapping.reading import Reading

Authorities = dict[tuple[str, str, str], str]


class Field:
    """Converts the text of a field by the name of a function; keeps what was noted and what was left."""

    def __init__(self) -> None:
        self.reading: Reading | None = None

    def __call__(self, name: str, text: str, *, authorities: Authorities | None = None, offset: str = "+0100", **withs: Any) -> Any:
        identity = Identity(base="https://site.example/ids", authorities=authorities or {})
        context = Context(received=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), identity=identity)
        self.reading = Reading(Delimiters(), context, MapOptions(), sender=("LAB", "HOSP"), version="2.5.1", offset=offset)
        return functions()[name].call(text, self.reading, **withs)

    @property
    def noted(self) -> list[str]:
        """The codes of the notes made."""
        return [str(what) for kind, what, _ in self.reading.remarks if kind == "note"] if self.reading else []

    @property
    def left(self) -> list[str | int]:
        """The places left to the ledger."""
        return [what for kind, what, _ in self.reading.remarks if kind == "left"] if self.reading else []


@pytest.fixture
def field() -> Field:
    """Converts one field's text with a function of `as:`."""
    return Field()

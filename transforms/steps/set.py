"""The step `set`."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from transforms.component import option, step
from transforms.document import HL7, Document
from transforms.hl7.path import parse_path
from transforms.hl7.readers import FieldPath


@step("set")
@dataclass(frozen=True)
class Set:
    """Write a constant into a field; `OBX[*]-23.1` reaches every OBX.  Missing components before it are made, empty."""

    takes = gives = HL7
    field: FieldPath = option("Which field, component or subcomponent.")
    to: str = option("What to write, as plain text: delimiters in it are escaped.")
    when_missing: Literal["skip", "error"] = option("Where the message has no such segment.", default="error")

    def __call__(self, document: Document) -> Document:
        message = document.body
        if self.when_missing == "skip" and not message.chosen(parse_path(self.field)):
            return document
        return document.with_body(message.replace(self.field, self.to))

"""The rule `starts_with`."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.declaration.lists import OneOrMore
from transforms.document import HL7, Document
from transforms.hl7.readers import FieldPath, readers
from transforms.pipeline import Condition


@rule("starts_with")
@dataclass(frozen=True)
class StartsWith:
    """A field begins with this text, or with one of these.  With `[*]`, one of them does."""

    takes = HL7
    field: FieldPath = option("Which field, such as PV1-3.1.")
    prefix: OneOrMore = option("How it must begin.")

    def prepare(self, resources: Resources) -> Condition:
        prefix, read = tuple(self.prefix), readers(self.field)

        def holds(document: Document) -> bool:
            return any(value.startswith(prefix) for value in read(document.body))

        return holds

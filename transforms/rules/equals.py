"""The rule `equals`."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.document import HL7, Document
from transforms.hl7.readers import FieldPath, reader, readers
from transforms.pipeline import Condition


@rule("equals")
@dataclass(frozen=True)
class Equals:
    """A field has exactly this value.  With `[*]`, one of them has."""

    takes = HL7
    field: FieldPath = option("Which field, such as MSH-9.1.")
    to: str = option("The value it must have.")

    def prepare(self, resources: Resources) -> Condition:
        wanted = self.to
        if "[*]" in self.field:
            several = readers(self.field)
            return lambda document: wanted in several(document.body)
        read = reader(self.field)

        def holds(document: Document) -> bool:
            return read(document.body) == wanted

        return holds

"""The rule `valued`."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.document import HL7, Document
from transforms.hl7.readers import NULL, FieldPath, readers
from transforms.pipeline import Condition


@rule("valued")
@dataclass(frozen=True)
class Valued:
    """A field has a value: `- valued: PID-3`.  HL7's `""` (delete) is none."""

    shorthand = "field"
    takes = HL7
    field: FieldPath = option("Which field, such as OBR-3.")

    def prepare(self, resources: Resources) -> Condition:
        read = readers(self.field)

        def holds(document: Document) -> bool:
            return any(value != NULL for value in read(document.body))

        return holds

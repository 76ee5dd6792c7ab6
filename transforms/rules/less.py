"""The rule `less`."""

from __future__ import annotations

from decimal import Decimal

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.document import HL7, Document
from transforms.hl7.readers import FieldPath, number, readers
from transforms.pipeline import Condition


@rule("less")
@dataclass(frozen=True)
class Less:
    """A field is a number below this one.  What is no number is not less.  With `[*]`, one of them is."""

    takes = HL7
    field: FieldPath = option("Which field, such as OBX-5.")
    than: Decimal = option("The number it must be below.")

    def prepare(self, resources: Resources) -> Condition:
        limit, read = self.than, readers(self.field)

        def holds(document: Document) -> bool:
            return any(found is not None and found < limit for found in map(number, read(document.body)))

        return holds

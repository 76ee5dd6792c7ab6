"""The rule `one_of`."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.document import HL7, Document
from transforms.hl7.readers import FieldPath, readers
from transforms.pipeline import Condition


@rule("one_of")
@dataclass(frozen=True)
class OneOfValues:
    """A field has one of these values.  With `[*]`, one of them has."""

    takes = HL7
    field: FieldPath = option("Which field, such as MSH-4.1.")
    values: tuple[str, ...] = option("The values it may have.", min_length=1)

    def prepare(self, resources: Resources) -> Condition:
        wanted, read = frozenset(self.values), readers(self.field)

        def holds(document: Document) -> bool:
            return not wanted.isdisjoint(read(document.body))

        return holds

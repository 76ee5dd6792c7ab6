"""The rule `matches`."""

from __future__ import annotations

import re

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.declaration.patterns import Pattern
from transforms.document import HL7, Document
from transforms.hl7.readers import FieldPath, readers
from transforms.pipeline import Condition


@rule("matches")
@dataclass(frozen=True)
class Matches:
    """The whole value of a field has the form of a regular expression.  With `[*]`, one of them has."""

    takes = HL7
    field: FieldPath = option("Which field, such as OBR-3.1.")
    pattern: Pattern = option("A regular expression for the whole value, such as `[0-9]{8}`.")

    def prepare(self, resources: Resources) -> Condition:
        match, read = re.compile(self.pattern, re.DOTALL).fullmatch, readers(self.field)

        def holds(document: Document) -> bool:
            return any(match(value) for value in read(document.body))

        return holds

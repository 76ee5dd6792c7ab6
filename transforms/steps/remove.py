"""The step `remove`."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from transforms.component import option, step
from transforms.document import HL7, Document
from transforms.hl7.readers import FieldPaths


@step("remove")
@dataclass(frozen=True)
class Remove:
    """Empty a field, or several: `- remove: PID-19` or `- remove: [PID-19, "NK1[*]-5"]`.  What is not there needs no removing."""

    shorthand = "fields"
    takes = gives = HL7
    fields: FieldPaths = option("Which fields, components or subcomponents.")

    def __call__(self, document: Document) -> Document:
        message = document.body
        for field in self.fields:
            if message.all(field):
                message = message.replace(field, None)
        return document if message is document.body else document.with_body(message)

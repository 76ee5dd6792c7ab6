"""The step `copy`."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from transforms.component import option, step
from transforms.document import HL7, Document
from transforms.hl7.readers import FieldPath, places


@step("copy")
@dataclass(frozen=True)
class Copy:
    """Write one field's content into another, parts and all: `- copy: { from: PID-2, to: PID-3 }`.  From an empty one, nothing."""

    takes = gives = HL7
    source: FieldPath = option("Which field to read; its first repetition unless one is named.", alias="from")
    target: FieldPath = option("Which field to write.", alias="to")
    keep: bool = option("Leave a target that has a value as it is.", default=False)

    def __call__(self, document: Document) -> Document:
        message = document.body
        text = next((text for _, text in places(message, self.source)), None)
        if text is None or (self.keep and message.get(self.target) is not None):
            return document
        return document.with_body(message.replace(self.target, text, escaped=True))

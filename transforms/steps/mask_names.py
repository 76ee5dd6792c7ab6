"""The step `mask_names`."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from transforms.component import option, step
from transforms.document import HL7, Document
from transforms.hl7.path import parse_path
from transforms.hl7.readers import NULL, FieldPaths


@step("mask_names")
@dataclass(frozen=True)
class MaskNames:
    """Hide people's names before a message leaves for a test system."""

    takes = gives = HL7
    mask: str = option("What to write instead of each name.", default="XXX")
    fields: FieldPaths = option("Which fields hold names.", default=("PID-5", "PID-6", "PID-9", "NK1[*]-2"))

    def __call__(self, document: Document) -> Document:
        message = document.body
        for field in self.fields:
            for segment in message.chosen(parse_path(field)):
                place = str(parse_path(field)._replace(occurrence=segment.occurrence))
                if message.get(place) not in (None, NULL):
                    message = message.replace(place, self.mask)
        return document if message is document.body else document.with_body(message)

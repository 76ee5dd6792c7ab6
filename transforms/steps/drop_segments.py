"""The step `drop_segments`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from transforms.component import option, step
from transforms.declaration.lists import listed
from transforms.document import HL7, Document
from transforms.hl7.editing import edited

Name = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{2}$")]


@step("drop_segments")
@dataclass(frozen=True)
class DropSegments:
    """Take segments out of a message: `- drop_segments: [ZLR, ZPI]`.  MSH always stays."""

    shorthand = "names"
    takes = gives = HL7
    names: Annotated[tuple[Name, ...], BeforeValidator(listed)] = option("Which segments.", min_length=1)

    def __call__(self, document: Document) -> Document:
        message = document.body
        texts = {segment.position: None for segment in message.segments[1:] if segment.name in self.names}
        return document.with_body(edited(message, texts)) if texts else document

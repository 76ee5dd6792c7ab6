"""The step `write_hl7`: the message as text, for receivers that want other line ends or character sets."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from transforms.component import option, step
from transforms.document import HL7, Document

_ENDS = {"cr": "\r", "lf": "\n", "crlf": "\r\n"}


@step("write_hl7")
@dataclass(frozen=True)
class WriteHl7:
    """Write the message as UTF-8 text, a segment a line.  Destinations that take HL7 itself need no such step."""

    takes = HL7
    gives = "text/plain"
    ends: Literal["cr", "lf", "crlf"] = option("How segments end.", default="cr")

    def __call__(self, document: Document) -> Document:
        end = _ENDS[self.ends]
        text = "".join(segment.text + end for segment in document.body.segments)
        return document.with_body(text, self.gives)

"""The step `parse_hl7`."""

from __future__ import annotations

from typing import Literal

from pydantic.dataclasses import dataclass

from transforms.component import option, step
from transforms.document import HL7, Document
from transforms.hl7.message import Message, parse


@step("parse_hl7")
@dataclass(frozen=True)
class ParseHl7:
    """Read content as an HL7 v2 message.  An HL7 source does it already; this is for what a file or an HTTP body brings."""

    gives = HL7
    charset_policy: Literal["replace", "strict"] = option(
        "Bytes that are not in the declared character set: replace them, or refuse the message.", default="replace"
    )

    def __call__(self, document: Document) -> Document:
        body = document.body
        if isinstance(body, Message):
            return document
        content = body.encode() if isinstance(body, str) else bytes(body)
        return document.with_body(parse(content, charset_policy=self.charset_policy), HL7)

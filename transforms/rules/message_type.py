"""The rule `type`."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.declaration.lists import OneOrMore
from transforms.document import HL7, Document
from transforms.hl7.readers import reader
from transforms.pipeline import Condition


@rule("type")
@dataclass(frozen=True)
class Type:
    """The message is of this type, or of one of these: `- type: ORU` or `- type: [ORU^R01, OUL]`."""

    shorthand = "names"
    takes = HL7
    names: OneOrMore = option("Message codes (`ORU`), or with their trigger event (`ORU^R01`).")

    def prepare(self, resources: Resources) -> Condition:
        wanted, code, event = frozenset(self.names), reader("MSH-9.1"), reader("MSH-9.2")

        def holds(document: Document) -> bool:
            message = document.body
            name = code(message)
            return name in wanted or f"{name}^{event(message)}" in wanted

        return holds

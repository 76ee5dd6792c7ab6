"""The rule `exists`."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.document import HL7, Document
from transforms.hl7.path import parse_path
from transforms.hl7.readers import AnyPath, readers
from transforms.pipeline import Condition


@rule("exists")
@dataclass(frozen=True)
class Exists:
    """A segment stands in the message, or a field is there, be it as `""`: `- exists: SPM`."""

    shorthand = "path"
    takes = HL7
    path: AnyPath = option("Which segment or field.")

    def prepare(self, resources: Resources) -> Condition:
        path = parse_path(self.path)
        if path.field:
            read = readers(self.path)
            return lambda document: bool(read(document.body))
        name, times = path.segment, max(path.occurrence, 1)

        def holds(document: Document) -> bool:
            return sum(segment.name == name for segment in document.body.segments) >= times

        return holds

"""The rule `absent`."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.document import HL7
from transforms.hl7.path import parse_path
from transforms.hl7.readers import AnyPath, readers
from transforms.pipeline import Condition


@rule("absent")
@dataclass(frozen=True)
class Absent:
    """A segment does not stand in the message, or a field is empty: `- absent: PV1-19`.  HL7's `""` (delete) is not empty."""

    shorthand = "path"
    takes = HL7
    path: AnyPath = option("Which segment or field.")

    def prepare(self, resources: Resources) -> Condition:
        path = parse_path(self.path)
        if path.field:
            read = readers(self.path)
            return lambda document: not read(document.body)
        name, times = path.segment, max(path.occurrence, 1)
        return lambda document: sum(segment.name == name for segment in document.body.segments) < times

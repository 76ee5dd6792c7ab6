"""The rule `all`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.declaration.building import OneOf
from transforms.document import Document
from transforms.pipeline import Condition, prepare


@rule("all")
@dataclass(frozen=True)
class All:
    """Every one of these rules holds: `- all: [ {…}, {…} ]`."""

    shorthand = "rules"
    rules: tuple[Annotated[Any, OneOf("rule")], ...] = option("The rules.", min_length=1)

    def prepare(self, resources: Resources) -> Condition:
        conditions = [prepare(each.declaration, resources) for each in self.rules]

        def holds(document: Document) -> bool:
            return all(condition(document) for condition in conditions)

        return holds

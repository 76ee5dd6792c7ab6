"""The rule `any`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.declaration.building import OneOf
from transforms.document import Document
from transforms.pipeline import Condition, prepare


@rule("any")
@dataclass(frozen=True)
class Any_:
    """One of these rules holds: `- any: [ {…}, {…} ]`."""

    shorthand = "rules"
    rules: tuple[Annotated[Any, OneOf("rule")], ...] = option("The rules.", min_length=1)

    def prepare(self, resources: Resources) -> Condition:
        conditions = [prepare(each.declaration, resources) for each in self.rules]

        def holds(document: Document) -> bool:
            return any(condition(document) for condition in conditions)

        return holds

"""The rule `not`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, rule
from transforms.declaration.building import OneOf
from transforms.pipeline import Condition, prepare


@rule("not")
@dataclass(frozen=True)
class Not:
    """A rule does not hold: `- not: { equals: {…} }`."""

    shorthand = "rule"
    rule: Annotated[Any, OneOf("rule")] = option("The rule.")

    @property
    def rules(self) -> tuple[Any, ...]:
        """What it is made of, as `all` and `any` name it."""
        return (self.rule,)

    def prepare(self, resources: Resources) -> Condition:
        condition = prepare(self.rule.declaration, resources)
        return lambda document: not condition(document)

"""A filter and a list of steps, prepared once and then run for every message.

Running is a plain loop over callables.  A rule that does not hold ends it with `Filtered`; an error leaves with the step's
name and YAML line added to its `origin`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.component import Resources
from transforms.declaration.building import Placed
from transforms.document import Document
from transforms.errors import ErrorCode, MessageError


@dataclass(frozen=True, slots=True)
class Filtered:
    """A document nobody wanted: the rule that did not hold, and where it stands (`file:line`)."""

    rule: str
    origin: str


Condition = Callable[[Document], bool]
Action = Callable[[Document], Document]
Pipeline = Callable[[Document], Document | Filtered]


def prepare(declaration: Any, resources: Resources) -> Callable[[Document], Any]:
    """What a rule's or step's declaration runs as; raises OptionError or ConfigurationError where it cannot."""
    return declaration.prepare(resources) if hasattr(declaration, "prepare") else declaration


def build(rules: Sequence[Placed], steps: Sequence[Placed], resources: Resources) -> Pipeline:
    """Prepare every rule and step, in order."""
    conditions = [(prepare(rule.declaration, resources), rule) for rule in rules]
    actions = [(prepare(step.declaration, resources), step) for step in steps]
    return assemble(conditions, actions)


def assemble(conditions: Sequence[tuple[Condition, Placed]], actions: Sequence[tuple[Action, Placed]]) -> Pipeline:
    """A pipeline of what is prepared already."""
    filtered = [(condition, Filtered(placed.name, placed.origin), placed) for condition, placed in conditions]

    def run(document: Document) -> Document | Filtered:
        placed: Placed | None = None
        try:
            for condition, outcome, placed in filtered:
                if not condition(document):
                    return outcome
            for action, placed in actions:
                document = action(document)
            return document
        except MessageError as error:
            raise _with_origin(error, placed) from error
        except Exception as error:  # a site's own step may raise anything; the message must still be answered
            raise _internal(error, placed) from error

    return run


def _with_origin(error: MessageError, placed: Placed) -> MessageError:
    """The error, saying which step refused and, if it knew better, which rule of which map."""
    origin = f"{placed.origin} {placed.name}" + (f", {error.origin}" if error.origin else "")
    return MessageError(error.code, error.place, error.why, origin=origin, fatal=error.fatal)


def _internal(error: Exception, placed: Placed) -> MessageError:
    """A step broke.  Only the kind of error is told: its words may hold a value."""
    why = f"{placed.name} failed with {type(error).__name__}"
    return MessageError(ErrorCode.INTERNAL, "MSH", why, origin=f"{placed.origin} {placed.name}")

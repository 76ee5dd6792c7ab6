"""Conditions of maps as Python expressions, and the locals and bits that reading a field takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transforms.mapping.conditions import Condition
from transforms.mapping.kit import Kit
from transforms.mapping.places import Source
from transforms.mapping.writing import Code


@dataclass(frozen=True)
class Frame:
    """Where rules are written: what kind of thing, into which local, and what is known around it."""

    type: str
    out: str  # the local that holds the thing being made
    masks: tuple[str, ...]  # segments whose reads are gathered in a local
    manifold: frozenset[tuple[str, int]]  # fields of which some rule of the message map reads all repetitions
    parted: Mapping[tuple[str, int], frozenset[int]]  # fields of which rules read nothing but these components
    grown: frozenset[str] = frozenset()  # elements that stand already; `*`: any may
    explain: bool = False
    removes: bool = False  # what the sender says is no longer so (`""`) is taken away at the receiver


class ExpressionWriter:
    """Writes what reads fields; remembers which segments are read."""

    def __init__(self, code: Code, kit: Kit, frame: Frame) -> None:
        self.code, self.kit, self.frame = code, kit, frame
        self.segments: set[str] = set()

    def row(self, place: Source) -> str:
        self.segments.add(place.segment)
        return f"{place.segment}[{place.field}]"

    def mark(self, places: list[Source]) -> None:
        """Note fields as read."""
        masks: dict[str, int] = {}
        for place in places:
            masks[place.segment] = masks.get(place.segment, 0) | 1 << place.field
            self.segments.add(place.segment)
        for segment, mask in masks.items():
            self.code.put(f"u{segment} |= {mask}" if segment in self.frame.masks else f"U[i{segment}] |= {mask}")

    def condition(self, condition: Condition) -> str:
        """A Python expression that is true where the condition holds."""
        if condition.source is not None:
            self.segments.add(condition.source.segment)
        elif condition.kind in ("valued", "absent"):
            self.segments.add(condition.segment)
        return _CONDITIONS[condition.kind](self, condition)

    def _equals(self, condition: Condition) -> str:
        place = condition.source
        return f"{self.code.bind('Truths', condition.values, place.component, place.subcomponent)}[{self.row(place)}]"

    def _valued(self, condition: Condition) -> str:
        place = condition.source
        if place is None:
            return f"i{condition.segment} >= 0"
        if place.component:
            return f"VALUED({self.row(place)}, {place.component}, {place.subcomponent}, S)"
        return f"{self.row(place)} not in ABSENT"

    def _absent(self, condition: Condition) -> str:
        place = condition.source
        if place is None:
            return f"i{condition.segment} < 0"
        return f"not {self._valued(condition)}" if place.component else f"{self.row(place)} in ABSENT"

    def _nowhere(self, condition: Condition) -> str:
        return f"{condition.segment!r} not in S.plan.names"

    def _not(self, condition: Condition) -> str:
        return f"not {self.condition(condition.inner[0])}"

    def _joined(self, condition: Condition) -> str:
        """`all` or `any`; what is known already is left out."""
        parts = [self.condition(each) for each in condition.inner]
        decisive, idle = ("False", "True") if condition.kind == "all" else ("True", "False")
        if decisive in parts:
            return decisive
        word = " and " if condition.kind == "all" else " or "
        return "(" + (word.join(each for each in parts if each != idle) or idle) + ")"

    def _repeats(self, condition: Condition) -> str:
        return f"(REP in {self.row(condition.source)})"

    def _matches(self, condition: Condition) -> str:
        test = self.kit.predicates.get(condition.values[0])
        return f"MATCHES({self.code.constant(test, 'p')}, {self.row(condition.source)}, S)"

    def _option(self, condition: Condition) -> str:
        wanted = condition.values[0]
        return repr(getattr(self.kit.options, condition.segment, None) in (wanted if isinstance(wanted, list) else [wanted]))


_CONDITIONS = {
    "equals": ExpressionWriter._equals,
    "valued": ExpressionWriter._valued,
    "absent": ExpressionWriter._absent,
    "nowhere": ExpressionWriter._nowhere,
    "not": ExpressionWriter._not,
    "all": ExpressionWriter._joined,
    "any": ExpressionWriter._joined,
    "repeats": ExpressionWriter._repeats,
    "matches": ExpressionWriter._matches,
    "option": ExpressionWriter._option,
}

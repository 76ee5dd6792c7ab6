"""Places: the field a rule reads, the element it writes, and where the rule itself stands in a file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from transforms.declaration.reading import Located, Path
from transforms.errors import Problem

_FIELD = re.compile(r"(?P<segment>[A-Z][A-Z0-9]{2})-(?P<field>[1-9][0-9]?)(?:\.(?P<component>[1-9][0-9]?)(?:\.(?P<subcomponent>[1-9][0-9]?))?)?")
_STEP = re.compile(r"(?P<name>_?[A-Za-z][A-Za-z0-9]*)(?:\[(?P<label>[^\[\].]*)\])?")


@dataclass(frozen=True, slots=True)
class Source:
    """A place a rule reads: `OBX-3`, `PID-3.4.1`; 0 where a part was left out."""

    segment: str
    field: int
    component: int = 0
    subcomponent: int = 0

    def __str__(self) -> str:
        parts = "".join(f".{each}" for each in (self.component, self.subcomponent) if each)
        return f"{self.segment}-{self.field}{parts}"


def source(text: str) -> Source | None:
    """The place `text` names, None if it is none."""
    match = _FIELD.fullmatch(text)
    return Source(match["segment"], *(int(match[each] or 0) for each in ("field", "component", "subcomponent"))) if match else None


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a target's path; `label` tells elements of one list apart."""

    name: str
    label: str = ""


def target(text: str) -> tuple[Step, ...] | None:
    """`participant[attending].individual` as steps, None if it is no path of elements."""
    matches = [_STEP.fullmatch(each) for each in text.split(".")]
    if not all(matches):
        return None
    return tuple(Step(each["name"], each["label"] or "") for each in matches if each)


@dataclass(frozen=True)
class Spot:
    """Where something stands: a file, and the path of the value in it."""

    located: Located = field(compare=False, repr=False)
    path: Path = ()

    @property
    def file(self) -> str:
        """The file's name."""
        return self.located.file

    @property
    def place(self) -> tuple[int, int]:
        """Line and column, from 1."""
        return self.located.place(self.path)

    def at(self, *more: str | int) -> Spot:
        """A place inside."""
        return Spot(self.located, self.path + more)

    def problem(self, code: str, sentence: str, *, key: bool = False, severity: str = "error") -> Problem:
        """Something wrong here."""
        return self.located.problem(self.path, code, sentence, key=key, severity=severity)

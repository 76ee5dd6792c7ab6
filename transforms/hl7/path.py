"""Places in a message, as people write them: `PID-3[2].4.1`, `OBX[3]-5`, `MSH-9`, `PID-3[*].1`, `OBX`.

    path = segment [ "[" occurrence "]" ] [ "-" field [ "[" repetition "]" ] [ "." component [ "." subcomponent ] ] ]

Everything counts from 1.  `[*]` means every one; left out means: the first one to read, and for a whole field to set,
all of its repetitions.
"""

from __future__ import annotations

import re
from typing import NamedTuple

UNSAID = 0
EVERY = -1

_FORM = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<occurrence>[1-9][0-9]*|\*)\])?"
    r"(?:-(?P<field>[1-9][0-9]*)(?:\[(?P<repetition>[1-9][0-9]*|\*)\])?"
    r"(?:\.(?P<component>[1-9][0-9]*)(?:\.(?P<subcomponent>[1-9][0-9]*))?)?)?"
)
_known: dict[str, Path] = {}
_REMEMBERED = 10_000


class Path(NamedTuple):
    """A place in a message; 0 means the part was left out (`UNSAID`), -1 every one (`EVERY`)."""

    segment: str
    occurrence: int = UNSAID
    field: int = UNSAID
    repetition: int = UNSAID
    component: int = UNSAID
    subcomponent: int = UNSAID

    def __str__(self) -> str:
        text = self.segment + _index(self.occurrence)
        if self.field:
            text += f"-{self.field}{_index(self.repetition)}"
        if self.component:
            text += f".{self.component}"
        if self.subcomponent:
            text += f".{self.subcomponent}"
        return text


def parse_path(text: str) -> Path:
    """The place that `text` names.  Raises ValueError, saying what a path looks like, where it names none."""
    path = _known.get(text)
    if path is None:
        match = _FORM.fullmatch(text)
        if match is None or any(len(part or "") > 6 for part in match.groups()):
            raise ValueError(f"{text!r} is no place in a message; write it as PID-5, PID-3[2].4.1 or OBX[3]-5")
        path = Path(match["segment"], *map(_number, match.groups()[1:]))
        if len(_known) < _REMEMBERED:
            _known[text] = path
    return path


def _number(text: str | None) -> int:
    return UNSAID if text is None else EVERY if text == "*" else int(text)


def _index(number: int) -> str:
    return "" if number == UNSAID else "[*]" if number == EVERY else f"[{number}]"

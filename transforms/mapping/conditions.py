"""The conditions of `when:`: read from YAML, written as Python expressions.

    { OBX-2: [NM, SN] }   the field says one of these      { valued: OBR-2 }  { absent: OBR-2 }   (a segment's name too)
    { nowhere: OBX }      the whole message has no such segment
    { not: … }  { all: […] }  { any: […] }                 { repeats: OBX-5 }  more than one repetition
    { matches: { OBX-5: numeric } }  a registered test     { option: { text_numbers: quantity } }  a map option
Several keys in one mapping must all hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from transforms.declaration.reading import spelled
from transforms.declaration.suggestions import did_you_mean
from transforms.errors import Problem
from transforms.mapping.places import Source, Spot, source

WORDS = ("valued", "absent", "nowhere", "not", "all", "any", "repeats", "matches", "option")


@dataclass(frozen=True)
class Condition:
    """One condition.  `kind` is a word of the list above or `equals`; `source` None stands for a whole segment (`segment`)."""

    kind: str
    spot: Spot
    source: Source | None = None
    segment: str = ""
    values: tuple[Any, ...] = ()
    inner: tuple[Condition, ...] = ()

    def walk(self) -> Iterator[Condition]:
        """This condition and all inside it."""
        yield self
        for each in self.inner:
            yield from each.walk()

    @property
    def certain(self) -> Iterator[Condition]:
        """The equalities that must have held where the whole held: their fields were used."""
        if self.kind == "equals":
            yield self
        elif self.kind == "all":
            for each in self.inner:
                yield from each.certain


def read_condition(value: Any, spot: Spot, problems: list[Problem]) -> Condition | None:
    """The condition that `value` says; what is wrong goes to `problems`."""
    if not isinstance(value, dict) or not value:
        problems.append(spot.problem("condition", "A condition is a mapping such as `{ valued: OBR-2 }` or `{ OBX-2: [NM, SN] }`."))
        return None
    parts = [_read_one(key, each, spot.at(key), problems) for key, each in value.items()]
    found = tuple(each for each in parts if each is not None)
    return found[0] if len(found) == 1 else Condition("all", spot, inner=found)


def _read_one(key: str, value: Any, spot: Spot, problems: list[Problem]) -> Condition | None:
    if key in ("valued", "absent", "repeats"):
        return _about_place(key, value, spot, problems)
    if key == "nowhere":
        if isinstance(value, str) and len(value) == 3 and value.isalnum() and value.isupper():
            return Condition("nowhere", spot, None, value)
        problems.append(spot.problem("no_path", "`nowhere` takes a segment such as OBX."))
        return None
    if key == "not":
        inner = read_condition(value, spot, problems)
        return inner and Condition("not", spot, inner=(inner,))
    if key in ("all", "any"):
        listed = value if isinstance(value, list) else [value]
        inners = [read_condition(each, spot.at(index), problems) for index, each in enumerate(listed)]
        return Condition(key, spot, inner=tuple(each for each in inners if each is not None))
    if key in ("matches", "option") and isinstance(value, dict) and len(value) == 1:
        ((name, wanted),) = value.items()
        place = source(name)
        if key == "matches" and place is None:
            problems.append(spot.at(name).problem("no_path", f"`{name}` is no field.", key=True))
            return None
        return Condition(key, spot, place, name, (wanted,))
    place = source(key)
    if place is None or key in WORDS:
        problems.append(spot.problem("condition", f"`{key}` is no condition and no field{did_you_mean(key, WORDS)}.", key=True))
        return None
    wanted = value if isinstance(value, list) else [value]
    return Condition("equals", spot, place, values=tuple(spelled(each) for each in wanted if not isinstance(each, (dict, list))))


def _about_place(kind: str, value: Any, spot: Spot, problems: list[Problem]) -> Condition | None:
    if isinstance(value, str):
        if place := source(value):
            return Condition(kind, spot, place)
        if len(value) == 3 and value.isalnum() and value.isupper() and kind != "repeats":
            return Condition(kind, spot, None, value)
    problems.append(spot.problem("no_path", f"`{kind}` takes a field such as OBR-2, or a segment."))
    return None

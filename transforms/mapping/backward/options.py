"""What is written twice (`results.yaml`): which fields repeat, what is never run backwards though it could be, what counts as the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from transforms.declaration.reading import read


@dataclass(frozen=True)
class Writable:
    """What may be written into a message."""

    repeats: frozenset[str]  # fields that may repeat
    types: tuple[str, ...]  # of OBX-2, best first
    bare: frozenset[str]  # fields that hold a code and nothing beside it (ID, IS)
    never: frozenset[str]  # rules that only read
    same: tuple[tuple[str, ...], ...]  # fields that say the same thing
    alike: tuple[tuple[str, ...], ...]  # codes that say the same thing, by field
    gone: Mapping[str, str]  # fields that need not come back -> why


@cache
def writable() -> Writable:
    """What the package says."""
    place = files("transforms.mapping.backward") / "results.yaml"
    told = read(place.read_text("utf-8"), "results.yaml").value
    return Writable(
        frozenset(told["repeats"]),
        tuple(told["types"]),
        frozenset(told["bare"]),
        frozenset(told["never"]),
        tuple(map(tuple, told["same"])),
        tuple(map(tuple, told["alike"])),
        dict(told["gone"]),
    )

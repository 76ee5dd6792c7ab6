"""The inverses of the functions of `as:`: which have one, and what it is called with.

An inverse gets a FHIR value and a Writing and proposes texts that the function might have read: any number, each as the parts of
a field.  It need not be sure.  Whoever asks lets the function read each proposal, and takes the one that says most of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import transforms.mapping.backward.functions as package
from transforms.component import discover

Parts = Sequence[str | Sequence[str]]
"""Components of a field, as a reader sees them (unescaped); one with parts of its own is a sequence of subcomponents."""


@dataclass(frozen=True)
class Proposal:
    """What a field may have said; `withs`: what the fields that `with:` names may have."""

    parts: Parts
    withs: Mapping[str, Parts] = field(default_factory=dict)


Inverse = Callable[..., Iterable[Proposal]]
I = TypeVar("I", bound=Inverse)  # noqa: E741 - an inverse, whatever its options

_inverses: dict[str, Inverse] = {}


def inverse(*names: str) -> Callable[[I], I]:
    """Register the inverse of functions of `as:`.  It is called with (value, writing, **constants), `codes` being the table where there is one."""

    def register(call: I) -> I:
        for name in names:
            other = _inverses.setdefault(name, call)
            if other.__qualname__ != call.__qualname__:
                raise ValueError(f"two inverses of {name}: {other.__module__} and {call.__module__}")
        return call

    return register


def inverses() -> dict[str, Inverse]:
    """Every inverse by the name of its function, the package's modules imported."""
    discover(package)
    return dict(sorted(_inverses.items()))


def said(*parts: str | Sequence[str], **withs: Parts) -> Proposal:
    """A proposal of these components."""
    return Proposal(parts, withs)


def value_and_beside(value: Any) -> tuple[Any, Mapping[str, Any]]:
    """A primitive and the element beside it (`_birthDate`), which is empty where there is none."""
    return value if isinstance(value, tuple) else (value, {})

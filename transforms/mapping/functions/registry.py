"""The functions a map may name in `as:`: what they are called, what they give, what they take.

A function gets the raw (still escaped) text of one repetition or component, never empty and never the NULL `""`,
and a Reading; it returns a FHIR value, or None where nothing can be said (the field then counts as left over).
What it returns may be shared between messages and must never be changed afterwards.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import transforms.mapping.functions as package
from transforms.component import discover

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Function:
    """One function of `as:`.

    `gives` is an R4 type (`CodeableConcept`, `dateTime`), a resource type (`Practitioner`: where the target is a
    Reference, the resource becomes an entry or is contained, rule 7), or `*`: the function returns (type, value).
    `list`: it returns a list of them.  `memo`: the value depends on nothing but the text, the `with:` values and what the
    Reading says of sender, version, zone, identity and options, so that it is computed once and kept (notes are kept with it).
    """

    name: str
    gives: str
    call: Callable[..., Any]
    list: bool = False
    memo: bool = False
    beside: bool = False  # it may give Beside: a primitive with what stands beside it
    options: tuple[str, ...] = ()  # names allowed in `with:`
    required: tuple[str, ...] = ()  # of those, the ones without a default
    any_option: bool = False
    summary: str = ""


class Beside(NamedTuple):
    """A primitive value and the element beside it (`_effectiveDateTime`): extensions about the value, such as what it was cut from."""

    value: Any
    element: dict[str, Any]


_functions: dict[str, Function] = {}


def function(name: str, *, gives: str, list: bool = False, memo: bool = False, beside: bool = False) -> Callable[[F], F]:
    """Register a function of `as:` under `name`; its parameters after (text, r) are what `with:` may name."""

    def register(call: F) -> F:
        other = _functions.get(name)
        if other is not None and other.call.__qualname__ != call.__qualname__:
            raise ValueError(f"two functions are called {name}: {other.call.__module__} and {call.__module__}")
        _functions[name] = described(name, call, gives=gives, list=list, memo=memo, beside=beside)
        return call

    return register


def described(name: str, call: Callable[..., Any], *, gives: str, list: bool = False, memo: bool = False, beside: bool = False) -> Function:
    """The entry for a function: what its signature says of `with:`, what its docstring says of it."""
    parameters = [*inspect.signature(call).parameters.values()][2:]
    named = [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    return Function(
        name,
        gives,
        call,
        list,
        memo,
        beside,
        options=tuple(each.name for each in named),
        required=tuple(each.name for each in named if each.default is each.empty),
        any_option=any(each.kind is each.VAR_KEYWORD for each in parameters),
        summary=(call.__doc__ or "").strip().partition("\n")[0],
    )


def functions() -> dict[str, Function]:
    """Every function of `as:` by name, the package's modules imported."""
    discover(package)
    return dict(sorted(_functions.items()))


_predicates: dict[str, Callable[..., bool]] = {}


def predicate(name: str) -> Callable[[F], F]:
    """Register a test `matches: {FIELD: name}` may name: called with (text, r), gives True or False."""

    def register(call: F) -> F:
        other = _predicates.setdefault(name, call)
        if other.__qualname__ != call.__qualname__:
            raise ValueError(f"two predicates are called {name}: {other.__module__} and {call.__module__}")
        return call

    return register


def predicates() -> dict[str, Callable[..., bool]]:
    """Every predicate of `matches:` by name, the package's modules imported."""
    discover(package)
    return dict(sorted(_predicates.items()))

"""The elements of FHIR R4 (4.0.1): what a type has, how often, of which types, bound to which codes.

Answers come from the table that `definitions/make.py` writes; nothing here looks at an instance.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import zstandard

MANY = 0
"""`Element.max` of an element that may repeat without limit."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type.

    `path` is HL7's (`Observation.value[x]`), `name` the last part without `[x]`.  `types` are plain names; a backbone's
    type is its own path (`Observation.component`).  `targets` are what a Reference may point at, empty for anything.
    """

    path: str
    name: str
    min: int
    max: int  # MANY: no limit
    types: tuple[str, ...]
    targets: tuple[str, ...] = ()
    strength: str = ""  # of the binding: required, extensible, preferred, example; empty where there is none
    value_set: str = ""

    @property
    def many(self) -> bool:
        """It is a list in JSON."""
        return self.max != 1

    @property
    def choice(self) -> bool:
        """Its JSON name ends in the type: `valueQuantity`."""
        return self.path.endswith("[x]")

    @property
    def codes(self) -> Mapping[str, frozenset[str]] | None:
        """Code system -> codes that may stand here, where a required binding can be listed; else None."""
        return value_set(self.value_set) if self.strength == "required" else None

    def property_for(self, type_name: str) -> str:
        """The JSON name for a value of that type: `value` and `Quantity` give `valueQuantity`."""
        return self.name + type_name[0].upper() + type_name[1:] if self.choice else self.name


@cache
def table() -> Mapping[str, Any]:
    """The generated data as it stands in the package (see `definitions/make.py`)."""
    packed = files("transforms.fhir").joinpath("definitions", "r4.json.zst").read_bytes()
    return MappingProxyType(json.loads(zstandard.ZstdDecompressor().decompress(packed)))


@cache
def value_set(url: str) -> Mapping[str, frozenset[str]] | None:
    """Code system -> codes of a value set that is kept, else None."""
    systems = table()["codes"].get(url)
    return None if systems is None else MappingProxyType({system: frozenset(codes) for system, codes in systems.items()})


@cache
def resource_types() -> frozenset[str]:
    """The resources that can be made: 145 and more, no abstract ones."""
    return frozenset(name for name, (kind, _, _) in table()["types"].items() if kind == "resource")


@cache
def primitive_types() -> frozenset[str]:
    """Types whose JSON is a string, number or boolean."""
    return frozenset(table()["patterns"])


def is_type(name: str) -> bool:
    """Whether R4 knows the type, backbone types by path included."""
    return name in table()["types"] or name in primitive_types()


@cache
def children(type_name: str) -> Mapping[str, Element]:
    """The elements of a type by name, in the specification's order; choices stand once, without `[x]`.  Empty for what is none."""
    entry = table()["types"].get(type_name)
    if entry is None:
        return MappingProxyType({})
    found = (_element(f"{type_name}.{name}", *described) for name, described in entry[2].items())
    return MappingProxyType({element.name: element for element in found})


@cache
def properties(type_name: str) -> Mapping[str, tuple[Element, str]]:
    """JSON name -> (element, type) of a type; a choice has one name for each type."""
    return MappingProxyType(
        {e.property_for(t): (e, t) for e in children(type_name).values() for t in (e.types if e.choice else e.types[:1])}
    )


@cache
def element(type_name: str, path: str) -> Element | None:
    """The element at a dotted path below a type; None where R4 has none.

    Choices may be named either way: `element("Observation", "value.unit")` looks through all its types, `valueQuantity.unit`
    through one.
    """
    name, _, rest = path.partition(".")
    child = children(type_name).get(name)
    types = child.types if child else ()
    if child is None and name in properties(type_name):
        child, *types = properties(type_name)[name]
    if child is None or not rest:
        return child
    return next((below for each in types if (below := element(each, rest))), None)


def _element(path: str, least: int, most: int, types: list[str], strength: str = "", value_set: str = "") -> Element:
    """An Element from its row of the table."""
    name = path.rpartition(".")[2].removesuffix("[x]")
    named, targets = [], []
    for each in types:
        plain, _, inside = each.partition("(")
        named.append(plain.removeprefix("@"))
        targets += inside.rstrip(")").split("|") if inside and plain == "Reference" else ()
    return Element(path, name, least, most, tuple(named), tuple(targets), strength, value_set)

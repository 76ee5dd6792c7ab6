"""Which component of a datatype a function of `as:` writes where: `maps/datatypes/*.yaml`, each with tests that prove it.

    function: codeable_concept
    follows: v2-to-FHIR, CWE[CodeableConcept]
    rows: { CWE.1: "coding[1].code", CWE.9: text }
    tests: [{ given: "1^Glucose^L", expect: { coding: [{ code: "1" }] } }]

A row holds when some test shows it: without the component, what stood at the element is no longer there.  Elements of lists are
counted from 1, `extension(NAME)` is one of HL7's by its short name, `extension(./NAME)` a part of one, or any by its url, `$value` the
value itself.  `FN.2`-like rows of a datatype that only stands inside another are given apart by subcomponents (`inside: XPN.1`).
`at` says where in what the guide describes the result stands (`at: { "ED[DocumentReference]": content.attachment }`), `into` which of
the function's values the datatype is where it is not the text (`into: unit`; the text then stands in the test's `with`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as declaration

from transforms.declaration.building import FAILED, Builder
from transforms.declaration.reading import read
from transforms.document import Context, Identity
from transforms.errors import ConfigurationError, Problem
from transforms.hl7.delimiters import Delimiters
from transforms.mapping.definition import Table, Waived
from transforms.mapping.examples import BASE, RECEIVED, SECRET, differences
from transforms.mapping.functions.extensions import CORE
from transforms.mapping.functions.registry import Beside, Function, functions
from transforms.mapping.leaves import Leaf, Steps, below, displaced
from transforms.mapping.options import MapOptions
from transforms.mapping.places import Spot
from transforms.mapping.reading import Reading
from transforms.mapping.shapes import STRICT, Names, WaiverShape

_STEP = re.compile(r"(?P<name>\$?[A-Za-z]+)(?:\((?P<url>[^)]+)\))?(?:\[(?P<index>\d+)\])?")


@declaration(frozen=True, config=STRICT)
class DatatypeTestShape:
    """One example: the text of a field, and a part of what it gives.  `offset`: of the message's times."""

    given: str
    expect: Any = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    codes: str = ""
    offset: str = "+0100"
    options: dict[str, Any] = Field(default_factory=dict)
    authorities: dict[str, str] = Field(default_factory=dict)

    __test__ = False


@declaration(frozen=True, config=STRICT)
class DatatypeShape:
    """A file under `maps/datatypes`."""

    function: str
    follows: str = ""
    inside: str = ""
    into: str = ""
    at: dict[str, str] = Field(default_factory=dict)
    rows: dict[str, Names] = Field(default_factory=dict)
    waived: tuple[WaiverShape, ...] = ()
    tests: tuple[DatatypeTestShape, ...] = ()


@dataclass(frozen=True)
class DatatypeMap:
    """What one function does with one datatype, or with several that are alike."""

    name: str
    function: str
    spot: Spot
    follows: str
    inside: str
    into: str
    at: Mapping[str, Steps]
    rows: tuple[tuple[str, str], ...]  # component, element
    waived: tuple[Waived, ...]
    tests: tuple[DatatypeTestShape, ...]


@cache
def datatype_maps() -> Mapping[str, DatatypeMap]:
    """The package's, by name.  Raises ConfigurationError with every problem."""
    problems: list[Problem] = []
    found: dict[str, DatatypeMap] = {}
    for each in sorted(files("transforms.mapping").joinpath("maps/datatypes").iterdir(), key=lambda each: each.name):
        if each.name.endswith(".yaml"):
            located = read(each.read_text("utf-8"), f"maps/datatypes/{each.name}")
            builder = Builder(located, {})
            shape = builder.build(DatatypeShape, located.value)
            problems += builder.problems
            if shape is not FAILED:
                found[each.name.removesuffix(".yaml")] = _made(each.name.removesuffix(".yaml"), shape, Spot(located), problems)
    if problems:
        raise ConfigurationError(problems)
    return found


def _made(name: str, shape: DatatypeShape, spot: Spot, problems: list[Problem]) -> DatatypeMap:
    if shape.function not in functions():
        problems.append(spot.at("function").problem("unknown_function", f"There is no function `{shape.function}`."))
    rows = tuple((id_, element) for id_, named in shape.rows.items() for element in ([named] if isinstance(named, str) else named))
    at = {name: steps(element) for name, element in shape.at.items()}
    waived = tuple(Waived(spot.at("waived", index), each.row, each.why, each.by) for index, each in enumerate(shape.waived))
    return DatatypeMap(name, shape.function, spot, shape.follows, shape.inside, shape.into, at, rows, waived, shape.tests)


class Demonstration:
    """The tests of one datatype map, run: what they give, and what goes without a component."""

    def __init__(self, found: DatatypeMap, tables: Mapping[str, Table]) -> None:
        self.map, self._tables = found, tables
        self._function: Function = functions()[found.function]

    def failures(self) -> Iterator[str]:
        """Where a test gives something else than it expects."""
        for index, test in enumerate(self.map.tests, 1):
            for each in differences(test.expect, self.value(test, test.given), "", more=True):
                yield f"{self.map.name}, test {index}: {each}"

    def unproved(self) -> Iterator[str]:
        """Rows that no test shows."""
        for component, element in self.map.rows:
            if not any(below(path, steps(element)) for path, _ in self.without(component)):
                yield f"{self.map.name}: {component} -> {element}"

    def without(self, component: str) -> frozenset[Leaf]:
        """What stood somewhere in some result and is no longer there, or not the same, without a component."""
        found: frozenset[Leaf] = frozenset()
        for test in self.map.tests:
            text = self._blanked(test.given, component)
            if text != test.given:
                found |= displaced(self.value(test, test.given), self.value(test, text) if text else None)
        return found

    def _blanked(self, text: str, component: str) -> str:
        number = int(component.rpartition(".")[2]) if "." in component else 0
        if not number:
            return ""
        if self.map.inside:
            outer = int(self.map.inside.rpartition(".")[2])
            parts = text.split("^")
            if outer <= len(parts):
                parts[outer - 1] = _blank(parts[outer - 1], "&", number)
            return "^".join(parts)
        return _blank(text, "^", number)

    def value(self, test: DatatypeTestShape, text: str) -> Any:
        """What the function makes of a text, as the element would hold it."""
        if not text.strip("^&"):
            return None
        options = TypeAdapter(MapOptions).validate_python(test.options)
        authorities = {tuple(key.split("|")): uri for key, uri in test.authorities.items()}
        context = Context(RECEIVED, "test", "", Identity(BASE, SECRET, authorities))  # type: ignore[arg-type]
        reading = Reading(Delimiters(), context, options, sender=("LAB", "HOSP"), version="2.5.1", offset=test.offset)
        codes = {"codes": self._codes(test.codes)} if test.codes else {}
        values = {**test.with_}
        if self.map.into:
            values[self.map.into], text = text, values.pop("text")
        return _plain(self._function.call(text, reading, **codes, **values))

    def _codes(self, name: str) -> Mapping[str | None, Any]:
        table = self._tables[name]
        return {**table.codes, None: table.otherwise}


def _blank(text: str, separator: str, number: int) -> str:
    parts = text.split(separator)
    if number <= len(parts):
        parts[number - 1] = ""
    return separator.join(parts)


def _plain(value: Any) -> Any:
    """A function's result without its wrappings: the value of a typed pair, a primitive beside its extensions as `{$value, extension}`."""
    if isinstance(value, Beside):
        return {"$value": value.value, **value.element}
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        return _plain(value[1])
    return value


def declared(found: DatatypeMap, component: str) -> Iterator[Steps]:
    """The elements a map says a component goes to."""
    for name, element in found.rows:
        if name == component:
            yield steps(element)


def steps(written: str) -> Steps:
    """`extension(humanname-own-name).valueString` and `coding[2].code` as steps."""
    found = []
    for match in _STEP.finditer(written):
        url = match["url"]
        name = f"extension={url[2:] if url[:2] == './' else url if ':' in url else CORE + url}" if url else match["name"]
        found.append((name, int(match["index"] or 0)))
    return tuple(found)

"""All maps and tables of an installation: the package's own, and over them a site's; checked together, compiled on demand.

A site's file wins over the package's of the same name; with `extends:` it changes single rules of it, by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from transforms.declaration.suggestions import did_you_mean
from transforms.errors import ConfigurationError, Problem
from transforms.hl7.local import NOTHING, declares, read_all
from transforms.hl7.structures import PACKAGED, Structures
from transforms.mapping.checking import check_message_map, check_segment_map, in_order
from transforms.mapping.claims import choose, claims_of
from transforms.mapping.definition import Definition, MessageMap, Rule, SegmentMap, Table, read_definition
from transforms.mapping.examples import Outcome, run_examples
from transforms.mapping.explaining import Explainer
from transforms.mapping.functions.registry import functions, predicates
from transforms.mapping.kit import Kit
from transforms.mapping.local_fields import check_local_fields
from transforms.mapping.making import write_module
from transforms.mapping.options import MapOptions
from transforms.mapping.shelf import MESSAGES, SEGMENTS, TABLES, Shelf, packaged
from transforms.mapping.to_fhir import AnyConverter, Converter


@dataclass(frozen=True)
class Library:
    """Maps and tables by name."""

    segment_maps: Mapping[str, SegmentMap]
    message_maps: Mapping[str, MessageMap]
    tables: Mapping[str, Table]
    structures: Structures = PACKAGED
    claims: Mapping[str, str] = field(default_factory=dict)  # what `messages:` of a map names -> the map
    _converters: dict[tuple[str, MapOptions, bool], Any] = field(default_factory=dict, repr=False, compare=False)

    @staticmethod
    def load(site_maps: Mapping[str, str] | None = None, paths: Mapping[str, str] | None = None) -> Library:
        """The package's maps, and a site's over them (file name -> YAML; `paths`: file name -> how problems name it).

        Raises ConfigurationError with every problem.
        """
        problems: list[Problem] = []
        local = read_all(site_maps or {}, paths or {}, problems)
        site = _Site(problems)
        for name, text in sorted((site_maps or {}).items()):
            if not declares(text):
                site.add(name.rpartition("/")[2].removesuffix(".yaml").removesuffix(".yml"), text, (paths or {}).get(name, name))
        segments, messages, tables = (site.shelf(kind) for kind in (SEGMENTS, MESSAGES, TABLES))
        claims = claims_of(messages, site.names(MESSAGES), problems)
        library = Library(segments, messages, tables, Structures(local) if local != NOTHING else PACKAGED, claims)
        problems += library.structures.problems()
        if site_maps:  # the package's alone were looked at when it was made
            problems += check_local_fields(library.segment_maps.values(), local)
            tuple(tables.values())  # reading them finds what is wrong
            problems += library.problems()
        if any(each.severity == "error" for each in problems):
            raise ConfigurationError(in_order(problems))
        return library

    def kit(self, options: MapOptions) -> Kit:
        """What maps may name."""
        return Kit(functions(), predicates(), self.tables, options, self.structures)

    def problems(self) -> list[Problem]:
        """What is wrong with the maps' meaning."""
        kit = self.kit(MapOptions())
        found: list[Problem] = []
        for each in self.segment_maps.values():
            found += check_segment_map(each, kit)
        for other in self.message_maps.values():
            found += check_message_map(other, self.segment_maps, kit)
        return found

    def converter(self, name: str = "auto", options: MapOptions = MapOptions()) -> Converter | AnyConverter:
        """The converter of a message map, compiled once; `auto`: the map that the message's structure asks for."""
        return self._converter(name, options, explain=False)

    def explain(self, name: str = "auto", options: MapOptions = MapOptions()) -> Explainer:
        """What explains messages: of every leaf of the Bundle which rule wrote it and from where, and what became of each atom."""
        plain, traced = (self._converter(name, options, explain=explain) for explain in (False, True))
        return Explainer(plain, traced, self.segment_maps, self.tables)

    def named(self, name: str) -> str:
        """The map of that name, or the one for messages of that name (`ADT_A08`)."""
        return name if name in self.message_maps else self.claims.get(name, name)

    def _converter(self, name: str, options: MapOptions, *, explain: bool) -> Converter | AnyConverter:
        key = (name, options, explain)
        if key not in self._converters:
            if name == "auto":
                chosen = partial(choose, claims=self.claims, structures=self.structures)
                self._converters[key] = AnyConverter(chosen, partial(self._converter, options=options, explain=explain))
            else:
                self._converters[key] = self._compiled(name, options, explain=explain)
        return self._converters[key]

    def _compiled(self, name: str, options: MapOptions, *, explain: bool) -> Converter:
        found = self.message_maps.get(self.named(name))
        if found is None:
            raise KeyError(f"there is no message map {name}{did_you_mean(name, self.message_maps)}")
        module = write_module(found, self.segment_maps, self.kit(options), explain=explain)
        return Converter(found, module, options, structures=self.structures)

    # for tests

    def test_map(self, name: str = "") -> list[Outcome]:
        """Run the tests that maps carry: those of one map, or all."""
        return list(run_examples(self.segment_maps, self.message_maps, self.kit(MapOptions()), name))

    def rules(self) -> Iterator[tuple[str, Rule]]:
        """Every rule, by the name `without` takes: `OBX_Observation/status`."""
        for each in self.segment_maps.values():
            for rule in each.rules:
                yield f"{each.name}/{rule.name}", rule

    def without(self, rule_name: str) -> Library:
        """The same library, one rule gone."""
        map_name, _, name = rule_name.partition("/")
        found = self.segment_maps[map_name]
        rules = tuple(each for each in found.rules if each.name != name)
        if len(rules) == len(found.rules):
            raise KeyError(f"there is no rule {rule_name}")
        return replace(self, segment_maps={**self.segment_maps, map_name: replace(found, rules=rules)}, _converters={})


class _Site:
    """A site's maps over the package's."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._own: dict[str, dict[str, Definition]] = {SEGMENTS: {}, MESSAGES: {}, TABLES: {}}

    def add(self, name: str, text: str, file: str) -> None:
        """Take a file of the site's in; what is wrong with it goes to the problems."""
        found = read_definition(name, text, file, self._problems)
        if found is not None:
            self._own[_kind(found)][found.name] = found

    def names(self, kind: str) -> Iterable[str]:
        """What the site has itself."""
        return self._own[kind]

    def shelf(self, kind: str) -> Shelf[Any]:
        """All of a kind by name, with what they extend worked in."""
        elsewhere = {name for other in (SEGMENTS, MESSAGES) if other != kind and kind != TABLES for name in self._own[other]}
        names = {*packaged(kind), *self._own[kind]} - elsewhere
        return Shelf(names, lambda name: self._extended(kind, name, ()))

    def _extended(self, kind: str, name: str, seen: tuple[str, ...]) -> Definition:
        """A definition with what it extends worked in."""
        own, package = self._own[kind], packaged(kind)
        found = own[name] if name in own else package[name]
        wanted = found.extends
        if not wanted:
            return found
        if wanted == name and name in own:
            base = package.get(name)
        elif wanted in seen or wanted == name:
            self._problems.append(found.spot.at("extends").problem("circle", f"`{wanted}` extends this map in turn."))
            return found
        else:
            base = self._extended(kind, wanted, (*seen, name)) if wanted in own or wanted in package else None
        if base is None:
            known = did_you_mean(wanted, {*own, *package})
            self._problems.append(found.spot.at("extends").problem("unknown_map", f"There is no `{wanted}` to extend{known}."))
            return found
        if isinstance(base, MessageMap) and isinstance(found, MessageMap):
            self._problems += _unknown_makes(base, found)
        return _merged(base, found)


def _kind(found: Definition) -> str:
    return TABLES if isinstance(found, Table) else MESSAGES if isinstance(found, MessageMap) else SEGMENTS


def _unknown_makes(base: MessageMap, change: MessageMap) -> Iterator[Problem]:
    names = [each.name for each in base.makes]
    for index, name in enumerate(change.without):
        if name not in names:
            yield change.spot.at("without", index).problem("unknown_make", f"`{base.name}` has no make called `{name}`{did_you_mean(name, names)}.")


def _merged(base: Definition, change: Definition) -> Definition:
    if isinstance(base, SegmentMap) and isinstance(change, SegmentMap):
        return replace(change, segment=base.segment, type=base.type, rules=_replaced(base.rules, change.rules), tests=(*base.tests, *change.tests), follows=change.follows or base.follows)
    if isinstance(base, MessageMap) and isinstance(change, MessageMap):
        return replace(
            change,
            messages=change.messages or base.messages,
            inherits=not change.messages and change.name != base.name,
            arrange=change.arrange or base.arrange,
            part=change.part or base.part,
            patient=base.patient if change.patient == "required" else change.patient,
            makes=_replaced(tuple(each for each in base.makes if each.name not in change.without), change.makes),
            drop=(*base.drop, *change.drop),
        )
    if isinstance(base, Table) and isinstance(change, Table):
        return replace(change, codes={**base.codes, **change.codes}, otherwise=change.otherwise or base.otherwise)
    return change


def _replaced(base: tuple[Any, ...], changes: tuple[Any, ...]) -> tuple[Any, ...]:
    """What `changes` names anew in its old place, what is new behind it."""
    by_name = {each.name: each for each in changes}
    kept = [by_name.pop(each.name, each) for each in base]
    return (*kept, *by_name.values())

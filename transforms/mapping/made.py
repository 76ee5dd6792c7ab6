"""A make while its code is written: its rules, what it sees and links to, and how its steps are laid out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transforms.fhir.elements import children, resource_types
from transforms.mapping.arrangement import Site
from transforms.mapping.definition import Make, Rule, SegmentMap
from transforms.mapping.keys import Declared, identity_of
from transforms.mapping.places import Source
from transforms.mapping.results import BY_TYPE, IDENTITIES, Identity
from transforms.mapping.targets import fields_read, reads_many


class Made:
    """One make.  A step is (node, part, positions of `segments`, links); in groups (positions and links around), (node, own positions)."""

    def __init__(self, index: int, make: Make, maps: Mapping[str, SegmentMap]) -> None:
        self.index, self.make = index, make
        used = segment_maps_of(make, maps)
        self.rules: list[tuple[str, Rule]] = [(each.name, rule) for each in used for rule in each.rules]
        self.own: tuple[str, ...] = tuple(dict.fromkeys(each.segment for each in used))
        self.resource = make.type in resource_types()
        self.identity: Identity | None = self._identified() if self.resource and not make.into else None
        self.grouped = bool(self.identity and self.identity.counted and self.identity.links and not self.identity.declared)
        self.links: dict[tuple[str, bool], int] = {}  # (make, all of them) -> order in the step
        self.lengths: set[str] = set()
        self.segments: tuple[str, ...] = ()

    def _identified(self) -> Identity:
        wanted = self.make.identify or BY_TYPE.get(self.make.type, "by_identifier")
        return identity_of(wanted, self.make.type, self.own) if isinstance(wanted, Declared) else IDENTITIES[wanted]

    @property
    def grown(self) -> frozenset[str]:
        """Elements that may stand before the rules are written."""
        if self.make.into:
            return frozenset() if "." in self.make.into else frozenset("*")
        identified = self.identity is not None and self.identity.owned and "identifier" in children(self.make.type)
        return frozenset({"identifier"} if identified and children(self.make.type)["identifier"].many else ())

    def link(self, name: str, many: bool) -> str:
        """The local that holds a link's node (or nodes)."""
        return f"l{self.links.setdefault((name, many), len(self.links))}"

    def see(self, segments: Iterable[str], lengths: set[str]) -> None:
        """What its code was found to read."""
        seen = {*segments, *self.own, *(self.identity.segments if self.identity else ())}
        self.segments, self.lengths = tuple(sorted(seen)), lengths

    @property
    def inner(self) -> tuple[str, ...]:
        """Segments that differ from step to step of a group."""
        return tuple(name for name in self.segments if name in self.own)

    @property
    def outer(self) -> tuple[str, ...]:
        """Segments around."""
        return tuple(name for name in self.segments if name not in self.own)

    def names(self, which: str) -> str:
        """The locals a step is taken apart into."""
        links = "".join(f", l{order}" for order in self.links.values())
        if which == "outer":
            return "(part" + "".join(f", i{name}" for name in self.outer) + links + ")"
        if which == "inner":
            return "n" + "".join(f", i{name}" for name in self.inner)
        return "n, part" + "".join(f", i{name}" for name in self.segments) + links

    def site(self) -> Site:
        """What the make asks of a message's tree."""
        only = self.make.with_if_only
        own = tuple(name for name in self.own if name not in only) or self.own
        return Site(self.make.name, self.make.at, own, only, self.segments, tuple(self.links), self.inner if self.grouped else ())

    def segments_of(self, rule: Rule) -> set[str]:
        """The segments a rule reads or asks about."""
        found = {segment for segment, _ in fields_read(rule)}
        if rule.when is not None:
            for each in rule.when.walk():
                found |= {each.source.segment} if each.source else {each.segment}
        return found


def segment_maps_of(make: Make, maps: Mapping[str, SegmentMap]) -> list[SegmentMap]:
    """The maps a make names in `with`: `OBX` stands for `OBX_Observation` where it makes an Observation."""
    found = [maps.get(f"{name}_{make.type}") or maps.get(name) for name in (*make.with_, *make.with_if_only)]
    return [each for each in found if each is not None]


def manifold_of(made: Iterable[Made]) -> frozenset[tuple[str, int]]:
    """Fields of which some rule reads all repetitions."""
    found: set[tuple[str, int]] = set()
    for each in made:
        for _, rule in each.rules:
            if reads_many(each.make.type, rule):
                found |= {(place.segment, place.field) for case in rule.cases if case.action.each is not False for place in case.action.sources}
        if each.make.repeat:
            found.add((each.make.repeat.segment, each.make.repeat.field))
    return frozenset(found)


def widest_of(made: Iterable[Made]) -> dict[str, int]:
    """The last field of each segment that anything reads."""
    widest = {"MSH": 20, "OBX": 25, "OBR": 29, "NTE": 6, "SPM": 3, "PID": 4, "PV1": 19, "ORC": 4}  # what keys, lines and parents are made of
    for each in made:
        places = [place for _, rule in each.rules for place in fields_read(rule)]
        conditions = [rule.when for _, rule in each.rules] + [each.make.when]
        places += [(inner.source.segment, inner.source.field) for when in conditions if when for inner in when.walk() if inner.source]
        places += each.identity.reads if each.identity else ()
        for segment, number in places:
            widest[segment] = max(widest.get(segment, 0), number)
    return widest


def keyed_of(made: Iterable[Made]) -> dict[str, tuple[int, ...]]:
    """The fields that the keys a map declares are made of, with those of what they begin with."""
    named = {each.make.name: each for each in made}
    found: dict[str, dict[int, None]] = {}
    for each in named.values():
        if each.identity is not None and each.identity.declared:
            around = [named[name].identity for name in each.identity.links if name in named]
            for segment, number in (*each.identity.reads, *(place for other in around if other for place in other.reads)):
                found.setdefault(segment, {})[number] = None
    return {segment: tuple(numbers) for segment, numbers in found.items()}


def parted_of(made: Iterable[Made]) -> dict[tuple[str, int], frozenset[int]]:
    """Fields that are read by parts only, by every rule that reads them: the components some rule takes."""
    taken: dict[tuple[str, int], set[int]] = {}
    whole: set[tuple[str, int]] = set()
    for each in made:
        for _, rule in each.rules:
            whole |= {(place.segment, place.field) for place in rule.drop}
            for case in rule.cases:
                action = case.action
                whole |= {(value.segment, value.field) for _, value in action.withs if isinstance(value, Source)}
                for place in action.sources:
                    key = (place.segment, place.field)
                    if place.component or action.codes and not action.function:
                        taken.setdefault(key, set()).add(place.component or 1)
                    else:
                        whole.add(key)
    return {key: frozenset(components) for key, components in taken.items() if key not in whole}

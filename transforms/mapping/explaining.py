"""What a map has to say of one message beside its Bundle: why each leaf is what it is, why one is not there, what became of each atom.

For people who ask, not for the straight way: a message is converted many times over for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from transforms.document import Context
from transforms.hl7.message import Message
from transforms.mapping.accounting import Account, account
from transforms.mapping.atoms import atoms
from transforms.mapping.conditions import Condition
from transforms.mapping.conversion import Line
from transforms.mapping.definition import MessageMap, Rule, SegmentMap, Table
from transforms.mapping.made import segment_maps_of
from transforms.mapping.missing import Reason, reasons
from transforms.mapping.places import Source
from transforms.mapping.probing import Findings, Told, Trial
from transforms.mapping.provenance import Explanation, explained
from transforms.mapping.to_fhir import AnyConverter, Converter

MOST = 1500
"""Atoms of the largest message that is tried; of a larger one only the rules are told, and the fields they read."""

CODES = 6  # of a table, that are tried


@dataclass(frozen=True)
class Explainer:
    """Explains messages by the maps of a library: `plain` is the converter that is asked about, `traced` the same, compiled to say more."""

    plain: Converter | AnyConverter
    traced: Converter | AnyConverter
    segment_maps: Mapping[str, SegmentMap]
    tables: Mapping[str, Table]

    def __call__(self, message: Message, context: Context) -> list[Explanation]:
        """Of each leaf of the Bundle: rule, place of the rule, functions and tables, fields and bytes."""
        traced = _of(self.traced, message)
        converted, conversion = traced.run(message, context)
        spot = traced.map.spot
        found = self.tried(message, context).of_leaf
        return explained(converted.bundle, conversion, Line(traced.map.name, spot.file, *spot.place), found)

    def tried(self, message: Message, context: Context) -> Findings:
        """What each atom of the message decides about; nothing where there are too many."""
        plain = _of(self.plain, message)
        trial = Trial(plain.run, message, context, self._told(plain.map))
        found = atoms(message, trial.places)
        return trial.findings(found) if len(found) <= MOST else Findings({}, frozenset())

    def why(self, message: Message, context: Context, path: str) -> list[Reason]:
        """Of each resource that has or might have the element `Observation.value`: which rule wrote it, or why none did."""
        traced = _of(self.traced, message)
        return reasons(traced, self.segment_maps, traced.run(message, context)[1], path)

    def account(self, message: Message, context: Context) -> Account:
        """What became of each atom of the message."""
        traced = _of(self.traced, message)
        return account(message, *traced.run(message, context), traced.map)

    def _told(self, message_map: MessageMap) -> Told:
        told: dict[tuple[str, int, int], dict[str, None]] = {}
        for place, values in told_apart(message_map, self.segment_maps, self.tables):
            told.setdefault((place.segment, place.field, place.component or 1), {}).update(dict.fromkeys(values))
        return {place: tuple(values) for place, values in told.items()}


def _of(converter: Converter | AnyConverter, message: Message) -> Converter:
    return converter.of(message) if isinstance(converter, AnyConverter) else converter


def told_apart(message_map: MessageMap, maps: Mapping[str, SegmentMap], tables: Mapping[str, Table]) -> Iterator[tuple[Source, Iterable[str]]]:
    """The values by which maps decide: of conditions, of choices, some of each code table."""
    for make in message_map.makes:
        yield from _compared(make.when)
        for each in segment_maps_of(make, maps):
            for rule in each.rules:
                yield from _compared(rule.when)
                yield from _chosen(rule, tables)


def _compared(condition: Condition | None) -> Iterator[tuple[Source, Iterable[str]]]:
    for each in condition.walk() if condition else ():
        if each.kind == "equals" and each.source:
            yield each.source, each.values


def _chosen(rule: Rule, tables: Mapping[str, Table]) -> Iterator[tuple[Source, Iterable[str]]]:
    for case in rule.cases:
        if rule.choose:
            yield rule.choose, case.values
        if table := tables.get(case.action.codes):
            apart = {repr(coded): code for code, coded in reversed([*table.codes.items()])}
            for place in case.action.sources:
                yield place, [*reversed([*apart.values()])][:CODES]

"""Whether maps read of a site's segments what the site declares of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transforms.declaration.suggestions import did_you_mean
from transforms.errors import Problem
from transforms.hl7.local import Declared, LocalSegment
from transforms.mapping.definition import SegmentMap
from transforms.mapping.places import Source, Spot


def check_local_fields(maps: Iterable[SegmentMap], declared: Declared) -> Iterator[Problem]:
    """Rules that read a Z-segment, or a field of one, that is not declared; where no Z-segment is declared, all goes."""
    known: dict[str, dict[str, str]] = {}
    for each in declared.segments:
        if each.name[:1] == "Z" and isinstance(each.declared, LocalSegment):
            fields = known.setdefault(each.name, {})
            fields |= {number: field.name for number, field in each.declared.fields.items()}
    for found in maps if known else ():
        for source, spot in _sources(found):
            if source.segment[:1] == "Z":
                yield from _unknown(source, spot, known)


def _unknown(source: Source, spot: Spot, known: dict[str, dict[str, str]]) -> Iterator[Problem]:
    fields = known.get(source.segment)
    if fields is None:
        words = f"No segment `{source.segment}` is declared{did_you_mean(source.segment, known)}."
        yield spot.problem("undeclared_segment", words)
    elif fields and str(source.field) not in fields:
        said = ", ".join(fields)
        yield spot.problem("undeclared_field", f"`{source.segment}` declares no field {source.field}; it has {said}.")


def _sources(found: SegmentMap) -> Iterator[tuple[Source, Spot]]:
    for rule in found.rules:
        if rule.choose is not None:
            yield rule.choose, rule.spot.at("choose")
        for source in rule.drop:
            yield source, rule.spot.at("drop")
        for case in rule.cases:
            for source in case.action.sources:
                yield source, case.action.spot.at("from")
            for name, value in case.action.withs:
                if isinstance(value, Source):
                    yield value, case.action.spot.at("with", name)

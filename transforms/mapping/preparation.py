"""Before the makes run: lines of one text are joined, repeated values are set apart (rules 12 and 14).

Most messages have neither, and then nothing happens here but one look at each OBX.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transforms.mapping.arrangement import Plan, column, grouped
from transforms.mapping.definition import Make
from transforms.mapping.making import Module
from transforms.mapping.places import Source
from transforms.mapping.conversion import NULL, Conversion

TEXTS = ("TX", "FT")  # OBX-2 of values that come in lines
WHOLE = ("TX", "FT", "NA", "MA", "ED", "RP")  # whose repetitions are no values of their own

VARIANTS = 64  # of one plan: sets of value types for which is kept what there is to do

Steps = list[tuple[tuple[Any, ...], ...]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What there is to do: the steps of each make, and for those that have some, the make's number with the steps as its code takes them."""

    steps: Steps
    active: tuple[tuple[int, tuple[Any, ...]], ...]


Known = dict[tuple[str, frozenset[str]], Prepared]
"""What there is to do for messages of one plan of which every value stands for itself, by the types of values."""


class Preparation:
    """What a module's makes need before they run."""

    def __init__(self, module: Module) -> None:
        self._sites = module.sites
        self._lines = [(index, make.lines) for index, make in enumerate(module.makes) if make.lines is not None]
        self._repeats = [(index, make.repeat) for index, make in enumerate(module.makes) if make.repeat is not None]
        self._notes = [(index, lines) for index, lines in self._lines if lines.segment != "OBX"]
        self._typed = [(index, wanted) for index, make in enumerate(module.makes) if (wanted := _types_of(make))]

    def usual(self, plan: Plan) -> tuple[tuple[Any, ...], ...]:
        """The plan's steps for a message in which nothing repeats."""
        repeated = {index for index, _ in self._repeats}
        return tuple(() if index in repeated else steps for index, steps in enumerate(plan.steps))

    def __call__(
        self, conversion: Conversion, plan: Plan, usual: tuple[tuple[Any, ...], ...], watch: slice | tuple[int, ...], known: Known
    ) -> Prepared:
        """The plan's steps, or others where a message asks for it."""
        rows, repetition = conversion.rows, conversion.repetition
        conversion.followers = {}
        results = rows[watch] if type(watch) is slice else [rows[each] for each in watch]
        kinds = {row[2] for row in results}
        odd = [row for row in results if not (text := row[5]) or repetition in text or row[11] == "U"]
        texts = conversion.odd = bool(odd) or not kinds.isdisjoint(TEXTS)
        variant = (conversion.component, frozenset(kinds))
        if not texts and (found := known.get(variant)) is not None:
            return found
        steps = list(plan.steps if texts else usual)
        if conversion.component not in "".join(kinds):
            for index, wanted in self._typed:
                if kinds.isdisjoint(wanted):
                    steps[index] = ()
        alone = not texts
        for index, lines in self._lines if texts else self._notes:
            if len(steps[index]) > 1:
                alone = False
                self._join(conversion, steps, index, lines.segment, lines.field)
        for index, place in self._repeats if texts else ():
            self._split(conversion, steps, index, place.segment, place.field)
        prepared = Prepared(steps, self._active(plan, steps))
        if alone and len(known) < VARIANTS:
            known[variant] = prepared
        return prepared

    def _active(self, plan: Plan, steps: Steps) -> tuple[tuple[int, tuple[Any, ...]], ...]:
        groups = zip(steps, plan.steps, plan.groups, self._sites)
        return tuple(
            (index, ready if own is whole else grouped(site, own)) for index, (own, whole, ready, site) in enumerate(groups) if own
        )

    def _join(self, conversion: Conversion, steps: Steps, index: int, segment: str, field: int) -> None:
        """Neighbours that are lines of one text become one: the first, with all their texts as repetitions."""
        at = column(self._sites[index], segment)
        rows, kept, joined = conversion.rows, [], {}
        leader, last = -1, -1
        for step in steps[index]:
            position = step[at]
            if leader >= 0 and position == last + 1 and step[at + 1 :] == kept[-1][at + 1 :] and _continues(rows, leader, last, position, segment):
                if leader not in conversion.originals:
                    conversion.originals[leader] = rows[leader]
                    rows[leader] = [*rows[leader]]
                rows[leader][field] += conversion.repetition + rows[position][field]
                conversion.followers[position] = (leader, field)
                joined[step[0]] = kept[-1][0]
            else:
                leader = position
                kept.append(step)
            last = position
        if joined:
            self._relink(steps, self._sites[index].name, joined)
        steps[index] = tuple(kept)

    def _relink(self, steps: Steps, name: str, joined: dict[int, int]) -> None:
        """What was tied to a line (a note after it) is tied to the text it went into."""
        for index, site in enumerate(self._sites):
            if (name, False) in site.links:
                at = 2 + len(site.segments) + site.links.index((name, False))
                steps[index] = tuple((*step[:at], joined.get(step[at], step[at]), *step[at + 1 :]) for step in steps[index])

    def _split(self, conversion: Conversion, steps: Steps, index: int, segment: str, field: int) -> None:
        """One step for each repetition of a field, each with a segment of its own that holds it alone; none where it does not repeat."""
        at = column(self._sites[index], segment)
        rows, made, delimiters = conversion.rows, [], conversion.component + conversion.subcomponent
        for step in steps[index]:
            position = step[at]
            row = rows[position]
            if conversion.repetition not in row[field] or row[2] in WHOLE or position in conversion.followers:
                continue
            for number, text in enumerate(row[field].split(conversion.repetition), 1):
                if text.strip(delimiters) and text != NULL:
                    rows.insert(-1, [*row[:field], text, *row[field + 1 :]])
                    conversion.lengths.insert(-1, len(row))
                    conversion.used.append(0)
                    own = len(rows) - 2
                    conversion.aliases[own] = (position, number, field)
                    made.append((*step[:at], own, *step[at + 1 :]))
            conversion.originals[position] = row
            rows[position] = [*row[:field], "", *row[field + 1 :]]
        steps[index] = tuple(made)


def _continues(rows: list[list[str]], leader: int, last: int, position: int, segment: str) -> bool:
    """Whether a segment goes on with the text of the one before it."""
    first, before, row = rows[leader], rows[last], rows[position]
    if segment != "OBX":
        return row[2] == before[2] and row[4:] == before[4:]
    if row[2] != first[2] or row[2] not in TEXTS or row[3] != first[3] or row[11] != first[11]:
        return False
    if any(each[number] for each in (first, row) for number in (6, 7, 8, 21)):
        return False
    return row[4] in ("", before[4]) or _runs(before[4], row[4])


def _runs(before: str, now: str) -> bool:
    """Whether a sub-id counts on: 1, 2 or 1.1, 1.2."""
    head, _, number = before.rpartition(".")
    other, _, following = now.rpartition(".")
    return head == other and number.isdecimal() and following.isdecimal() and len(following) < 10 and int(following) == int(number) + 1


def _types_of(make: Make) -> frozenset[str]:
    """The values of OBX-2 that a make is for; none: it is for all."""
    places = [(each.source, each.values) for each in make.when.certain] if make.when else []
    return next((frozenset(values) for place, values in places if place == Source("OBX", 2)), frozenset())

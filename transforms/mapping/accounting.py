"""The account of a message: every atom is mapped, dropped on purpose, or left over; exactly one of them, and none is forgotten.

Left over is what the ledger says is; dropped what a `drop` names and no rule reads besides; what remains was read by a rule.
That the Bundle would be another one without it is for the tests to show (transforms.mapping.probing).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from transforms.hl7.message import Message
from transforms.mapping.atoms import Atom, atoms
from transforms.mapping.conversion import Conversion
from transforms.mapping.definition import MessageMap
from transforms.mapping.to_fhir import Converted

MAPPED, DROPPED, LEFT_OVER = "mapped", "dropped", "left over"
FATES = (MAPPED, DROPPED, LEFT_OVER)

READING = "how the message is read"  # why MSH-1 and MSH-2 are dropped
BUNDLE = {"identifier": 10, "timestamp": 7}  # fields of MSH that the Bundle itself has

Field = tuple[int, int]
Place = tuple[int, ...]
"""Position of a segment, field, repetition, component, subcomponent; 0 for all of them."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an atom; `rule` is one that read it, or the one that drops it."""

    atom: Atom
    fate: str
    rule: str = ""


@dataclass(frozen=True)
class Account:
    """The fates of all atoms, in the order of the message; and the ledger, which names whole fields where all of them is left over."""

    fates: tuple[Fate, ...]
    leftover: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many atoms met each fate."""
        return {fate: sum(each.fate == fate for each in self.fates) for fate in FATES}

    @property
    def shares(self) -> dict[str, float]:
        """The same as parts of all, to three places."""
        return {fate: round(count / len(self.fates), 3) if self.fates else 0.0 for fate, count in self.counts.items()}


def account(message: Message, converted: Converted, conversion: Conversion, own: MessageMap) -> Account:
    """What became of each atom in a conversion by code that traces.  `own`: the message map."""
    left = frozenset(_place(conversion, each) for each in conversion.leftover)
    read, dropped = _read(converted, conversion, own), _dropped(conversion, own)
    return Account(tuple(_fate(each, left, read, dropped) for each in atoms(message, conversion.plan.places)), converted.leftover)


def _fate(atom: Atom, left: frozenset[Place], read: Mapping[Field, str], dropped: Mapping[Field, str]) -> Fate:
    if any(each in left for each in _around(atom)):
        return Fate(atom, LEFT_OVER)
    field = (atom.position, atom.field)
    if field in dropped and field not in read:
        return Fate(atom, DROPPED, dropped[field])
    return Fate(atom, MAPPED, read.get(field, ""))


def _around(atom: Atom) -> Iterator[Place]:
    """The places an atom lies in, as the ledger may name them."""
    for repetition in (0, atom.repetition):
        yield (atom.position, atom.field, repetition, 0, 0)
        yield (atom.position, atom.field, repetition, atom.component, 0)
        yield (atom.position, atom.field, repetition, atom.component, atom.subcomponent)


def _place(conversion: Conversion, found: Place) -> Place:
    """A place of the ledger in the message as it came."""
    position, field, *rest = (*found, 0, 0, 0)[:5]
    if position in conversion.aliases:
        position, own, split = conversion.aliases[position]
        rest[0] = own if field == split else rest[0]
    return (position, field, *rest)


def _read(converted: Converted, conversion: Conversion, own: MessageMap) -> dict[Field, str]:
    """Fields that rules took values from, with one such rule."""
    found = {(0, number): own.name for key, number in BUNDLE.items() if key in converted.bundle}
    for holder, _, _, line, places in conversion.trace:
        for position, field in places if holder is not None else ():
            origin = conversion.aliases[position][0] if position in conversion.aliases else position
            found.setdefault((origin, field), line.rule)
    return found


def _dropped(conversion: Conversion, own: MessageMap) -> dict[Field, str]:
    """Fields that a `drop` names, with the rule or the map that does."""
    found = {(0, 1): READING, (0, 2): READING}
    for place in own.drop:
        found |= {(position, place.field): own.name for position, name in enumerate(conversion.plan.names) if name == place.segment}
    for holder, place, _, line, _ in conversion.trace:
        if holder is None:
            found[place] = line.rule
    for follower, (leader, _) in conversion.followers.items():  # its text went there, and what else it says is dropped as it is there
        found |= {(follower, field): rule for (position, field), rule in [*found.items()] if position == leader}
    return found

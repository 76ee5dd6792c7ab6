"""What a leaf of the Bundle depends on, found out by trying: an atom is changed, the message converted again, the Bundles compared.

Nothing is traced through functions and tables, so nothing can be forgotten there: a leaf depends on an atom if it changes with
it.  Values tried are neighbours of the sender's own, something else altogether, nothing, and what the maps tell apart.  Entries
are paired by what made them, items of lists by their likeness: a leaf that only moved has not changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from transforms.document import Context
from transforms.errors import MessageError
from transforms.fhir.serialization import dumps
from transforms.hl7.message import Message
from transforms.mapping.atoms import Atom
from transforms.mapping.conversion import Conversion
from transforms.mapping.to_fhir import Converted

UNTRIED = frozenset({("MSH", 1), ("MSH", 2), ("MSH", 9), ("MSH", 18)})
"""How the message is read, and by which map: every leaf depends on them."""

VALUE, PRESENCE, TOGETHER, ENTRY = "value", "presence", "together", "entry"
"""How an atom decides about a leaf: another text changes it; only none at all does; another text in all places that say the same;
what it says decides whether the whole entry is there."""

OTHER = ("ZZ9", "20111213141516", "20111213141516+0100", "7", "g")
"""A word, times, a number and a unit: where what came is none, one would have been used."""

MANY, ENOUGH = 300, 2
"""From so many texts on what is tried is learnt: after so many of a kind, only what told something of them.  What is missed by it is
coincidence: two texts that would become the same."""

_SHORT = 6
_FORM = re.compile("[0-9]+")
_CODES = ("N", "L", "AN", "ISO", "ST", "FX")  # codes that functions know by themselves
_YEAR = re.compile(r"(?:19|20)\d\d")

Run = Callable[[Message, Context], tuple[Converted, Conversion]]
Told = Mapping[tuple[str, int, int], tuple[str, ...]]
"""Values that maps tell apart, by segment, field and component."""


@dataclass(frozen=True, slots=True)
class Dependence:
    """An atom that decides about a leaf, and how."""

    atom: Atom
    by: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of trying a message: by JSON pointer what decides about a leaf, and the atoms that change anything at all.

    Anything is the Bundle or the ledger: what only repeats another field is heard where it would be left over if it did not.
    """

    of_leaf: Mapping[str, list[Dependence]]
    heard: frozenset[Atom]


class Trial:
    """One message being tried."""

    def __init__(self, run: Run, message: Message, context: Context, told: Told) -> None:
        self._run, self._message, self._context, self._told = run, message, context, told
        converted, conversion = run(message, context)
        self.bundle, self.leftover, self.places = converted.bundle, converted.leftover, conversion.plan.places
        self._before = keyed(converted, conversion)
        self._by: dict[str, dict[Atom, str]] = {}
        self._heard: set[Atom] = set()

    def findings(self, atoms: list[Atom]) -> Findings:
        """Try all of `atoms`, each alone, and those that say the same together."""
        names = self._message.lines[0]
        tried = [each for each in atoms if (names[each.position], each.field) not in UNTRIED]
        likes: dict[Any, list[list[str]]] = {}
        for number, atom in enumerate(tried):
            known = likes.setdefault(self._like(atom) if len(tried) > MANY else number, [])
            told = [value for value in self._values(atom, known) if self._note((atom,), value, VALUE if value else PRESENCE)]
            known.append(told)
        same: dict[str, list[Atom]] = {}
        for atom in tried:
            same.setdefault(atom.text, []).append(atom)
        for text, group in same.items():
            if len(group) > 1:
                self._together(group, alternatives(text)[0])
        order = {atom: index for index, atom in enumerate(atoms)}
        found = {
            pointer: [Dependence(atom, by[atom]) for atom in sorted(by, key=order.__getitem__)] for pointer, by in self._by.items()
        }
        return Findings(found, frozenset(self._heard))

    def _values(self, atom: Atom, known: list[list[str]]) -> list[str]:
        """What to try in an atom's place: where several like it were tried already, what told something of them."""
        if len(known) >= ENOUGH:
            return [*dict.fromkeys([_neighbour(atom.text), *(value for told in known[:ENOUGH] for value in told if value != atom.text), ""])]
        name = self._message.lines[0][atom.position]
        return [*alternatives(atom.text, self._told.get((name, atom.field, atom.component), ())), ""]

    def _like(self, atom: Atom) -> tuple[Any, ...]:
        """Atoms in the same place of like segments (OBX of one type), alike themselves: one code, or texts of one form."""
        fields = self._message.lines[1][atom.position].split(self._message.delimiters.field)
        form = atom.text if len(atom.text) <= _SHORT and not atom.text.isdecimal() else _FORM.sub("0", atom.text)[:_SHORT]
        kind = fields[2] if fields[0] == "OBX" and len(fields) > 2 else ""
        return fields[0], kind, atom.field, atom.repetition, atom.component, atom.subcomponent, form

    def changed(self, group: tuple[Atom, ...], value: str) -> dict[str, bool] | None:
        """Pointers of the leaves that are something else with `value` in these places, and whether their entry is gone; None: nothing changed."""
        try:
            converted, conversion = self._run(edited(self._message, group, value), self._context)
        except MessageError:
            return None
        if converted.bundle == self.bundle:
            return None if len(converted.leftover) <= len(self.leftover) else {}
        return dict(compared(self._before, keyed(converted, conversion)))

    def _note(self, group: tuple[Atom, ...], value: str, how: str) -> bool:
        """Try a value in these places; whether that told anything new."""
        pointers = self.changed(group, value)
        if pointers is None:
            return False
        new = not self._heard.issuperset(group)
        self._heard.update(group)
        for pointer, gone in pointers.items():
            by = self._by.setdefault(pointer, {})
            for atom in group:
                before, now = by.get(atom), VALUE if how == VALUE and not gone else ENTRY if gone else how
                if before is None or now == VALUE != before:
                    by[atom], new = now, True
        return new

    def _together(self, group: list[Atom], value: str) -> None:
        """Several fields may say the same thing, and then none of them decides alone."""
        pointers = self.changed(tuple(group), value)
        if pointers is None:
            return
        alone = {pointer for pointer in pointers if any(self._by.get(pointer, {}).get(atom) == VALUE for atom in group)}
        open_ = {pointer for pointer, gone in pointers.items() if not gone} - alone
        if not open_ and self._heard.issuperset(group):
            return
        for atom in group:
            kept = self.changed(tuple(each for each in group if each is not atom), value) or {}
            if set(pointers) - set(kept):
                self._heard.add(atom)
            for pointer in open_ - set(kept):
                self._by.setdefault(pointer, {}).setdefault(atom, TOGETHER)


def alternatives(text: str, told: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Other texts to try in the place of `text`."""
    values = [_neighbour(text), *OTHER, *told]
    if _YEAR.match(text) and len(text) >= 4:
        values.append(text[:3] + _next(text[3]) + text[4:])
    if len(text) <= _SHORT and text.isalnum():
        values += _CODES
    return tuple(dict.fromkeys(each for each in values if each != text))


def edited(message: Message, places: tuple[Atom, ...], value: str) -> Message:
    """The message with another text in these places, which stand in its order."""
    text, at, pieces = message.text, 0, []
    for atom in places:
        pieces += [text[at : atom.start], value]
        at = atom.end
    text = "".join([*pieces, text[at:]])
    codec = message.encoding
    body = text.encode(codec, "replace")
    return Message(message.byte_order_mark + body, text, message.delimiters, codec, message.byte_order_mark, message.notes)


def _neighbour(text: str) -> str:
    """The text with its last letter or digit replaced by the next one."""
    for index in range(len(text) - 1, -1, -1):
        if text[index].isascii() and text[index].isalnum():
            return text[:index] + _next(text[index]) + text[index + 1 :]
    return text + "x"


def _next(letter: str) -> str:
    if letter in "9zZ":
        return {"9": "0", "z": "a", "Z": "A"}[letter]
    return chr(ord(letter) + 1)


# Bundles compared

Keyed = dict[Any, tuple[str, Any]]


def keyed(converted: Converted, conversion: Conversion) -> Keyed:
    """A Bundle in parts: each with its pointer, by what it was made as (a node of the plan), else by its fullUrl."""
    nodes = {id(out): node for node, out in reversed([*enumerate(conversion.outs)]) if out is not None}
    head = {key: value for key, value in converted.bundle.items() if key != "entry"}
    found: Keyed = {"head": ("", head)}
    for index, entry in enumerate(converted.bundle["entry"]):
        node = nodes.get(id(entry["resource"]))
        key = (entry["resource"]["resourceType"], entry["fullUrl"] if node is None else node)
        found[key] = (f"/entry/{index}", entry)
    return found


def compared(before: Mapping[Any, tuple[str, Any]], after: Mapping[Any, tuple[str, Any]]) -> Iterator[tuple[str, bool]]:
    """Pointers of the leaves of one Bundle that are not in another as they were, and whether that is for the whole entry is not there."""
    for key, (pointer, value) in before.items():
        other = after.get(key)
        if other is None:
            other = _twin(key, before, after)
        if other is None:
            yield from ((place, True) for place, _ in leaves(value, pointer))
        elif value is not other[1]:
            yield from ((place, False) for place in differences(value, other[1], pointer))


def _twin(key: Any, before: Mapping[Any, Any], after: Mapping[Any, Any]) -> tuple[str, Any] | None:
    """What stands in the place of a function's resource whose number is another one now: the same in order among those that are new."""
    gone = [each for each in before if each not in after and each[0] == key[0]]
    new = [each for each in after if each not in before and each[0] == key[0]]
    at = gone.index(key)
    return after[new[at]] if at < len(new) else None


def differences(old: Any, new: Any, pointer: str) -> Iterator[str]:
    """Pointers of the leaves of `old` that are not in `new`, or are something else there."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in old.items():
            place = f"{pointer}/{escaped(key)}"
            if key in new:
                yield from differences(value, new[key], place)
            else:
                yield from (each for each, _ in leaves(value, place))
    elif isinstance(old, list) and isinstance(new, list):
        for index, other in _paired(old, new):
            place = f"{pointer}/{index}"
            if other is None:
                yield from (each for each, _ in leaves(old[index], place))
            else:
                yield from differences(old[index], other, place)
    else:
        yield from (each for each, _ in leaves(old, pointer))


def _paired(old: list[Any], new: list[Any]) -> Iterator[tuple[int, Any]]:
    """Items of a list that changed, each with what stands for it in the other list; None for nothing."""
    if len(old) == len(new):
        yield from enumerate(new)
        return
    matcher = SequenceMatcher(None, [dumps(each) for each in old], [dumps(each) for each in new], autojunk=False)
    for kind, start, end, other, until in matcher.get_opcodes():
        if kind == "equal":
            continue
        rest = [*new[other:until]]
        for index in sorted(range(start, end), key=lambda index: -max((_likeness(old[index], each) for each in rest), default=0)):
            best = max(rest, key=lambda each: _likeness(old[index], each), default=None)
            if best is not None:
                rest = [each for each in rest if each is not best]
            yield index, best


def _likeness(one: Any, other: Any) -> int:
    """How many leaves two items have in common."""
    theirs = {(place, str(value)) for place, value in leaves(other, "")}
    return sum((place, str(value)) in theirs for place, value in leaves(one, ""))


def leaves(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """The leaves of a value with their JSON pointers."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{pointer}/{escaped(key)}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from leaves(each, f"{pointer}/{index}")
    else:
        yield pointer, value


def escaped(key: str) -> str:
    """A key as a step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")

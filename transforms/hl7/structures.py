"""Which structure a message has, and its definition.

The structure is MSH-9.3 where that names one, else what table 0354 says of MSH-9.1 and 9.2, else the usual one of MSH-9.1.
One definition serves all versions, so that a group has one path whatever MSH-12 says (see definitions.merge).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files

import zstandard

from transforms.declaration.suggestions import did_you_mean
from transforms.errors import Problem
from transforms.hl7.extending import extended, followers, in_order, places
from transforms.hl7.grammar import Part, parse_grammar
from transforms.hl7.local import NOTHING, Declared, LocalSegment, LocalStructure, Placed, fields_of
from transforms.hl7.message import Message
from transforms.hl7.placement import Structure

_USUAL = {
    "ACK": "ACK", "ADT": "ADT_A01", "BAR": "BAR_P01", "DFT": "DFT_P03", "MDM": "MDM_T02", "MFN": "MFN_M01", "OMG": "OMG_O19",
    "OML": "OML_O21", "ORM": "ORM_O01", "ORU": "ORU_R01", "OUL": "OUL_R22", "QBP": "QBP_Q11", "RDE": "RDE_O11", "RSP": "RSP_K11",
    "SIU": "SIU_S12", "VXU": "VXU_V04",
}  # fmt: skip
_REMEMBERED = 1000


@cache
def _definitions() -> dict[str, dict[str, str]]:
    return json.loads((files("transforms.hl7.definitions") / "structures.json").read_text(encoding="utf-8"))


class Structures:
    """All structures of an installation: the package's, and what a site declares over them."""

    def __init__(self, declared: Declared = NOTHING) -> None:
        self.declared = declared
        self._own = {each.name: each.declared for each in declared.structures if isinstance(each.declared, LocalStructure)}
        self._events = {event: name for name, each in self._own.items() for event in each.events}
        self._placed = in_order([(each.name, each.declared) for each in declared.segments if isinstance(each.declared, LocalSegment)])
        self.followers = followers(self._placed)
        self._ready: dict[str, Structure | None] = {}
        self._said: dict[str, str] = {}

    def structure(self, name: str) -> Structure | None:
        """The structure of that name, ready to place segments; None if there is none."""
        if name not in self._ready:
            part = self._part(name)
            found = None if part is None else Structure(part)
            if found is None and len(self._ready) >= _REMEMBERED:
                return None  # there is no end of names nobody knows
            self._ready[name] = found
        return self._ready[name]

    def names(self) -> list[str]:
        """All structures there are."""
        return list({**_definitions()["structures"], **self._own})

    def own(self) -> list[str]:
        """The structures that the site declares."""
        return list(self._own)

    def lineage(self, name: str) -> tuple[str, ...]:
        """A structure and what it extends, the nearest first: whose maps are its maps too."""
        found = [name]
        while (own := self._own.get(found[-1])) is not None and own.extends and own.extends not in found:
            found.append(own.extends)
        return tuple(found)

    def structure_of(self, message: Message) -> str:
        """The name of the message's structure; `MSH-9.1_MSH-9.2` as it stands where none is known."""
        header = message.segments[0]
        said = header.raw(9)
        name = self._said.get(said)
        if name is None:
            name = self._found(*((header.get(9, number) or "").strip().upper() for number in (1, 2, 3)))
            if len(self._said) < _REMEMBERED:
                self._said[said] = name
        return name

    def field_type(self, segment: str, field: int, version: str = "") -> str:
        """The data type that the site declares for a field; empty where it declares none."""
        found = fields_of(self.declared, segment, version).get(str(field))
        return found.type if found else ""

    def _found(self, code: str, event: str, stated: str) -> str:
        definitions = _definitions()
        for candidate in (stated, f"{code}_{event}"):
            if (own := self._events.get(candidate, candidate)) in self._own:
                return own
            shared = definitions["events"].get(candidate, candidate)
            if shared in definitions["structures"]:
                return shared
        return _USUAL.get(code, f"{code}_{event}" if event else code)

    def _part(self, name: str) -> Part | None:
        """The grammar of a structure, the site's segments in it."""
        part = self._plain(name, ())
        if part is None:
            return None
        names = {part.name, *self.lineage(name)}
        for own, segment in self._placed:
            if not segment.of or not names.isdisjoint(segment.of):
                part = extended(part, own, segment)
        return part

    def _plain(self, name: str, seen: tuple[str, ...]) -> Part | None:
        definitions = _definitions()
        own = self._own.get(name) if name not in seen else None
        if own is not None and own.grammar:
            return parse_grammar(name, own.grammar)
        if own is not None:
            base = self._plain(own.extends, (*seen, name))
            return None if base is None else replace(base, name=name)
        shared = definitions["events"].get(name, name)
        grammar = definitions["structures"].get(shared)
        return None if grammar is None else parse_grammar(shared, grammar)

    # what does not fit

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the declarations: structures, groups and segments that are not there."""
        for each in self.declared.structures:
            yield from self._structure_problems(each)
        seen: dict[str, list[LocalSegment]] = {}
        for each in self.declared.segments:
            if isinstance(each.declared, LocalSegment):
                yield from self._segment_problems(each, each.declared)
                others = seen.setdefault(each.name, [])
                if any(not own.versions or not each.declared.versions or {*own.versions} & {*each.declared.versions} for own in others):
                    yield each.problem("name", "duplicate_segment", f"`{each.name}` is declared already, for the same versions.")
                others.append(each.declared)

    def _structure_problems(self, placed: Placed) -> Iterator[Problem]:
        extends = getattr(placed.declared, "extends", "")
        if not extends or self._plain(extends, (placed.name,)) is not None:
            return
        if extends not in self._own or extends == placed.name:
            words = f"There is no structure `{extends}`{did_you_mean(extends, {*self.names()} - {placed.name})}."
            yield placed.problem("extends", "unknown_structure", words)
        elif placed.name in self.lineage(extends):
            yield placed.problem("extends", "circle", f"`{extends}` extends this structure in turn.")

    def _segment_problems(self, placed: Placed, segment: LocalSegment) -> Iterator[Problem]:
        if not segment.after:
            return
        unknown = [name for name in segment.of if self._plain(name, ()) is None]
        for name in unknown:
            yield placed.problem("of", "unknown_structure", f"There is no structure `{name}`{did_you_mean(name, self.names())}.")
        if unknown:
            return
        there = {place for name in segment.of or self.names() if (part := self._part(name)) is not None for place in places(part)}
        groups = {group for _, group in there}
        where = f"`{segment.within}`" if segment.within else "any structure it belongs to"
        if segment.within and segment.within not in groups:
            yield placed.problem("in", "unknown_group", f"There is no group `{segment.within}`{did_you_mean(segment.within, groups)}.")
        elif not any(name == segment.after and segment.within in ("", group) for name, group in there):
            meant = did_you_mean(segment.after, {name for name, group in there if segment.within in ("", group)})
            yield placed.problem("after", "unknown_segment", f"No `{segment.after}` stands in {where}{meant}.")


PACKAGED = Structures()


def structure(name: str) -> Structure | None:
    """The packaged structure of that name, ready to place segments; None if there is none."""
    definitions = _definitions()
    return PACKAGED.structure(definitions["events"].get(name, name))


def names() -> list[str]:
    """All packaged structures."""
    return PACKAGED.names()


def structure_of(message: Message) -> str:
    """The name of the message's structure as the package knows it."""
    return PACKAGED.structure_of(message)


def definition(name: str, version: str) -> Part | None:
    """A structure as one version of HL7 has it; None if it has none."""
    text = _versions().get(name, {}).get(version)
    return None if text is None else parse_grammar(name, text)


@cache
def _versions() -> dict[str, dict[str, str]]:
    packed = (files("transforms.hl7.definitions") / "versions.json.zst").read_bytes()
    return json.loads(zstandard.ZstdDecompressor().decompress(packed))

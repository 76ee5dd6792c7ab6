"""What `explain` says, proved: other bytes in a span it names change the leaf, other bytes anywhere else do not.

Of what is read together (a leaf that several fields say alike) all spans are changed at once.  MSH-1, 2, 9 and 18 decide how a
message is read and by which map, so every leaf depends on them; they are not named.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transforms.document import Context, Identity
from transforms.errors import MessageError
from transforms.hl7.message import parse
from transforms.mapping.accounting import MAPPED
from transforms.mapping.atoms import Atom, atoms
from transforms.mapping.library import Library
from transforms.mapping.probing import TOGETHER, UNTRIED, VALUE, Findings, compared, keyed
from transforms.mapping.to_fhir import Converter

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "lab_results" / "messages").glob("*.hl7"))
CONTEXT = Context(datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc), identity=Identity(base="https://site.example/ids", secret="secret"))
SMALL = 120  # atoms of a message of the corpus that is tried here
VALUES = (
    b"Other", b"19", b"2.5", b"<3", b"20230203", b"20230203040506+0200", b"X", b"C", b"M", b"ST", b"CE", b"ISO", b"1.2.9", b"LN",
    b"NI", b"NW", b"A", b"AN", b"U", b"I", b"E", b"HL70487", b"http://other.example", b"ED", b"CA", b"RAD", b"FX", b"P",
)  # fmt: skip
"""Legal texts of many types: for a span that decides there is one among them that its field's type allows and that says something else."""


class Tried:
    """A message with what explain says of it, to be changed and converted again."""

    def __init__(self, raw: bytes) -> None:
        library, self.raw, message = Library.load(), raw, parse(raw)
        self.converter: Converter = library.converter().of(message)  # type: ignore[union-attr]
        converted, conversion = self.converter.run(message, CONTEXT)
        self.bundle, self.before = converted.bundle, keyed(converted, conversion)
        names = conversion.plan.names
        self.atoms = [each for each in atoms(message, conversion.plan.places) if (names[each.position], each.field) not in UNTRIED and each.span]
        self.findings: Findings = library.explain().tried(message, CONTEXT)
        self.account = library.explain().account(message, CONTEXT)

    def changed(self, places: Iterable[Atom], value: bytes) -> set[str]:
        """Pointers of the leaves that are others with these bytes in the place of the atoms'."""
        raw = self.raw
        for start, end in sorted((each.span for each in places if each.span), reverse=True):
            raw = raw[:start] + value + raw[end:]
        try:
            run = self.converter.run(parse(raw), CONTEXT)
        except MessageError:
            return set()
        return {pointer for pointer, _ in compared(self.before, keyed(*run))}


@cache
def tried(file: Path) -> Tried:
    return Tried(file.read_bytes())


def named(found: Tried, how: str) -> Iterator[tuple[str, list[Atom]]]:
    """Each leaf with the atoms that decide about it in that way."""
    for pointer, said in found.findings.of_leaf.items():
        if kept := [each.atom for each in said if each.by == how]:
            yield pointer, kept


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_other_bytes_in_a_span_change_the_leaf(file: Path) -> None:
    """For every leaf and every span that is said to make it what it is."""
    found = tried(file)
    wanted: dict[Atom, set[str]] = {}
    for pointer, kept in named(found, VALUE):
        for atom in kept:
            wanted.setdefault(atom, set()).add(pointer)
    assert wanted
    for atom, pointers in wanted.items():
        for value in VALUES:
            pointers -= found.changed([atom], value) if pointers else set()
        assert not pointers, f"{atom.path} does not change {sorted(pointers)}"


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_what_several_fields_say_changes_with_all_of_them(file: Path) -> None:
    """And with none of them alone."""
    found = tried(file)
    for pointer, kept in named(found, TOGETHER):
        alike: dict[str, list[Atom]] = {}
        for atom in kept:
            alike.setdefault(atom.text, []).append(atom)
        for group in alike.values():
            assert any(pointer in found.changed(group, value) for value in VALUES), (pointer, [each.path for each in group])
            assert not any(pointer in found.changed([group[0]], value) for value in VALUES[:3])


def _elsewhere(found: Tried, atom: Atom, value: bytes) -> None:
    told = {pointer for pointer, said in found.findings.of_leaf.items() if any(each.atom == atom for each in said)}
    assert found.changed([atom], value) <= told, atom.path


LEGAL = st.sampled_from(VALUES) | st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef 0123456789.-", min_size=1, max_size=12).map(str.encode)


@settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_other_bytes_elsewhere_change_nothing(data: Any) -> None:
    """Whatever field is changed to whatever value, only leaves that name it are others."""
    found = tried(data.draw(st.sampled_from(EXAMPLES)))
    _elsewhere(found, data.draw(st.sampled_from(found.atoms)), data.draw(LEGAL))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_nothing_that_counts_as_mapped_is_lost(file: Path) -> None:
    """A text that a rule is said to have read makes another Bundle, or another ledger, when it is another text."""
    found = tried(file)
    assert not _lost(found)


def _lost(found: Tried) -> list[str]:
    tried_atoms = frozenset(found.atoms)
    return [
        f"{each.atom.path} ({each.rule})"
        for each in found.account.fates
        if each.fate == MAPPED and each.atom in tried_atoms and each.atom not in found.findings.heard
    ]


@pytest.mark.shared
def test_the_same_of_the_corpus() -> None:
    """Results of many senders: no text is lost, and what is changed elsewhere changes nothing."""
    folder = Path(os.environ["FLUE_SHARED"]) / "corpus" / "oru"
    lost: dict[str, list[str]] = {}
    for file in sorted(folder.glob("*.hl7")):
        try:
            if len(atoms(parse(raw := file.read_bytes()), _unnamed(raw))) > SMALL:
                continue
            found = Tried(raw)
        except MessageError:
            continue
        if said := _lost(found):
            lost[file.name] = said
        for index, atom in enumerate(found.atoms):
            _elsewhere(found, atom, VALUES[index % len(VALUES)])
    assert not lost


def _unnamed(raw: bytes) -> tuple[str, ...]:
    return tuple(parse(raw).lines[0])

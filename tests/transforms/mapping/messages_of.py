"""Messages of any structure, made of HL7's own grammar: a Hypothesis strategy for all who want to see what holds for every message.

Which groups and segments there are is drawn one by one, so that a failing message shrinks to few of them; what stands in a
segment's fields is drawn as one number each, from which plausible and odd values of the fields' data types are made; 0 is a
segment with nothing but what its structure requires.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from transforms.hl7.grammar import Part
from transforms.hl7.structures import definition, names

VERSION = "2.5.1"
MOST = 24
"""Segments of a message: enough for two of most groups."""

_ODD = 0.1  # of values
_WORDS = ("Doe", "Jo", "Müller", "O'Neil", "Ward 7", "see note", "left arm", "12 Main St", "N/A", "x")
_CODES = ("A", "F", "1", "NW", "R", "2345-7", "XYZ", "MR", "AN", "PRN", "LN", "L")
_NUMBERS = ("1", "7.0", "0.50", "12", "100", "-3", "250")
_DATES = ("20240115", "19800229", "2024", "202401")
_TIMES = ("20240115103000", "20240115103000+0100", "202401151030", "20240115", "2024011510", "20240115103000.123-0500")
_PLAUSIBLE = {
    "NM": _NUMBERS, "SI": ("1", "2", "3"), "DT": _DATES, "TM": ("1030", "103000", "10"), "DTM": _TIMES, "TS": _TIMES,
    "ID": _CODES, "IS": _CODES, "ST": _WORDS, "TX": _WORDS, "FT": ("first\\.br\\second", *_WORDS), "SNM": ("+41445550100",), "GTS": ("daily",),
}  # fmt: skip
_STRANGE = (
    '""', " ", "\\T\\", "a\\F\\b", "99999999", "ü€\N{GRINNING FACE}", "<5", "0", "-", "1.2.840.10008.1", "\\X41\\", "http://x.example/y",
    "ZZ" * 30,
)  # fmt: skip
_AUTHORITIES = (("HOSP", "", ""), ("LAB", "1.2.3.4", "ISO"), ("", "1.2.3.5", "ISO"), ("X", "", ""), ("Y", "example.org", "DNS"))
_OBX_TYPES = ("NM", "ST", "TX", "CE", "SN", "TS", "DT", "FT", "CX", "")


def structures_of(version: str = VERSION) -> list[str]:
    """The structures that a version has a grammar for."""
    return [name for name in names() if definition(name, version) is not None]


@st.composite
def messages_of(draw: st.DrawFn, structure: str, version: str = VERSION, odd: float = _ODD) -> bytes:
    """A message of `structure`, whole as its grammar asks, its fields filled by their data types."""
    part = definition(structure, version)
    assert part is not None, f"{version} has no {structure}"
    chosen: list[str] = []
    _grow(draw, part, chosen)
    code, _, event = structure.partition("_")
    header = _header(draw(st.integers(0, 7)), code, event, structure, version)
    lines = [header, *(_segment(name, draw(st.integers(0, 2**20)), version, odd) for name in chosen[1:])]
    return ("\r".join(lines) + "\r").encode()


def _grow(draw: st.DrawFn, part: Part, chosen: list[str], *, needed: bool = True) -> None:
    """Take what a part of the grammar must have and some of what it may have."""
    if not needed and (len(chosen) >= MOST or not draw(st.booleans())):
        return
    times = 2 if part.repeats and len(chosen) < MOST and draw(st.integers(0, 3)) == 3 else 1
    for _ in range(times):
        if part.is_segment:
            chosen.append(part.name)
        elif part.choice:
            inner = part.parts[draw(st.integers(0, len(part.parts) - 1))]
            _grow(draw, inner, chosen, needed=not inner.optional)
        else:
            for inner in part.parts:
                _grow(draw, inner, chosen, needed=not inner.optional)


def _header(seed: int, code: str, event: str, structure: str, version: str) -> str:
    stamp = "20240115103000+0100" if seed & 1 else "20240115103000"
    sender = "LAB^1.2.3^ISO|HOSP" if seed & 2 else "LAB|HOSP"
    charset = "||||||UNICODE UTF-8"
    return f"MSH|^~\\&|{sender}|EHR|CLINIC|{stamp}||{code}^{event}^{structure}|{seed + 1}|P|{version}{charset}"


def _segment(name: str, seed: int, version: str, odd: float) -> str:
    """One segment; a field that HL7 requires is there, others are as it comes."""
    random = Random(seed)
    fields = _fields(name, version)
    filled = []
    share = 0.0 if seed == 0 else random.choice((0.2, 0.5, 0.9))
    for index, (reference, (least, most)) in enumerate(fields):
        if not least and random.random() >= share:
            filled.append("")
            continue
        times = random.choice((2, 3)) if most != 1 and random.random() < 0.15 else 1
        kind = _kind(name, index + 1, reference, filled, version)
        filled.append("~".join(_value(kind, random, odd, 0, version) for _ in range(times)))
    if name == "OBX" and len(filled) > 4:
        filled[1] = random.choice(_OBX_TYPES)
        filled[4] = _value(_kind(name, 5, None, filled, version), random, odd, 0, version)
    return "|".join([name, *filled]).rstrip("|")


def _kind(name: str, number: int, reference: Any, filled: Sequence[str], version: str) -> Any:
    """What a field is; OBX-5 is what OBX-2 says."""
    if name != "OBX" or number != 5:
        return reference
    said = filled[1] if len(filled) > 1 else ""
    parts = _module(version, "datatypes").DATATYPES_STRUCTS.get(said)
    return ("sequence", parts, said) if parts else ("leaf", None, said or "ST", "", None)


def _value(reference: Any, random: Random, odd: float, depth: int, version: str) -> str:
    """A field (depth 0), component or subcomponent of a data type."""
    if depth > 2:
        return ""
    kind, parts, name = reference[0], reference[1], reference[2]
    if kind != "sequence" or depth == 2 and parts:
        table = reference[4] if kind != "sequence" and len(reference) > 4 else None
        return _leaf(name, table, random, odd, version)
    if name == "HD":
        return "^&"[depth].join(random.choice(_AUTHORITIES)).rstrip("^&")
    share = random.choice((0.3, 0.6, 1.0))
    inner = [_value(part[1], random, odd, depth + 1, version) if index == 0 or random.random() < share else "" for index, part in enumerate(parts)]
    return "^&"[depth].join(inner).rstrip("^&")


def _leaf(name: str, table: str | None, random: Random, odd: float, version: str) -> str:
    if random.random() < odd:
        return random.choice(_STRANGE)
    if table and random.random() < 0.8 and (codes := _module(version, "tables").TABLES.get(table, ("", ()))[1]):
        return random.choice(codes).replace("^", "").replace("|", "").replace("~", "").replace("&", "").replace("\\", "")
    return random.choice(_PLAUSIBLE.get(name, _WORDS))


@cache
def _fields(name: str, version: str) -> list[tuple[Any, tuple[int, int]]]:
    """Of each field: what it is, and how often."""
    found = _module(version, "segments").SEGMENTS.get(name)
    return [(reference, often) for _, reference, often, _ in found[1]] if found else []


@cache
def _module(version: str, name: str) -> Any:
    return importlib.import_module(f"hl7apy.v{version.replace('.', '_')}.{name}")

"""Which structure a message has, and its definition.

The structure is MSH-9.3 where that names one, else what table 0354 says of MSH-9.1 and 9.2, else the usual one of MSH-9.1.
One definition serves all versions, so that a group has one path whatever MSH-12 says (see definitions.merge).
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import zstandard

from transforms.hl7.grammar import Part, parse_grammar
from transforms.hl7.message import Message
from transforms.hl7.placement import Structure

_USUAL = {
    "ACK": "ACK", "ADT": "ADT_A01", "BAR": "BAR_P01", "DFT": "DFT_P03", "MDM": "MDM_T02", "MFN": "MFN_M01", "OMG": "OMG_O19",
    "OML": "OML_O21", "ORM": "ORM_O01", "ORU": "ORU_R01", "OUL": "OUL_R22", "QBP": "QBP_Q11", "RDE": "RDE_O11", "RSP": "RSP_K11",
    "SIU": "SIU_S12", "VXU": "VXU_V04",
}  # fmt: skip
_said: dict[str, str] = {}
_REMEMBERED = 1000


@cache
def _definitions() -> dict[str, dict[str, str]]:
    return json.loads((files("transforms.hl7.definitions") / "structures.json").read_text(encoding="utf-8"))


@cache
def structure(name: str) -> Structure | None:
    """The structure of that name, ready to place segments; None if there is none."""
    definitions = _definitions()
    grammar = definitions["structures"].get(definitions["events"].get(name, name))
    return None if grammar is None else Structure(parse_grammar(definitions["events"].get(name, name), grammar))


def names() -> list[str]:
    """All structures there are."""
    return list(_definitions()["structures"])


def structure_of(message: Message) -> str:
    """The name of the message's structure; `MSH-9.1_MSH-9.2` as it stands where none is known."""
    header = message.segments[0]
    said = header.raw(9)
    name = _said.get(said)
    if name is None:
        name = _found(*((header.get(9, number) or "").strip().upper() for number in (1, 2, 3)))
        if len(_said) < _REMEMBERED:
            _said[said] = name
    return name


def _found(code: str, event: str, stated: str) -> str:
    definitions = _definitions()
    for candidate in (stated, f"{code}_{event}"):
        shared = definitions["events"].get(candidate, candidate)
        if shared in definitions["structures"]:
            return shared
    return _USUAL.get(code, f"{code}_{event}" if event else code)


def definition(name: str, version: str) -> Part | None:
    """A structure as one version of HL7 has it; None if it has none."""
    text = _versions().get(name, {}).get(version)
    return None if text is None else parse_grammar(name, text)


@cache
def _versions() -> dict[str, dict[str, str]]:
    packed = (files("transforms.hl7.definitions") / "versions.json.zst").read_bytes()
    return json.loads(zstandard.ZstdDecompressor().decompress(packed))

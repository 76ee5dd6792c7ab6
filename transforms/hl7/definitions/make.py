"""Generates the packaged definitions: `python -m transforms.hl7.definitions.make CODES.CSV`.

CODES.CSV holds the HL7 v2 code tables (columns table, code, display, deprecated_in); its table 0354 says which trigger events
share a message structure.  hl7apy (extra `conformance`) gives structures and field names.  Run by hand, never by the engine.
"""

from __future__ import annotations

import csv
import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import zstandard

from transforms.hl7.definitions.merge import REFERENCE, merged
from transforms.hl7.grammar import Part

VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.1", "2.8.2")
FOLDER = Path(__file__).parent
ALIASES = {"ORU_R03": "ORU_R01", "ORU_R31": "ORU_R30", "ORU_R32": "ORU_R30", "ORU_W01": "ORU_R01", "ORU_R40": "ORU_R01"}
_EVENT = re.compile(r"[A-Z][A-Z0-9]{2}")


def library(version: str, module: str) -> ModuleType:
    """hl7apy's tables of one version."""
    return importlib.import_module(f"hl7apy.v{version.replace('.', '_')}.{module}")


def definition(structure: str, version: str) -> Part:
    """A message structure as hl7apy has it in one version."""
    kind, children, *_ = library(version, "messages").MESSAGES[structure]
    return Part(structure, parts=_parts(structure, children, kind == "choice"))


def _parts(structure: str, children: tuple, choice: bool) -> tuple[Part, ...]:
    parts = []
    for name, reference, (least, most), kind in children:
        if name == "ANYHL7SEGMENT":
            continue
        inner = _parts(structure, reference[1], reference[0] == "choice") if kind == "GRP" else ()
        if kind == "GRP" and not inner:
            continue
        short = re.sub(rf"^{structure}_", "", name, flags=re.IGNORECASE) if kind == "GRP" else name
        parts.append(Part(short.upper(), least == 0, most != 1, inner, kind == "GRP" and reference[0] == "choice"))
    return (Part(parts=tuple(parts), choice=True),) if choice and not structure else tuple(parts)


def events(codes: Path) -> dict[str, str]:
    """Message code and trigger event (`ADT_A04`) -> structure, by table 0354; what 2.9 dropped counts least."""
    with codes.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["table"] == "0354"]
    found: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: bool(row["deprecated_in"])):
        code = row["code"].partition("_")[0]
        for event in _EVENT.findall(row["display"]) if "," in row["display"] else ():
            found.setdefault(f"{code}_{event}", row["code"])
    return found | ALIASES


def structures(shared: dict[str, str]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Structure -> its one definition; structure -> version -> that version's definition."""
    single: dict[str, dict[str, Part]] = {}
    for version in VERSIONS:
        for name in library(version, "messages").MESSAGES:
            single.setdefault(name.upper(), {})[version] = definition(name, version)
    together: dict[str, list[tuple[str, Part]]] = {}
    for name, versions in sorted(single.items(), key=lambda item: item[0] not in shared):  # aliases first: oldest
        target = shared.get(name, name)
        together.setdefault(target if target in single else name, []).extend(versions.items())
    one = {name: _text(merged(name, versions)) for name, versions in sorted(together.items())}
    return one, {name: {version: _text(part) for version, part in versions.items()} for name, versions in sorted(single.items())}


def _text(part: Part) -> str:
    return " ".join(map(str, part.parts))


def names() -> dict[str, list[str]]:
    """Segment -> the names of its fields, from field 1 on."""
    found: dict[str, dict[int, str]] = {}
    for version in (*VERSIONS, REFERENCE):  # later versions mislabel fields they withdrew
        for segment, (_, *fields) in library(version, "segments").SEGMENTS.items():
            if segment == "ANYHL7SEGMENT" or not fields or not fields[0]:
                continue
            children = (fields[0],) if isinstance(fields[0][0], str) else fields[0]
            for name, field, *_ in children:
                if field[3]:
                    found.setdefault(segment, {})[int(name.rpartition("_")[2])] = field[3]
    return {
        segment: [_readable(fields.get(number, ""), segment) for number in range(1, max(fields) + 1)]
        for segment, fields in sorted(found.items())
    }


def types() -> dict[str, list[str]]:
    """Segment -> the data types of its fields, from field 1 on; empty where no version has that field."""
    found: dict[str, dict[int, str]] = {}
    for version in (*VERSIONS, REFERENCE):
        for segment, (_, *fields) in library(version, "segments").SEGMENTS.items():
            if segment == "ANYHL7SEGMENT" or not fields or not fields[0]:
                continue
            children = (fields[0],) if isinstance(fields[0][0], str) else fields[0]
            for name, field, *_ in children:
                if field[2]:
                    found.setdefault(segment, {})[int(name.rpartition("_")[2])] = field[2]
    return {segment: [fields.get(number, "") for number in range(1, max(fields) + 1)] for segment, fields in sorted(found.items())}


def _readable(name: str, segment: str) -> str:
    words = name.removesuffix(f"_{segment}").replace("_S_", "'s_").split("_")
    small = {"OF", "AND", "OR", "THE", "FOR", "TO", "IN", "BY", "WITH", "ON", "AT"}
    capital = {"ID", "SSN", "DEA", "DRG", "UB", "HIPAA", "RX", "NDC", "DUR", "VIP", "HMO", "LOINC", "PIN"}
    said = [word if word in capital else word.lower() if word in small and n else word.capitalize() for n, word in enumerate(words)]
    return " ".join(said)


def main(codes: str) -> None:
    """Write the packaged files."""
    known = {name.upper() for version in VERSIONS for name in library(version, "messages").MESSAGES}
    shared = {event: name for event, name in sorted(events(Path(codes)).items()) if name in known and event != name}
    one, each = structures(shared)
    text = json.dumps({"structures": one, "events": shared}, indent=0, ensure_ascii=False)
    (FOLDER / "structures.json").write_text(text + "\n", encoding="utf-8")
    (FOLDER / "names.json").write_text(json.dumps(names(), indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    (FOLDER / "types.json").write_text(json.dumps(types(), separators=(",", ":")).replace("],", "],\n") + "\n", encoding="utf-8")
    packed = json.dumps(each, separators=(",", ":")).encode()
    (FOLDER / "versions.json.zst").write_bytes(zstandard.ZstdCompressor(level=19).compress(packed))


if __name__ == "__main__":
    main(sys.argv[1])

"""Small concept maps that datatype functions need (tables 0190, 0200, 0201, 0202, 0465), and which codes HL7's own tables have.

They follow the guide's vocabulary maps NameType, AddressType, TelecommunicationUseCode and TelecommunicationEquipmentType;
`data/concepts.csv` says where it decides what the guide leaves open.  A code that is not there has no target: the
caller keeps it as a code of its table.  `data/table_codes.csv` lists the codes of some v2 tables (HL7 Terminology, CC0): a
bare code may be said to be HL7's only if HL7 has it.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from importlib.resources import files


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files("transforms.terminology").joinpath(f"data/{name}.csv").read_text("utf-8").splitlines()))


def _load() -> dict[str, dict[str, str]]:
    maps: dict[str, dict[str, str]] = defaultdict(dict)
    for row in _rows("concepts"):
        maps[row["map"]][row["code"]] = row["target"]
    return dict(maps)


_MAPS = _load()
_CODES = {row["table"]: frozenset(row["codes"].split("|")) for row in _rows("table_codes")}


def concept_map(name: str) -> dict[str, str]:
    """A concept map by name: v2 code -> FHIR code."""
    return _MAPS[name]


def codes_of(name: str) -> dict[str, str]:
    """What is known of a vocabulary: v2 code -> FHIR code; by four digits the codes of an HL7 table, which are their own."""
    return _MAPS[name] if name in _MAPS else {code: code for code in sorted(_CODES.get(name, ()))}


def is_of_table(code: str, table: str) -> bool:
    """Whether an HL7 v2 table (four digits) has a code."""
    return code in _CODES.get(table, ())

"""Small concept maps that datatype functions need: what a name, an address or a telephone is used for (tables 0190, 0200, 0201, 0202, 0465).

They follow the guide's vocabulary maps NameType, AddressType, TelecommunicationUseCode and TelecommunicationEquipmentType;
`data/concepts.csv` says where it decides what the guide leaves open.  A code that is not there has no target: the
caller keeps it as a code of its table.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from importlib.resources import files


def _load() -> dict[str, dict[str, str]]:
    maps: dict[str, dict[str, str]] = defaultdict(dict)
    text = files("transforms.terminology").joinpath("data/concepts.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        maps[row["map"]][row["code"]] = row["target"]
    return dict(maps)


_MAPS = _load()


def concept_map(name: str) -> dict[str, str]:
    """A concept map by name: v2 code -> FHIR code."""
    return _MAPS[name]

"""What maps may name: functions, predicates, code tables; and what the site decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transforms.hl7.structures import PACKAGED, Structures
from transforms.mapping.definition import Table
from transforms.mapping.functions.registry import Function
from transforms.mapping.options import MapOptions


@dataclass(frozen=True)
class Kit:
    """Everything a map's rules lean on."""

    functions: Mapping[str, Function]
    predicates: Mapping[str, Any]
    tables: Mapping[str, Table]
    options: MapOptions
    structures: Structures = PACKAGED

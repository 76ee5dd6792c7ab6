"""Devices named in a field: EI of an instrument (OBX-18, PRT-10), HD of an application (MSH-3), CWE of what an order was entered with."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import system_of
from transforms.mapping.functions.composites import components, left, left_beyond, reading
from transforms.mapping.functions.identifiers import entity_identifier, identify
from transforms.mapping.functions.people import universal_identifier
from transforms.mapping.functions.registry import function
from transforms.mapping.reading import Reading

_TRIPLETS = ((0, 2), (3, 5), (9, 11))
"""Code and system, three times."""


@function("device", gives="Device", memo=True)
def device(text: str, r: Reading) -> dict[str, Any] | None:
    """EI as Device, known by that identifier alone."""
    made = entity_identifier(text, r)
    return {"resourceType": "Device", "identifier": [made]} if made else None


@function("device_of_authority", gives="Reference", memo=True)
def device_of_authority(text: str, r: Reading) -> dict[str, Any] | None:
    """HD of an application as a Reference to a Device: its namespace names it and identifies it nowhere else, a universal id does."""
    namespace, universal, kind = (reading(part, r) for part in components(text, r, 3)[:3])
    if not (namespace or universal):
        return None
    identified = {"identifier": universal_identifier(universal, kind, r)} if universal else {}
    return {"type": "Device", **identified, "display": namespace or universal}


@function("device_of_code", gives="Device", memo=True)
def device_of_code(text: str, r: Reading) -> dict[str, Any] | None:
    """CWE naming a device (ORC-18): its codes as identifiers, its texts as names."""
    parts = [reading(part, r) for part in components(text, r, 14)]
    made: dict[str, Any] = {"resourceType": "Device"}
    if numbers := [_number(parts, places, r) for places in _TRIPLETS if parts[places[0]]]:
        made["identifier"] = numbers
    texts = dict.fromkeys(parts[place] for place in (1, 4, 10, 8) if parts[place])
    if texts:
        made["deviceName"] = [{"name": said, "type": "other"} for said in texts]
    left(parts, r, 7, 8, 13, 14)
    left_beyond(parts, r, 14)
    return made if len(made) > 1 else None


def _number(parts: list[str], places: tuple[int, int], r: Reading) -> dict[str, Any]:
    code, scheme = (parts[place] for place in places)
    return identify(code, system_of(scheme, "", r) or r.authority(scheme), "" if system_of(scheme, "", r) else scheme)

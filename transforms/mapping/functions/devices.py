"""Devices named in a field: EI of an instrument (OBX-18, PRT-10), HD of an application (MSH-3)."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.composites import components, reading
from transforms.mapping.functions.identifiers import entity_identifier
from transforms.mapping.functions.registry import function
from transforms.mapping.reading import Reading


@function("device", gives="Device", memo=True)
def device(text: str, r: Reading) -> dict[str, Any] | None:
    """EI as Device, known by that identifier alone."""
    made = entity_identifier(text, r)
    return {"resourceType": "Device", "identifier": [made]} if made else None


@function("device_of_authority", gives="Device", memo=True)
def device_of_authority(text: str, r: Reading) -> dict[str, Any] | None:
    """HD of an application as Device: only named, for an application's name identifies it nowhere else."""
    parts = [reading(part, r) for part in components(text, r, 3)]
    return {"resourceType": "Device", "_display": parts[0] or parts[1]} if parts[0] or parts[1] else None

"""Places: PL and DLD as Location (v2-to-FHIR, PL[Location], DLD[Location-Discharge]).

The guide makes a chain of Locations, one a level; here it is one, called by all its levels from the largest to the bed.
"""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import codeable_concept, concept_of_table
from transforms.mapping.functions.composites import apart, components, left, left_beyond, reading, subcomponents
from transforms.mapping.functions.identifiers import identify
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.times import plain_date_time
from transforms.mapping.reading import Reading

_LEVELS = (3, 6, 7, 0, 1, 2)
"""PL's facility, building, floor, point of care, room, bed."""


@function("location", gives="Location", memo=True)
def location(text: str, r: Reading) -> dict[str, Any] | None:
    """PL as Location."""
    parts = components(text, r, 11)
    levels = [subcomponents(parts[place], r, 1)[0] for place in _LEVELS]
    called, described = " ".join(level for level in levels if level), reading(parts[8], r)
    made: dict[str, Any] = {"resourceType": "Location"}
    if parts[9]:
        value, *authority = subcomponents(parts[9], r, 4)[:4]
        if not any(authority):
            authority = subcomponents(parts[10], r, 3)[:3]  # PL.11 says whose numbers they are where PL.10 does not
        elif parts[10]:
            r.left(11)
        if value:
            made["identifier"] = [identify(value, r.authority(*authority), authority[0])]
    if called:
        made["name"] = called
    if described:
        made["description"] = described
    if kind := reading(parts[5], r):
        made["type"] = [concept_of_table(kind, "0305")]
    left(parts, r, 5, 0 if parts[9] else 11)
    left_beyond(parts, r, 11)
    return _named_only(made)


@function("location_reference", gives="Reference", memo=True)
def location_reference(text: str, r: Reading) -> dict[str, Any] | None:
    """PL as a Reference that only names the place."""
    place = location(text, r)
    called = place and (place.get("_display") or place.get("name") or place.get("description"))
    return {"type": "Location", "display": called} if called else None


@function("discharge_location", gives="Location", memo=True)
def discharge_location(text: str, r: Reading) -> dict[str, Any] | None:
    """DLD as Location: a code of table 0113, and since when."""
    parts = components(text, r, 2)
    said = subcomponents(parts[0], r, 2)
    if len(parts) > 1 and parts[1] and not plain_date_time(parts[1], r):
        r.left(2)
    left(parts, r, 2)
    if said[0] and said[1]:
        concept = apart(1, lambda: codeable_concept(parts[0].replace(r.subcomponent, r.component), r, table="0113"), r)
        return {"resourceType": "Location", "type": [concept]}
    called = said[1] or said[0]
    return {"resourceType": "Location", "_display": called} if called else None


def _named_only(made: dict[str, Any]) -> dict[str, Any] | None:
    """A place of which nothing but the name is known is only named."""
    if set(made) == {"resourceType", "name"}:
        return {"resourceType": "Location", "_display": made["name"]}
    return made if len(made) > 1 else None

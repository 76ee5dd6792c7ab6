"""A resource whose number others were merged into (rule 8): which of its numbers it keeps, and which it replaces.

A prior number is never among the survivor's own: two resources would be found by it, for ever.  That it was replaced is said by a
link that names it as an identifier, so that an update of the survivor does not take the link of the merge away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from transforms.document import Aliases, Known, Note
from transforms.mapping.conversion import Conversion
from transforms.mapping.results import numbered

NOT_COPIED = Note("prior_number", "PID-3", "the number of the record that was merged is not copied to the one that remains")
LINKED = "Patient"  # the type whose resources say what they replace


def unite(conversion: Conversion, resource: dict[str, Any], known: Known) -> None:
    """Change a resource, which is known by `known`, as the merges in force want it.

    What the message itself says it merges is linked by its map.
    """
    kind, aliases = resource["resourceType"], conversion.context.aliases
    if (identifiers := resource.get("identifier")) is not None and type(identifiers) is list:
        own = _own(kind, identifiers, known, aliases)
        if own != identifiers:
            resource["identifier"] = own
            conversion.notes.append(NOT_COPIED if kind == LINKED else replace(NOT_COPIED, place="PV1-19"))
    if kind == LINKED and (priors := aliases.priors(kind, known)):
        told = _told(conversion)
        if silent := [_link(kind, each) for each in priors if each not in told]:
            resource["link"] = [*resource.get("link", ()), *silent]


def leave_to_prior(conversion: Conversion, prior: Known | None) -> None:
    """Take the number of a patient that is merged away out of those who remain: in the message that says so no merge is in force yet."""
    if prior is None:
        return
    for entry in conversion.entries:
        resource = entry["resource"]
        if resource["resourceType"] == LINKED and resource.get("active") is not False:
            kept = [each for each in resource.get("identifier", ()) if _known(each) != prior]
            if len(kept) != len(resource.get("identifier", ())):
                resource["identifier"] = kept
                conversion.notes.append(NOT_COPIED)


def _told(conversion: Conversion) -> set[Known]:
    """The prior numbers that the message speaks of (MRG-1)."""
    found = [numbered(conversion, text) for segment in conversion.message.each("MRG") for text in segment.repetitions(1)]
    return {each[:2] for each in found if each is not None}


def _own(kind: str, identifiers: list[dict[str, Any]], known: Known, aliases: Aliases) -> list[dict[str, Any]]:
    """Identifiers without prior numbers; the survivor's stands where the first of those did, if it is not there by itself."""
    kept: list[dict[str, Any]] = []
    there = any(_known(each) == known for each in identifiers)
    for each in identifiers:
        number = _known(each)
        if number == known or (kind, *number) not in aliases.into:
            kept.append(each)
        elif not there:
            there = True
            kept.append({**{key: value for key, value in each.items() if key in ("use", "type")}, "system": known[0], "value": known[1]})
    return kept


def _known(identifier: dict[str, Any]) -> Known:
    return identifier.get("system", ""), identifier.get("value", "")


def _link(kind: str, prior: Known) -> dict[str, Any]:
    return {"other": {"type": kind, "identifier": {"system": prior[0], "value": prior[1]}}, "type": "replaces"}

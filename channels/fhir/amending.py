"""Taking back what a merge changed at a receiver (rule 8): a FHIRPath Patch in the few forms that `transforms.mapping.merging` writes.  No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from channels.fhir.overlay import Find, Resource

_LINKS = re.compile(r"Patient\.link\.where\(type = '([a-z-]+)' and (.*)\)", re.DOTALL)
_REFERENCE = re.compile(r"other\.reference = '([^']*)'")
_NUMBER = re.compile(r"other\.identifier\.system = '((?:[^'\\]|\\.)*)' and other\.identifier\.value = '((?:[^'\\]|\\.)*)'", re.DOTALL)


def amended(theirs: Resource, patch: Mapping[str, Any], find: Find) -> Resource:
    """`theirs` after a patch (Parameters)."""
    found = {key: value for key, value in theirs.items() if key != "text"}
    for parameter in patch["parameter"]:
        part = {each["name"]: each for each in parameter["part"]}
        path = part["path"]["valueString"]
        if part["type"]["valueCode"] == "replace":
            found[path.partition(".")[2]] = next(value for key, value in part["value"].items() if key != "name")
        elif (links := _LINKS.fullmatch(path)) is not None:
            left = [each for each in found.pop("link", ()) if not _meant(each, links[1], links[2], find)]
            found |= {"link": left} if left else {}
        else:
            found.pop(path.partition(".")[2], None)
    return found if found != {key: value for key, value in theirs.items() if key != "text"} else theirs


def _meant(link: Mapping[str, Any], kind: str, condition: str, find: Find) -> bool:
    """Whether a link is the one a patch deletes."""
    other = link.get("other") or {}
    if link.get("type") != kind:
        return False
    if (reference := _REFERENCE.fullmatch(condition)) is not None:
        target = find(reference[1])
        return bool(target) and f"/{other.get('reference', '')}".endswith(f"/{target}")
    number = _NUMBER.fullmatch(condition)
    identifier = other.get("identifier") or {}
    if number is None:
        return False
    system, value = (re.sub(r"\\(.)", r"\1", text) for text in number.groups())
    return (identifier.get("system"), identifier.get("value")) == (system, value)

"""What of a resource changes, where a receiver's own must be read first: merges, and what takes them back (rules 4 and 8).  No I/O.

A message that merges says little of either patient: what it does not say stays as the receiver has it.  Of the one that is
replaced only that changes which says so.  Taking back is a FHIRPath Patch in the few forms that `transforms.mapping.merging` writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Resource = dict[str, Any]
Find = Callable[[str], str]
"""The receiver's reference for a `urn:uuid:` or a criterion; empty where it is not known."""

_RETIRED = {"Patient": ("active", "link"), "Encounter": ("status", "partOf")}
"""What changes of a resource that another one replaces."""
_CHOICES = ("deceased", "multipleBirth")
_LINKS = re.compile(r"Patient\.link\.where\(type = '([a-z-]+)' and (.*)\)", re.DOTALL)
_REFERENCE = re.compile(r"other\.reference = '([^']*)'")
_NUMBER = re.compile(r"other\.identifier\.system = '((?:[^'\\]|\\.)*)' and other\.identifier\.value = '((?:[^'\\]|\\.)*)'", re.DOTALL)


def is_partial(resource: Mapping[str, Any]) -> bool:
    """Whether an update says only part of what is known: of who is linked to others, and of what was replaced."""
    return "link" in resource if resource["resourceType"] == "Patient" else _is_retired(resource)


def _is_retired(resource: Mapping[str, Any]) -> bool:
    if resource["resourceType"] == "Encounter":
        return resource.get("status") == "entered-in-error"
    links = resource.get("link", ())
    return resource.get("active") is False and any(each.get("type") == "replaced-by" for each in links)


def overlaid(theirs: Resource, ours: Resource, find: Find) -> Resource:
    """`theirs` with what `ours` says of it."""
    said = {key: value for key, value in ours.items() if key not in ("id", "meta", "text", "contained")}
    if _is_retired(ours):
        changes = _RETIRED[ours["resourceType"]]
        said = {key: value for key, value in said.items() if key in changes or key not in theirs}
    found = {key: value for key, value in theirs.items() if key not in ("text", *_gone(said))}
    found.update(said)
    if "link" in said:
        found["link"] = _links(theirs.get("link", ()), said["link"], find)
    return _containing(found, theirs, ours, said)


def _gone(said: Mapping[str, Any]) -> set[str]:
    """What does not go with what is said: another type of the same choice, something said of an older value."""
    kinds = {name for name in _CHOICES for key in said if key.startswith(name)}
    choices = {f"{name}{kind}" for name in kinds for kind in ("Boolean", "DateTime", "Integer")}
    return {f"_{key}" for key in said} | choices


def _links(theirs: Any, ours: list[Resource], find: Find) -> list[Resource]:
    """Both; of two that say the same the one with a reference."""
    found = [each for each in theirs if isinstance(each, dict)]
    for each in ours:
        same = [other for other in found if _points(other, find) == _points(each, find)]
        if not same:
            found.append(each)
        elif "reference" in each.get("other", {}):
            found[found.index(same[0])] = each
    return found


def _points(link: Mapping[str, Any], find: Find) -> tuple[Any, str]:
    """Type and target of a link, a target that is known as the receiver's reference."""
    other = link.get("other") or {}
    identifier = other.get("identifier") or {}
    target = other.get("reference") or f"{identifier.get('system')}|{identifier.get('value')}"
    return link.get("type"), find(target) or target


def _containing(found: Resource, theirs: Resource, ours: Resource, said: Mapping[str, Any]) -> Resource:
    """With the contained resources that are still pointed at: ours under their ids, theirs where those are free."""
    inside = {each["id"]: each for each in theirs.get("contained", ())} | {each["id"]: each for each in ours.get("contained", ())}
    clash = {each["id"] for each in ours.get("contained", ())} & {each["id"] for each in theirs.get("contained", ()) if inside[each["id"]] != each}
    found = {key: value for key, value in found.items() if key == "contained" or key in said or not (_held(value) & clash)}
    found.pop("contained", None)
    held = _held(found)
    if kept := [each for id, each in inside.items() if id in held]:
        found["contained"] = kept
    return found


def _held(value: Any) -> set[str]:
    """The ids of contained resources that a value points at."""
    if isinstance(value, dict):
        here = value.get("reference")
        own = {here[1:]} if isinstance(here, str) and here.startswith("#") else set()
        return own.union(*(_held(each) for each in value.values()))
    return set().union(*(_held(each) for each in value)) if isinstance(value, list) else set()


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
    return number is not None and all(identifier.get(key) == re.sub(r"\\(.)", r"\1", text) for key, text in zip(("system", "value"), number.groups(), strict=True))

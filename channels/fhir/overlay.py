"""What an update makes of a resource that the receiver has: a message that does not speak of something leaves it as it is (rule 4).

Elements that the message gives replace the receiver's; identifiers and links are added to, extensions by their url.  Of what another
one replaces (rule 8) only that changes which says so.  What is contained stays as long as something points at it.  No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from transforms.fhir.elements import children

Resource = dict[str, Any]
Find = Callable[[str], str]
"""The receiver's reference for a `urn:uuid:`, or for a Patient's `system|number`; empty where it is not known."""

RETIRED = {"Patient": ("active", "link"), "Encounter": ("status", "partOf")}
"""What changes of a resource that another one replaces."""

OWN = ("resourceType", "id", "meta", "contained", "text")
"""Neither ours nor theirs alone.  A narrative speaks of what was, so that a change takes it away."""


def overlaid(theirs: Resource, ours: Resource, find: Find = lambda target: "", removed: Iterable[str] = ()) -> Resource:
    """The receiver's resource with what ours says, without what is `removed`; the very same where ours says nothing new."""
    if _is_retired(ours):
        changes = RETIRED[ours["resourceType"]]
        ours = {name: value for name, value in ours.items() if name in ("resourceType", "contained", *changes) or name not in theirs}
    given = _given(ours["resourceType"], (*ours, *removed))
    kept = {name: value for name, value in theirs.items() if name not in OWN and name not in given}
    said = {name: value for name, value in ours.items() if name not in OWN}
    for name in ("identifier", "extension", "modifierExtension"):
        if isinstance(theirs.get(name), list) and isinstance(ours.get(name), list):
            said[name] = [*ours[name], *(each for each in theirs[name] if not any(_same(name, each, own) for own in ours[name]))]
    if isinstance(theirs.get("link"), list) and "link" in said:
        said["link"] = _links(theirs["link"], said["link"], find)
    contained = _contained(kept, theirs, ours)
    made = {"resourceType": theirs["resourceType"], "id": theirs["id"], **_meta(theirs, ours), **contained, **kept, **said}
    return theirs if same(made, theirs) else made


def same(one: Resource, other: Resource) -> bool:
    """Whether two say the same, whoever wrote them down when."""
    return _content(one) == _content(other)


def _content(resource: Resource) -> Resource:
    found = {name: _as_a_set(name, value) for name, value in resource.items() if name != "text"}
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in ("versionId", "lastUpdated", "source")}
    return {**found, "meta": meta}


def _as_a_set(name: str, value: Any) -> Any:
    """Identifiers say the same in any order."""
    return sorted(value, key=repr) if name in ("identifier", "link", "extension") and isinstance(value, list) else value


def _given(type_name: str, names: Iterable[str]) -> set[str]:
    """The properties that ours replaces: an element with what stands beside it, a choice whatever its type."""
    elements = children(type_name)
    choices = {name: each for each in elements.values() if each.choice for name in (each.name, *map(each.property_for, each.types))}
    found: set[str] = set()
    for name in names:
        plain = name.removeprefix("_")
        around = choices.get(plain)
        for each in [around.property_for(kind) for kind in around.types] if around else [plain]:
            found |= {each, f"_{each}"}
    return found


def _same(name: str, one: Any, other: Any) -> bool:
    """Whether two items of a list are about the same thing."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return one == other
    if name == "identifier":
        return (one.get("system"), one.get("value")) == (other.get("system"), other.get("value"))
    return one.get("url") == other.get("url")


def _is_retired(ours: Resource) -> bool:
    """Whether another one replaces it."""
    if ours["resourceType"] == "Encounter":
        return ours.get("status") == "entered-in-error"
    links = ours.get("link", ()) if ours["resourceType"] == "Patient" else ()
    return ours.get("active") is False and any(each.get("type") == "replaced-by" for each in links)


def _links(theirs: list[Any], ours: list[Resource], find: Find) -> list[Resource]:
    """Both; of two that say the same the one with a reference."""
    found = [each for each in theirs if isinstance(each, dict)]
    for each in ours:
        alike = [other for other in found if _points(other, find) == _points(each, find)]
        if not alike:
            found.append(each)
        elif "reference" in each.get("other", {}):
            found[found.index(alike[0])] = each
    return found


def _points(link: Mapping[str, Any], find: Find) -> tuple[Any, str]:
    """Type and target of a link, a target that is known as the receiver's reference."""
    other = link.get("other") or {}
    identifier = other.get("identifier") or {}
    target = other.get("reference") or f"{identifier.get('system')}|{identifier.get('value')}"
    return link.get("type"), find(target) or target


def _meta(theirs: Resource, ours: Resource) -> Resource:
    """The receiver's, without what it counts itself, and our tags."""
    meta = {name: value for name, value in theirs.get("meta", {}).items() if name not in ("versionId", "lastUpdated")}
    for name, value in ours.get("meta", {}).items():
        known = meta.get(name)
        meta[name] = [*known, *(each for each in value if each not in known)] if isinstance(known, list) and isinstance(value, list) else value
    return {"meta": meta} if meta else {}


def _contained(kept: Resource, theirs: Resource, ours: Resource) -> Resource:
    """What ours holds, and what of theirs is still pointed at, under another name where ours has that one; `kept` is made to follow."""
    inside = list(ours.get("contained", ()))
    names = {each["id"] for each in inside}
    needed = {each.get("id"): each for each in theirs.get("contained", ())}
    wanted = [each for each in _pointed(kept) if each in needed]
    renamed: dict[str, str] = {}
    while wanted:
        name = wanted.pop(0)
        if name in renamed:
            continue
        new = name
        while new in names and needed[name] not in inside:
            new += "-before"
        renamed[name] = new
        if needed[name] not in inside:
            names.add(new)
            inside.append({**needed[name], "id": new})
        wanted += [each for each in _pointed(needed[name]) if each in needed]
    if any(old != new for old, new in renamed.items()):
        kept.update({name: _following(value, renamed) for name, value in kept.items()})
        own = len(ours.get("contained", ()))
        inside[own:] = [_following(each, renamed) for each in inside[own:]]
    return {"contained": inside} if inside else {}


def _pointed(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str) and reference.startswith("#"):
            yield reference[1:]
        for each in value.values():
            yield from _pointed(each)
    elif isinstance(value, list):
        for each in value:
            yield from _pointed(each)


def _following(value: Any, renamed: dict[str, str]) -> Any:
    if isinstance(value, dict):
        reference = value.get("reference")
        changed = {name: _following(each, renamed) for name, each in value.items()}
        if isinstance(reference, str) and reference[:1] == "#" and reference[1:] in renamed:
            changed["reference"] = "#" + renamed[reference[1:]]
        return changed
    return [_following(each, renamed) for each in value] if isinstance(value, list) else value

"""FHIR values as the inverses see them: references to people, places and organizations followed, everything else as it stands.

A reference to what a field names is the thing itself; one to what a message makes (a Patient, an Observation) is only what kind
of thing it is about.  `leaves` is what two values are compared by.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.fhir.elements import element
from transforms.mapping.places import Step

NAMED = frozenset(("Practitioner", "PractitionerRole", "Organization", "Location", "Device"))
"""What a field names, and no segment makes."""

NOWHERE = "nowhere"
"""What a reference links to that is not in the Bundle."""

_SILENT = frozenset(("resourceType", "id", "meta", "text", "contained", "implicitRules", "reference"))
_DEEPEST = 4
_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")
Json = Mapping[str, Any]


class Entries:
    """The resources of a Bundle, found by what refers to them."""

    def __init__(self, bundle: Json) -> None:
        self.resources: list[Json] = [each["resource"] for each in bundle.get("entry", ()) if isinstance(each.get("resource"), dict)]
        self.places = {id(each["resource"]): index for index, each in enumerate(bundle.get("entry", ())) if isinstance(each.get("resource"), dict)}
        self._known: dict[str, Json] = {}
        self._holders: dict[int, Json] = {}  # of what is contained
        for entry in bundle.get("entry", ()):
            resource = entry.get("resource")
            if isinstance(resource, dict):
                for name in (entry.get("fullUrl"), f"{resource.get('resourceType')}/{resource.get('id')}"):
                    self._known.setdefault(str(name), resource)
                self._holders |= {id(each): resource for each in resource.get("contained", ())}

    def of_type(self, kind: str) -> list[Json]:
        """All of a type, in their order."""
        return [each for each in self.resources if each.get("resourceType") == kind]

    def followed(self, reference: Any, holder: Json) -> Json | None:
        """What a Reference points at, in the Bundle or contained; None where it is not there."""
        target = reference.get("reference", "") if isinstance(reference, dict) else ""
        if target.startswith("#"):
            around = self._holders.get(id(holder), holder)
            return next((each for each in around.get("contained", ()) if each.get("id") == target[1:]), None)
        return self._known.get(target) if target else None

    def whole(self, resource: Json, holder: Json | None = None, depth: int = 0) -> dict[str, Any]:
        """A resource with what it names in it; the key it is known to us by is no number of its own."""
        silent = ("contained", "id", "text") if "resourceType" in resource else ()
        told = {key: self._value(value, holder or resource, depth) for key, value in resource.items() if key not in silent}
        if isinstance(numbers := told.get("identifier"), list):
            told["identifier"] = [each for each in numbers if not _ours(each, resource)]
        return told

    def _value(self, value: Any, holder: Json, depth: int) -> Any:
        if isinstance(value, list):
            return [self._value(each, holder, depth) for each in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("reference"), str):
            return self._reference(value, holder, depth)
        return {key: self._value(each, holder, depth) for key, each in value.items()}

    def _reference(self, value: dict[str, Any], holder: Json, depth: int) -> dict[str, Any]:
        extra = {"_extension": value["extension"]} if "extension" in value else {}
        target = self.followed(value, holder)
        if target is not None and target.get("resourceType") in NAMED and depth < _DEEPEST:
            return {**self.whole(target, None, depth + 1), **extra}
        kind = target.get("resourceType", "") if target else ""
        if kind or "display" not in value:
            return {"_link": kind or NOWHERE, **extra}
        return {key: each for key, each in value.items() if key != "reference"}


def _ours(number: Json, resource: Json) -> bool:
    """Whether an Identifier is the key that a resource of ours is put by."""
    return number.get("system", "").endswith("/result-key") or number.get("value", "-") == resource.get("id")


@dataclass(frozen=True)
class Spot:
    """A value that stands at a rule's target: where, what holds it, and of which type it is where several may stand there."""

    path: str
    holder: Json
    value: Any
    type: str
    choice: bool = False


def spots(resource: Json, type_name: str, steps: tuple[Step, ...], path: str = "") -> Iterator[Spot]:
    """The values at a target, one for each element of a list."""
    step, rest = steps[0], steps[1:]
    found = element(type_name, step.name)
    if found is None:
        return
    for kind in found.types if found.choice else found.types[:1]:
        name = found.property_for(kind)
        if name not in resource and f"_{name}" not in resource:
            continue
        value, beside = resource.get(name), resource.get(f"_{name}")
        listed = value if isinstance(value, list) else [(value, beside)] if isinstance(beside, dict) else [value]
        for index, each in enumerate(listed):
            place = f"{path}.{name}" + (f"[{index}]" if isinstance(value, list) else "")
            if not rest:
                yield Spot(place, resource, each, kind, found.choice)
            elif isinstance(each, dict):
                yield from spots(each, kind, rest, place)


def unwrapped(pattern: Any, value: Any) -> Any:
    """What stands in `value` where `pattern` has `"@"`; None where it is not of that form."""
    if pattern is None or pattern == "@":
        return value
    if isinstance(pattern, dict) and isinstance(value, dict):
        found = None
        for key, inner in pattern.items():
            name = next((each for each in value if each.startswith(key[:-3])), "") if key.endswith("[x]") else key
            if name not in value:
                return None
            if (told := unwrapped(inner, value[name])) is None:
                return None
            found = told if _holds(inner) else found
        return found if found is not None else value
    if isinstance(pattern, list) and isinstance(value, list) and pattern:
        return next((told for each in value if (told := unwrapped(pattern[0], each)) is not None), None)
    return value if pattern == value else None


def _holds(pattern: Any) -> bool:
    if isinstance(pattern, dict):
        return any(map(_holds, pattern.values()))
    return any(map(_holds, pattern)) if isinstance(pattern, list) else pattern == "@"


def leaves(value: Any) -> Counter[tuple[str, str]]:
    """The texts of a value with their paths, positions in lists left out."""
    return Counter(_leaves(value, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key not in _SILENT or not path and key == "text" and "resourceType" not in value:
                yield from _leaves(each, f"{path}.{key.lstrip('_') if key in ('_display', '_extension') else key}")
            elif key == "text" and isinstance(each, str):
                yield f"{path}.text", each
            elif key == "meta" and "security" in each:
                yield from _leaves(each["security"], f"{path}.meta.security")
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            yield from _leaves(each, path + ("" if isinstance(value, list) or not index else "_"))
    elif value is not None and value != "" and not (path.endswith(".type") and isinstance(value, str)):
        text = str(value)
        yield path, text[:-1] + "+00:00" if _UTC.fullmatch(text) else text

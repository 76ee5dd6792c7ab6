"""What a schema cannot say of a FHIR R4 resource or bundle: references that lead somewhere, and rules across elements.

Works on content that the schema has accepted.  Rules carry the specification's keys: `ref-1`, `dom-2` to `dom-5`,
`obs-6`, `obs-7`, `bdl-7`, `per-1`, `rng-2`, `mdd-1`.  Of references inside a data type's extensions only those are looked at
whose type may hold references anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from transforms.fhir.elements import Element, children, primitive_types, properties, resource_types
from transforms.fhir.order import DISPENSE, ENDS, Ends, reversed_ends

NO_BUNDLE: Mapping[str, str] = {}
SMALL = frozenset({"Identifier", "Annotation", "HumanName", "Address", "ContactPoint", "Observation.referenceRange"})
"""Types that hold few references or periods, and stand in many places."""
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule broken: its code in the specification's list of issue types, the thing at fault, the sentence."""

    code: str
    at: Any  # the very object, found again by identity when its place is asked for
    sentence: str


Found = list[tuple[Resource, Any]]
"""References with the types they may point at (a frozenset); periods and ranges with their `Ends`."""
Collector = Callable[[Resource, Found], None]


def resource_faults(resource: Resource, within: Mapping[str, str] | None = None) -> list[Fault]:
    """The rules a resource breaks.  `within` maps the full URLs of its bundle to types; None: there is no bundle."""
    found: list[Fault] = []
    references: Found = []
    kind = resource["resourceType"]
    _collector(kind)(resource, references)
    inside: dict[str, str] = {}
    if "contained" in resource:
        for each in resource["contained"]:
            inside["#" + each.get("id", "")] = each["resourceType"]
            _collector(each["resourceType"])(each, references)
        found += _contained_faults(resource, references)
    known = within or NO_BUNDLE
    for reference, targets in references:
        target = reference.get("reference")
        if target is None:
            if type(targets) is Ends and reversed_ends(reference, targets):
                found.append(Fault("invariant", reference, targets.sentence))
            continue
        if known.get(target) in targets:  # nearly always
            continue
        if fault := _reference_fault(target, targets, within, inside):
            found.append(Fault(fault[0], reference, fault[1]))
    if kind == "Observation" and ("component" in resource or "dataAbsentReason" in resource):
        found += _observation_faults(resource)
    elif kind == "MedicationDispense" and reversed_ends(resource, DISPENSE):
        found.append(Fault("invariant", resource, DISPENSE.sentence))
    return found


def bundle_faults(bundle: Resource) -> list[Fault]:
    """The rules a bundle breaks, its entries' resources included."""
    entries = bundle.get("entry", ())
    resources = [entry["resource"] for entry in entries if "resource" in entry]
    within = {entry["fullUrl"]: _type(entry) for entry in entries if "fullUrl" in entry and "resource" in entry}
    found: list[Fault] = []
    if len(within) != len(entries):
        found += _duplicates(bundle)
    for resource in resources:
        if resource["resourceType"] != "Bundle":
            found += resource_faults(resource, within)
    return found


def _type(entry: Resource) -> str:
    """What the entry's full URL stands for: a patch is about another resource than the one it carries."""
    kind = entry["resource"]["resourceType"]
    if kind == "Parameters" and entry.get("request", NO_BUNDLE).get("method") == "PATCH":
        return entry["request"]["url"].partition("/")[0]
    return kind


def _duplicates(bundle: Resource) -> Iterator[Fault]:
    """Entries with the same full URL that are not versions of one thing."""
    seen: set[tuple[str, str]] = set()
    for entry in bundle.get("entry", ()) if bundle["type"] != "history" else ():
        key = (entry.get("fullUrl", ""), entry.get("resource", {}).get("meta", {}).get("versionId", ""))
        if key[0] and key in seen:
            yield Fault("duplicate", entry, "has the same fullUrl as another entry (bdl-7)")
        seen.add(key)


def _reference_fault(
    target: str, targets: frozenset[str], within: Mapping[str, str] | None, inside: Mapping[str, str]
) -> tuple[str, str] | None:
    """(code, sentence) of a reference that leads nowhere or to the wrong type."""
    kind = within.get(target) if within is not None else None
    if kind is None:
        if target.startswith("#"):
            if target == "#":
                return None
            kind = inside.get(target)
            if kind is None:
                return "not-found", "points at a contained resource that is not there (ref-1)"
        elif target.startswith("urn:uuid:"):
            return ("not-found", "points at an entry that the bundle does not have") if within is not None else None
        else:
            kind = _literal_type(target)
    if targets and kind and kind not in targets:
        return "value", f"points at {with_article(kind)}, which is none of {', '.join(sorted(targets))}"
    return None


def _literal_type(target: str) -> str:
    """The type in `Patient/1` or `http://server/base/Patient/1/_history/2`; empty where none can be read."""
    parts = target.partition("?")[0].partition("/_history")[0].rsplit("/", 2)
    if len(parts) == 1:
        return target if target in resource_types() else ""
    kind = parts[-1] if "?" in target else parts[-2]
    return kind if kind in resource_types() else ""


def with_article(name: str) -> str:
    """`an Observation`, `a Patient`, `a uri`."""
    return f"{'an' if name[0] in 'aeioAEIO' or name.startswith('unsigned') else 'a'} {name}"


def _contained_faults(resource: Resource, references: Found) -> Iterator[Fault]:
    pointed = {reference.get("reference") for reference, _ in references}
    for each in resource["contained"]:
        meta = each.get("meta", {})
        if "contained" in each:
            yield Fault("invariant", each, "is contained, so it cannot contain others (dom-2)")
        if "#" + each.get("id", "") not in pointed and not _points_at_container(each):
            yield Fault("invariant", each, "is contained, but nothing points at it (dom-3)")
        if "versionId" in meta or "lastUpdated" in meta:
            yield Fault("invariant", each, "is contained, so it has no version or date of its own (dom-4)")
        if "security" in meta:
            yield Fault("invariant", each, "is contained, so it has no security label of its own (dom-5)")


def _points_at_container(contained: Resource) -> bool:
    own: Found = []
    _collector(contained["resourceType"])(contained, own)
    return any(reference.get("reference") == "#" for reference, _ in own)


def _observation_faults(observation: Resource) -> Iterator[Fault]:
    if not any(name.startswith("value") for name in observation):
        return
    if "dataAbsentReason" in observation:
        yield Fault("invariant", observation, "has a value, so it has no dataAbsentReason (obs-6)")
    codes = [(c.get("system"), c["code"]) for c in observation["code"].get("coding", ()) if "code" in c]
    for component in observation.get("component", ()):
        if any((c.get("system"), c.get("code")) in codes for c in component["code"].get("coding", ())):
            yield Fault("invariant", component, "has the code of the Observation itself, which has a value of its own (obs-7)")


# --- where references may stand: for each type a function, written once, because it runs for every resource -----------


@cache
def _collector(type_name: str) -> Collector:
    """A function that adds every reference below an object of that type, with its targets, to a list; and periods and ranges."""
    names: dict[str, object] = {}
    lines = _collecting(type_name, "value", names)
    exec("\n    ".join(["def collect(value, found):", *lines, "return"]), names)  # noqa: S102 - of names that R4 defines
    return names["collect"]  # type: ignore[return-value]


def _collecting(type_name: str, value: str, names: dict[str, object]) -> Iterator[str]:
    """The lines for an object of a type that `value` stands for.  Small types' are written where they are used."""
    for name, (child, kind) in properties(type_name).items():
        if not _may_refer(kind, frozenset()):
            continue
        below = f"{value}_{name}"
        yield f"if {name!r} in {value}:"
        indent = "    "
        if child.many:
            yield f"    for {below} in {value}[{name!r}]:"
            indent = "        "
        else:
            yield f"    {below} = {value}[{name!r}]"
        if kind == "Reference":
            yield f"{indent}found.append(({below}, {_named(names, _targets(child))}))"
        elif kind in ENDS:
            yield f"{indent}found.append(({below}, {_named(names, ENDS[kind])}))"
        elif kind in SMALL:
            yield from [indent + line for line in _collecting(kind, below, names)]
        else:
            yield f"{indent}{_named(names, _late(kind))}({below}, found)"


def _named(names: dict[str, object], thing: object) -> str:
    name = f"_{len(names)}"
    names[name] = thing
    return name


def _targets(child: Element) -> frozenset[str]:
    return frozenset(child.targets) - {"Resource"}


def _late(type_name: str) -> Collector:
    """The collector of a type, made when first used: types refer to themselves."""
    return lambda value, found: _collector(type_name)(value, found)


@cache
def _may_refer(type_name: str, through: frozenset[str]) -> bool:
    """A type holds references, periods or ranges, itself or deeper.  Extensions count in a resource and in one another."""
    if type_name in ("Extension", "Reference") or type_name in ENDS:
        return True
    if type_name in through or type_name in primitive_types() or type_name in ("Resource", "Narrative", "Meta"):
        return False
    kinds = {kind for child in children(type_name).values() for kind in child.types} - {"Extension"}
    return any(_may_refer(kind, through | {type_name}) for kind in kinds)

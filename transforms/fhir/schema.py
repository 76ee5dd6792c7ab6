"""JSON Schemas of FHIR R4 resources, made from the table of elements.

One schema per resource type with the data types it reaches, so that only what a site really sends is ever compiled.  A
schema says: known elements only, cardinality, one value of a choice, the primitives' forms, required codes, nothing
empty, and the specification's `invariants` that look at one object (`att-1`, `qty-3` ...).  What needs the whole
resource or bundle is in `validation`.  `$comment` is the sentence for whoever broke a rule that has no better one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from transforms.fhir.elements import Element, children, primitive_types, resource_types, table, value_set
from transforms.fhir.invariants import INVARIANTS, SIMPLE

Schema = dict[str, Any]

PRIMITIVES: Mapping[str, Schema] = {
    "boolean": {"type": "boolean"},
    "decimal": {"type": "number"},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "unsignedInt": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "positiveInt": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
    "string": {"type": "string", "minLength": 1},
    "markdown": {"type": "string", "minLength": 1},
    "xhtml": {"type": "string", "pattern": r"^\s*<div[\s>]"},
}
"""Primitives whose form is said otherwise than by the specification's regular expression, which for these costs more or says less."""

SOME_RESOURCE: Schema = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"type": "string"}}}
"""What stands inside another resource is held against its own type's schema."""

URI_TYPES = ("uri", "url", "canonical")


def _either(*names: str) -> Schema:
    return {"anyOf": [{"required": [name]} for name in names]}


@lru_cache(maxsize=2)  # used when compiled, and for the sentences of what was refused
def schema_of(type_name: str) -> Schema:
    """The schema of a resource or data type, complete in itself."""
    definitions: dict[str, Schema] = {}
    _define(type_name, definitions)
    return {"$ref": f"#/$defs/{type_name}", "$defs": definitions}


def _define(type_name: str, definitions: dict[str, Schema]) -> Schema:
    """A pointer to a type's definition, adding that and, through it, every type it uses."""
    if type_name not in definitions:
        definitions[type_name] = {}  # stands while its own children are made: types refer to themselves
        definitions[type_name].update(_primitive(type_name) if type_name in primitive_types() else _object(type_name, definitions))
    return {"$ref": f"#/$defs/{type_name}"}


def _primitive(name: str) -> Schema:
    if name in URI_TYPES:
        oid = {"if": {"pattern": "^urn:oid:"}, "then": {"pattern": f"^{table()['patterns']['oid']}$"}}
        return {"type": "string", "minLength": 1, "pattern": r"^\S*$", **oid}
    return dict(PRIMITIVES.get(name) or {"type": "string", "pattern": f"^(?:{table()['patterns'][name]})$"})


def _object(type_name: str, definitions: dict[str, Schema]) -> Schema:
    """Properties, what is required, choices, invariants."""
    properties: dict[str, Schema] = {}
    required: list[str] = []
    rules: list[Schema] = []
    if type_name in resource_types():
        properties["resourceType"] = {"const": type_name}
        required.append("resourceType")
    for element in children(type_name).values():
        for each in element.types if element.choice else element.types[:1]:
            properties |= _properties(element, each, definitions)
        if element.choice:
            rules.append(_choice(element))
        elif element.min and element.types[0] in primitive_types():
            rules.append({"$comment": f"lacks {element.name}", **_either(element.name, "_" + element.name)})
        elif element.min:
            required.append(element.name)
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
    rules += INVARIANTS.get(type_name, ())
    return schema | ({"required": required} if required else {}) | ({"allOf": rules} if rules else {})


def _properties(element: Element, type_name: str, definitions: dict[str, Schema]) -> dict[str, Schema]:
    """An element's JSON property, and for a primitive its twin `_name` that holds extensions."""
    name = element.property_for(type_name)
    if type_name in ("Resource", "xhtml"):
        value = dict(SOME_RESOURCE) if type_name == "Resource" else _define(type_name, definitions)
        return {name: _listed(value) if element.many else value}
    value = _bound(element, type_name, _define(type_name, definitions))
    if type_name == "Quantity" and element.path in SIMPLE:
        value = _simple(definitions)
    if type_name not in primitive_types():
        return {name: _listed(value) if element.many else value}
    twin = _define("Element", definitions)
    if element.many:  # null holds the place of what only the other list has
        value, twin = (_listed({"anyOf": [each, {"type": "null"}]}) for each in (value, twin))
    return {name: value, "_" + name: twin}


def _simple(definitions: dict[str, Schema]) -> Schema:
    """A pointer to what a Quantity is where it has no comparator (sqty-1)."""
    if "SimpleQuantity" not in definitions:
        whole = definitions["Quantity"]
        known = {name: each for name, each in whole["properties"].items() if name not in ("comparator", "_comparator")}
        definitions["SimpleQuantity"] = {**whole, "properties": known}
    return {"$ref": "#/$defs/SimpleQuantity"}


def _listed(item: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": item}


def _bound(element: Element, type_name: str, value: Schema) -> Schema:
    """The value's schema, narrowed by the element's binding where its codes can be listed."""
    systems = value_set(element.value_set)
    if systems is None:
        return value
    if element.strength == "required" and type_name == "code":
        return {"enum": sorted(set().union(*systems.values()))}
    if type_name != "CodeableConcept":
        return value
    if element.strength == "required":
        any_of = [
            {"properties": {"system": {"const": s}, "code": {"enum": sorted(c)}}, "required": ["system", "code"]}
            for s, c in systems.items()
        ]
        narrowed: Schema = {"coding": {"contains": {"anyOf": any_of}}}
        return {**value, "required": ["coding"], "properties": narrowed, "$comment": f"has no code of {element.value_set}"}
    known = [_system(system, codes) for system, codes in systems.items()]
    return {**value, "properties": {"coding": {"items": {"allOf": known}}}}


def _system(system: str, codes: frozenset[str]) -> Schema:
    """A coding of that system has one of its codes."""
    return {
        "$comment": f"has a code that {system} does not know",
        "if": {"properties": {"system": {"const": system}}, "required": ["system", "code"]},
        "then": {"properties": {"code": {"enum": sorted(codes)}}},
    }


def _choice(element: Element) -> Schema:
    """At most one value of a choice, or exactly one where it is required."""
    names = [element.property_for(each) for each in element.types]
    twins = ["_" + element.property_for(each) for each in element.types if each in primitive_types()]
    one: Schema = {"oneOf": [{"required": [name]} for name in names]}
    if element.min:  # a primitive may be there by its extensions only
        return {"$comment": f"needs one {element.name}[x]", "anyOf": [one, *({"required": [twin]} for twin in twins)]}
    none = {"not": _either(*names)}
    one["oneOf"].append(none)
    if element.path == "Extension.value[x]":  # fifty types: a url and one thing more need no look at them
        has_value = {"required": ["extension"], **none}
        return {
            "$comment": "needs either extensions or one value[x] (ext-1)",
            "anyOf": [
                {"maxProperties": 2, "not": {"required": ["id"]}},
                {"oneOf": one["oneOf"][:-1], "not": {"required": ["extension"]}},
                has_value,
            ],
        }
    return {"$comment": f"has more than one {element.name}[x]", **one}

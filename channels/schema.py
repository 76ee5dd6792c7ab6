"""The JSON Schema of a channel file, generated from what is registered, so that an editor completes and underlines.

Scalars are typed by the looks in our files, so where an option is text the schema also takes numbers and booleans; where
an option is typed it also takes a reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from channels.definition import Channel
from transforms.declaration.building import Registry

_REFERENCE = {"type": "string", "pattern": r"\$\{(env|secret):"}
_MAPPING = {"type": "object"}
_TITLE = "Flue channel"


def channel_schema(registry: Registry) -> Mapping[str, Any]:
    """The schema, with a definition for every component of `registry`."""
    definitions: dict[str, Any] = {}
    root = _object(Channel, definitions, registry)
    for kind, declarations in sorted(registry.items()):
        definitions[kind] = _component(kind, declarations, definitions, registry)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": _TITLE, **root, "$defs": dict(sorted(definitions.items()))}


def _component(kind: str, declarations: Mapping[str, type], definitions: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """A bare name, where no option is required, or one name with its options."""
    bare, keyed = [], {}
    for name, declaration in sorted(declarations.items()):
        options = _object(declaration, definitions, registry)
        definitions[f"{kind}.{name}"] = options
        keyed[name] = {"$ref": f"#/$defs/{kind}.{name}"}
        if not options.get("required"):
            bare.append(name)
    one = {"properties": keyed, "additionalProperties": False, "minProperties": 1, "maxProperties": 1}
    return {"if": _MAPPING, "then": one, "else": {"enum": bare}} if bare else {**_MAPPING, **one}


def _object(declaration: type, definitions: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """The schema of a declaration's options; what it refers to goes to `definitions`."""
    made = TypeAdapter(declaration).json_schema(ref_template="#/$defs/{model}")
    for name, each in made.pop("$defs", {}).items():
        definitions[name] = _adapted(each, registry)
    adapted = _adapted(made, registry)
    short = getattr(declaration, "shorthand", "")
    if not short:
        return adapted
    alone = {key: value for key, value in adapted["properties"][short].items() if key not in ("title", "default")}
    about = {"description": adapted.get("description", "")}
    if "$ref" in alone:  # a component, itself a mapping
        return {**about, "anyOf": [alone, adapted]}
    return {**about, "if": _MAPPING, "then": adapted, "else": alone}


def _adapted(made: Any, registry: Registry) -> Any:
    """pydantic's schema as our files are written."""
    if isinstance(made, list):
        return [_adapted(each, registry) for each in made]
    if not isinstance(made, dict):
        return made
    made = {key: _adapted(value, registry) for key, value in made.items() if key != "title" or not isinstance(value, str)}
    if "x-component" in made and "inline" not in made:
        return {"$ref": f"#/$defs/{made.pop('x-component')}", **made}
    if "properties" in made and made.get("type") == "object":
        return _closed(made, registry)
    return _typed(made)


def _closed(made: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """No key but the declared ones; an inline component adds its kind's names, one of which must be there."""
    properties = dict(made["properties"])
    for name, each in list(properties.items()):
        kind = each.pop("inline", None)
        if kind:
            del properties[name]
            names = sorted(registry.get(kind, {}))
            properties |= {known: {"$ref": f"#/$defs/{kind}.{known}"} for known in names}
            made["required"] = [key for key in made.get("required", ()) if key != name]
            if names:
                made["oneOf"] = [{"required": [known]} for known in names]
    return {**made, "properties": properties, "additionalProperties": False}


def _typed(made: dict[str, Any]) -> dict[str, Any]:
    kind = made.get("type")
    if kind == "string" and not made.keys() & {"pattern", "enum", "const", "format"}:
        return {**made, "type": ["string", "number", "boolean"]}
    if kind in ("integer", "number", "boolean") and "anyOf" not in made:
        outside = {key: made[key] for key in ("description", "default") if key in made}
        return {**outside, "anyOf": [{key: value for key, value in made.items() if key not in outside}, _REFERENCE]}
    return made

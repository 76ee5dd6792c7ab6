"""Whether resources fit their schema, quickly where their parts have been seen before.

Maps give the same object for the same text: a code, a unit, a status; and the results of one order have one subject.  What
fitted once as `Observation.code` fits again, so only what is new in a resource is held against the schema, element by
element.  Which elements may stand together does not depend on their values; it is asked once for every combination, and a
function is written for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions

from transforms.fhir.elements import properties, resource_types
from transforms.fhir.schema import Schema, schema_of

Resource = dict[str, Any]
Check = Callable[[Resource], bool]

KEPT = 1000  # values of one element; combinations of elements
RECURRING = frozenset({"CodeableConcept", "Coding", "code", "uri", "canonical", "boolean", "Observation.referenceRange", "HumanName", "Address"})
"""Types whose values come again in other messages: they are kept."""
COMMON = frozenset({"Reference", "dateTime", "instant", "date", "Period", "ContactPoint"})
"""Types whose values are often the same all over one message: they are known until that is done."""


class _Known(dict[int, Any]):
    """Values of one element that fit, by their identity; they are held, so that no other object can get it."""

    def keep(self, value: Any) -> None:
        if len(self) >= KEPT:
            self.clear()
        self[id(value)] = value


_passing: list[_Known] = []


def forget() -> None:
    """What was known of one message is over."""
    for known in _passing:
        known.clear()
    _passing.clear()


class _Type:
    """A resource type whose elements can be looked at one by one."""

    def __init__(self, name: str, schema: Schema) -> None:
        own = schema["$defs"][name]
        apart = {key: own[key] for key in ("type", "properties", "additionalProperties")}
        self._fit = compiled({**schema, "$defs": {**schema["$defs"], name: apart}})
        self._may_stand = compiled({**own, "properties": dict.fromkeys(own["properties"], True)})
        kinds = {key: kind for key, (_, kind) in properties(name).items()}
        self._known = {key: _Known() for key in own["properties"] if kinds.get(key, "code") in RECURRING | COMMON}
        self._common = frozenset(key for key in self._known if kinds.get(key) in COMMON)
        self._forms: dict[tuple[str, ...], Check] = {}

    def __call__(self, resource: Resource) -> bool:
        """Whether a resource of this type fits."""
        keys = tuple(resource)
        return (self._forms.get(keys) or self._form(keys))(resource)

    def _form(self, keys: tuple[str, ...]) -> Check:
        """The check of a resource with these elements, in this order."""
        if len(self._forms) >= KEPT:
            self._forms.clear()
        check = self._forms[keys] = self._written(keys) if self._may_stand(dict.fromkeys(keys, 0)) else _nothing
        return check

    def _written(self, keys: tuple[str, ...]) -> Check:
        values = {key: f"value{number}" for number, key in enumerate(keys)}
        seen = " and ".join(f"id({values[key]}) in known_{values[key]}" for key in keys if key in self._known)
        new = ", ".join(f"{key!r}: {values[key]}" for key in keys if key not in self._known)
        lines = [
            "def check(resource):",
            f"    {', '.join(values.values())}, = resource.values()",
            f"    return fit({{{new}}}) if {seen or 'False'} else in_parts(resource)",
        ]
        names: dict[str, Any] = {"known_" + values[key]: self._known[key] for key in keys if key in self._known}
        names |= {"fit": self._fit, "in_parts": self._in_parts}
        exec("\n".join(lines), names)  # noqa: S102 - of names that R4 defines
        return names["check"]

    def _in_parts(self, resource: Resource) -> bool:
        """Look at what is new, and remember it."""
        known = self._known
        new = {key: value for key, value in resource.items() if key not in known or id(value) not in known[key]}
        if not self._fit(new):
            return False
        for key, value in new.items():
            if key in known:
                known[key].keep(value)
                if key in self._common:
                    _passing.append(known[key])
        return True


@lru_cache(maxsize=256)
def check(kind: str) -> Check:
    """What says whether a resource fits the schema of that type; nothing fits what is no type."""
    if kind not in resource_types():
        return _nothing
    schema = schema_of(kind)
    return _Type(kind, schema) if _apart(schema["$defs"][kind].get("allOf", ())) else compiled(schema)


def compiled(schema: Schema) -> Check:
    """A schema, ready to be asked."""
    return Draft202012Validator(schema, pattern_options=RegexOptions()).is_valid


def _apart(rules: Any) -> bool:
    """Rules ask only which elements there are, not what they say: then each can be looked at by itself."""
    if isinstance(rules, dict):
        return rules.keys().isdisjoint(("properties", "const", "enum", "pattern")) and all(map(_apart, rules.values()))
    return not isinstance(rules, list | tuple) or all(map(_apart, rules))


def _nothing(_: Resource) -> bool:
    return False

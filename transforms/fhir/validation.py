"""Whether a resource or bundle is valid FHIR R4 (4.0.1), and if not, where and why, in sentences without values.

`is_valid` is for every message: a schema per resource type, run by jsonschema-rs, then the rules of `integrity`.  `validate`
says the same in words.  Both look at structure, cardinality, required codes, references and the invariants that matter for
what we make; profiles and terminology beyond that are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

from transforms.fhir import integrity, recurring
from transforms.fhir.elements import Element, children, properties, resource_types
from transforms.fhir.schema import schema_of

SHOWN = 12
"""Codes named in a sentence; of longer lists only the value set."""

Resource = dict[str, Any]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with FHIR content.

    `code` is of FHIR's IssueType (`structure`, `required`, `value`, `code-invalid`, `invariant`, `not-found`, `duplicate`);
    `place` a FHIRPath (`Bundle.entry[3].resource.referenceRange[0].low`); `text` a sentence that follows the place.
    """

    severity: str  # error or warning
    code: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place} {self.text}"


def is_valid(body: Resource) -> bool:
    """Nothing is wrong with a resource or bundle: what `validate` says in words, quickly."""
    fits = _fits(body)
    recurring.forget()
    return fits and not _any_faults(body)


def validate(body: object) -> list[Issue]:
    """Everything wrong with a resource or bundle, in the order of its places; empty: valid."""
    if not isinstance(body, dict):
        return [Issue("error", "structure", "$this", "is no JSON object")]
    issues = _structure(body, str(body.get("resourceType", "Resource")))
    return issues or _integrity(body, body["resourceType"])


@cache
def _validator(type_name: str) -> Draft202012Validator:
    return Draft202012Validator(schema_of(type_name), pattern_options=RegexOptions())


def _fits(body: Resource) -> bool:
    """A resource, and what it holds, fit their schemas."""
    kind = body.get("resourceType")
    if not isinstance(kind, str):
        return False
    if kind == "Bundle":
        return _bundle_fits(body)
    if not recurring.check(kind)(body):
        return False
    if "contained" not in body and kind != "Parameters":
        return True
    return all(map(_fits, _held(body)))


def _bundle_fits(bundle: Resource) -> bool:
    """Entries that put a resource by its id have one form, which a transaction may have; the others are held against the schema."""
    entries = bundle.get("entry")
    if type(entries) is list and entries and bundle.get("type") == "transaction":
        others = [entry for entry in entries if not _is_put(entry)]
        shell = {**bundle, "entry": others}
        if not others:
            del shell["entry"]
    else:
        shell = bundle
    return recurring.check("Bundle")(shell) and all(map(_fits, _held(bundle)))


def _is_put(entry: Any) -> bool:
    """An entry of a full URL made of its resource's id, the resource, and a request to put it by that id, and of nothing else."""
    if type(entry) is not dict or len(entry) != 3:
        return False
    resource, request = entry.get("resource"), entry.get("request")
    if type(resource) is not dict or type(request) is not dict or len(request) != 2 or request.get("method") != "PUT":
        return False
    kind, id_ = resource.get("resourceType"), resource.get("id")
    return type(id_) is str and type(kind) is str and request.get("url") == f"{kind}/{id_}" and entry.get("fullUrl") == f"urn:uuid:{id_}"


def _held(resource: Resource) -> Iterable[Resource]:
    """The resources directly inside one that its own schema has accepted."""
    if resource["resourceType"] == "Bundle":
        entries = resource.get("entry", ())
        outcomes = [each["response"]["outcome"] for each in entries if "response" in each and "outcome" in each["response"]]
        return [each["resource"] for each in entries if "resource" in each] + outcomes
    return [each for _, each in _nested(resource)]


def _any_faults(body: Resource) -> bool:
    """Some rule is broken in a resource that fits, or in one that it holds."""
    return bool(_integrity(body, "")) if body["resourceType"] != "Bundle" else bool(integrity.bundle_faults(body))


_NESTING = frozenset({"Bundle", "Parameters"})
"""Resources that hold others otherwise than by `contained`."""


def _nested(resource: Resource) -> Iterator[tuple[Path, Resource]]:
    """The resources directly inside one that its own schema has accepted."""
    for index, each in enumerate(resource.get("contained", ())):
        yield ("contained", index), each
    if resource["resourceType"] == "Bundle":
        for index, entry in enumerate(resource.get("entry", ())):
            if "resource" in entry:
                yield ("entry", index, "resource"), entry["resource"]
            if "outcome" in entry.get("response", ()):
                yield ("entry", index, "response", "outcome"), entry["response"]["outcome"]
    elif resource["resourceType"] == "Parameters":
        yield from _parameters(resource.get("parameter", ()), ("parameter",))


def _parameters(parameters: list[Resource], path: Path) -> Iterator[tuple[Path, Resource]]:
    for index, each in enumerate(parameters):
        if "resource" in each:
            yield (*path, index, "resource"), each["resource"]
        yield from _parameters(each.get("part", ()), (*path, index, "part"))


def _structure(resource: Resource, place: str) -> list[Issue]:
    """What the schemas say; what is inside a broken resource is not looked at before that is mended."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in resource_types():
        return [Issue("error", "structure", place, "is no resource of R4: its resourceType is missing or unknown")]
    issues = [issue for error in _validator(kind).iter_errors(resource) for issue in _issues(error, kind, place)]
    if not issues:
        for path, each in _nested(resource):
            issues += _structure(each, place + _dotted(path))
    return issues


def _integrity(resource: Resource, place: str) -> list[Issue]:
    check = integrity.bundle_faults if resource["resourceType"] == "Bundle" else integrity.resource_faults
    found: dict[Issue, None] = {}
    for fault in check(resource):
        for path in _places(resource, fault.at, ()):
            found[Issue("error", fault.code, place + _dotted(path), fault.sentence)] = None
    for path, each in _nested(resource):
        if each["resourceType"] in _NESTING:
            found |= dict.fromkeys(_integrity(each, place + _dotted(path)))
    return list(found)


def _places(value: Any, wanted: Any, path: Path) -> Iterator[Path]:
    """Where in `value` the very object `wanted` stands (equal content may be shared by several places)."""
    if value is wanted:
        yield path
    elif isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(below, wanted, (*path, key))


def _dotted(path: Path | list[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


# --- from the schema's errors to sentences ----------------------------------------------------------------------------


def _issues(error: ValidationError, kind: str, place: str) -> Iterator[Issue]:
    """The issues of one error.  Its own message is never used: it quotes the value."""
    path, what = error.instance_path, error.kind
    here = place + _dotted(path)
    match what.name:
        case "additionalProperties":
            for name in what.unexpected:
                if name.endswith("comparator") and _type_at(path, kind).endswith("Quantity"):
                    yield Issue("error", "invariant", here, "has a comparator, which a limit or a dose cannot have (sqty-1)")
                else:
                    yield Issue("error", "structure", here, f"has an element that R4 does not know: {name}")
        case "required":
            yield Issue("error", "required", here, f"lacks {what.property}")
        case "minProperties" | "minItems" | "minLength" if not _comment(error, kind):
            yield Issue("error", "structure", here, "is empty")
        case "type":
            yield Issue("error", "structure", here, _wrong_type(path, kind))
        case "enum":
            yield Issue("error", "code-invalid", here, _comment(error, kind) or _wrong_code(path, kind))
        case "pattern" | "minimum" | "maximum" | "const":
            yield Issue("error", "value", here, _comment(error, kind) or f"has not the form of {_type_at(path, kind)}")
        case _:
            comment = _comment(error, kind)
            code = "required" if comment.startswith("lacks ") else "invariant" if comment else "value"
            yield Issue("error", code, here, comment or f"has not the form of {_type_at(path, kind)}")


def _comment(error: ValidationError, kind: str) -> str:
    """The sentence nearest to the rule that was broken, if the schema has one."""
    sentence, node = "", schema_of(kind)
    for step in error.schema_path:
        node = node[step]
        if isinstance(node, Mapping):
            sentence = node.get("$comment", sentence)
    return sentence


def _at(path: list[str | int], kind: str) -> tuple[Element | None, str]:
    """The element and type at a path into a resource."""
    found: Element | None = None
    for name in path:
        if isinstance(name, str):
            twin = name.startswith("_")
            found, kind = properties(kind).get(name.removeprefix("_"), (None, ""))
            kind = "Element" if twin else kind
    return found, kind


def _type_at(path: list[str | int], kind: str) -> str:
    return integrity.with_article(_at(path, kind)[1] or "known type")


def _wrong_type(path: list[str | int], kind: str) -> str:
    element, type_name = _at(path, kind)
    if element is not None and element.many and not isinstance(path[-1], int):
        return "may repeat, so it is a list"
    if children(type_name):
        return "does not repeat, or has parts: it is one object"
    return f"is no {type_name}" if type_name else "is of the wrong type"


def _wrong_code(path: list[str | int], kind: str) -> str:
    element, _ = _at(path, kind)
    codes = sorted(set().union(*(element.codes or {}).values())) if element is not None else []
    if 0 < len(codes) <= SHOWN:
        return f"is none of {', '.join(codes)}"
    return f"is no code of {element.value_set}" if element is not None else "is no code allowed here"

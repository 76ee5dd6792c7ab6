"""The step `validate`: what is not valid R4 is held."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import ValidationError
from pydantic.dataclasses import dataclass

from transforms.component import Resources, option, step
from transforms.document import FHIR_JSON, Document, Note, Part
from transforms.errors import OptionError
from transforms.fhir.validation import Issue, is_valid, validate
from transforms.pipeline import Action

INVALID = "invalid"
"""The reason a part is held for."""

_ENTRY = re.compile(r"Bundle\.entry\[([0-9]+)\]")
_NOTED = 20  # issues told of one document


@step("validate")
@dataclass(frozen=True)
class Validate:
    """Check output against FHIR R4: structure, cardinality, required codes, references, invariants.

    A part of a document that does not pass is held, with a note for each place; the other parts go on.  `strict` also asks the
    models of fhir.resources (extra `models`), which look at the same from another side and cost some milliseconds a bundle.
    """

    takes = gives = FHIR_JSON
    on_invalid: Literal["", "hold", "send"] = option("Hold what is invalid, or send it all the same; default: the channel's.", default="")
    strict: bool = option("Ask fhir.resources as well.", default=False)

    def prepare(self, resources: Resources) -> Action:
        holds = (self.on_invalid or resources.settings.get("on_invalid", "hold")) == "hold"
        second = _second_opinion() if self.strict else None

        def run(document: Document) -> Document:
            if second is None and is_valid(document.body):
                return document
            issues = [each for each in validate(document.body) if each.severity == "error"]
            issues += second(document.body) if second and not issues else []
            return _judged(document, issues, holds) if issues else document

        return run


def _judged(document: Document, issues: list[Issue], holds: bool) -> Document:
    """The document with the notes, and the parts held that the issues are in."""
    document = document.with_notes(*(Note(INVALID, each.place, each.text) for each in issues[:_NOTED]))
    if not holds:
        return document
    places = {_entry(each.place) for each in issues}
    return replace(document, parts=tuple(_held(part) if _concerns(part, places) else part for part in document.parts))


def _entry(place: str) -> int | None:
    """The index of the Bundle's entry a place is in; None: the Bundle itself, or no Bundle."""
    match = _ENTRY.match(place)
    return int(match[1]) if match else None


def _concerns(part: Part, places: Iterable[int | None]) -> bool:
    return part.entries is None or any(place is None or place in part.entries for place in places)


def _held(part: Part) -> Part:
    return part if part.hold else replace(part, hold=INVALID)


def _second_opinion() -> Callable[[dict[str, Any]], list[Issue]]:
    if find_spec("fhir") is None or find_spec("fhir.resources") is None:
        raise OptionError("strict", "not_installed", "`strict` needs fhir.resources: install flue[models].")
    from fhir.resources.R4B import get_fhir_model_class

    def ask(body: dict[str, Any]) -> list[Issue]:
        return [issue for place, resource in _resources(body) for issue in _opinion(get_fhir_model_class, place, resource)]

    return ask


def _resources(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a Bundle holds, or the resource itself.  A model of the whole Bundle would cost twice."""
    if body.get("resourceType") != "Bundle":
        yield str(body.get("resourceType")), body
    for index, entry in enumerate(body.get("entry", ())):
        if "resource" in entry:
            yield f"Bundle.entry[{index}].resource", entry["resource"]


def _opinion(model: Callable[[str], Any], place: str, resource: dict[str, Any]) -> Iterator[Issue]:
    try:
        model(resource["resourceType"]).model_validate(resource)
    except ValidationError as error:
        for each in error.errors(include_input=False, include_url=False, include_context=False):
            inside = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in each["loc"])
            yield Issue("error", "structure", place + inside, f"is refused by fhir.resources ({each['type']})")

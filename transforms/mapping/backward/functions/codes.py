"""CodeableConcept and Coding as CWE: two triplets, the text behind them; a code of a table as the table's own.

A table is turned round: of several codes that mean the same the sender's own decides, which stands beside, else the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from transforms.mapping.backward.registry import Proposal, inverse, said, value_and_beside
from transforms.mapping.backward.writing import Writing, alternate
from transforms.mapping.definition import Coded

Codes = Mapping[str | None, Coded]
TRIPLETS = 2  # that CWE has in 2.5.1


@inverse("codeable_concept", "codeable_concept_within")
def codeable_concept(value: Any, w: Writing, codes: Codes | None = None, table: str = "") -> Iterator[Proposal]:
    """A concept: with the table's code in the place of what the table makes of it, and as it stands."""
    if not isinstance(value, dict):
        return
    codings, text = list(value.get("coding", ())), value.get("text", "")
    if codes and len(codings) == 1 and "/v2-" in codings[0].get("system", ""):
        yield said(*_parts(codings, text, w))
    if codes:
        for own in _unmapped(codings, codes):
            yield said(*_parts(own, text, w))
    if text and not codings:
        yield said(text)
        yield said("", text)
    yield said(*_parts(codings, text, w))


@inverse("coding", "class_of_encounter")
def coding(value: Any, w: Writing, codes: Codes | None = None, table: str = "") -> Iterator[Proposal]:
    """A Coding."""
    if isinstance(value, dict):
        if "display" in value and "code" not in value:
            yield said("", value["display"])
        yield from codeable_concept({"coding": [value]}, w, codes, table)


@inverse("security_labels")
def security_label(value: Any, w: Writing, codes: Codes, table: str) -> Iterator[Proposal]:
    """One of the labels, which says what the others do."""
    yield from coding(value, w, codes, table)


@inverse("code_of_table")
def code_of_table(value: Any, w: Writing, codes: Codes, table: str, whole: str = "") -> Iterator[Proposal]:
    """The sender's own code, or one of those that mean the same: those first that mean no more."""
    code, beside = value_and_beside(value)
    if own := alternate(beside):
        yield said(own)
    keys = [key for key, coded in codes.items() if key and coded.code == code]
    for key in sorted(keys, key=lambda key: key not in whole.split()):
        yield said(key)


def by_table(value: Any, codes: Codes) -> Iterator[Proposal]:
    """The inverse of a rule that has `codes:` and no `as:`."""
    told, _ = value_and_beside(value)
    if isinstance(told, dict):
        told = next(iter(told.get("coding", ())), told).get("code")
    for key, coded in codes.items():
        if key and coded.code == told:
            yield said(key)


def _unmapped(codings: list[dict[str, Any]], codes: Codes) -> Iterator[list[dict[str, Any]]]:
    """The codings without the one that a table made."""
    for index, each in enumerate(codings):
        keys = [key for key, coded in codes.items() if key and (coded.system, coded.code) == (each.get("system", ""), each.get("code"))]
        rest = codings[:index] + codings[index + 1 :]
        if any(other.get("code") in keys for other in rest):
            yield rest
        for key in keys[:1]:
            yield [{"code": key}, *rest]
            yield [{**({"display": each["display"]} if "display" in each else {}), "code": key}, *rest]


def _parts(codings: list[dict[str, Any]], text: str, w: Writing) -> list[str]:
    parts = [""] * 9
    for index, each in enumerate(codings[:TRIPLETS]):
        parts[index * 3 : index * 3 + 3] = [each.get("code", ""), each.get("display", ""), w.system(each["system"]) if "system" in each else ""]
        parts[6 + index] = each.get("version", "")
    parts[8] = text
    return parts

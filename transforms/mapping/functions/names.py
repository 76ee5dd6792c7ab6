"""People's names: XPN, PN, and the name in XCN and CNN (v2-to-FHIR, XPN[HumanName], FN[HumanName], XCN[Practitioner])."""

from __future__ import annotations

from typing import Any

from transforms.mapping.functions.codes import original_code
from transforms.mapping.functions.composites import NULL, components, left, left_beyond, left_within, reading, subcomponents
from transforms.mapping.functions.extensions import extension
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.times import period_of
from transforms.mapping.reading import Reading
from transforms.terminology.concepts import concept_map

_USES = concept_map("name_use")
_REPRESENTATIONS = concept_map("name_representation")
_FAMILY = ("humanname-own-prefix", "humanname-own-name", "humanname-partner-prefix", "humanname-partner-name")
"""FN.2 to FN.5."""


@function("human_name", gives="HumanName", memo=True)
def human_name(text: str, r: Reading, use: str = "") -> dict[str, Any] | None:
    """XPN as HumanName; `use` where XPN.7 says none.  A kind without a name (a pseudonym not told) is kept, too."""
    left(components(text, r, 15), r, 15)
    return _human_name(text, r, use)


def _human_name(text: str, r: Reading, use: str) -> dict[str, Any] | None:
    parts = components(text, r, 15)
    name = _name(parts[0], parts[1:3], parts[4], (parts[3], parts[5], parts[13]), r)
    _say_use(name, reading(parts[6], r), use if name else "")
    _say_form(name, reading(parts[7], r), reading(parts[10], r))
    if period := period_of(parts[9].replace(r.subcomponent, r.component), parts[11], parts[12], r, (10, 13)):
        name["period"] = period
    left(parts, r, 9)
    left_beyond(parts, r, 15)
    return name or None


@function("human_names", gives="HumanName", list=True, memo=True)
def human_names(text: str, r: Reading, use: str = "") -> list[dict[str, Any]] | None:
    """XPN as HumanName, and what the person is called by (XPN.15) as a nickname beside it."""
    name = _human_name(text, r, use)
    parts = text.split(r.component)
    called = reading(parts[14], r) if len(parts) > 14 and parts[14] != NULL else ""
    made = [name] if name else []
    return [*made, {"use": "nickname", "given": [called]}] if called else made or None


def name_in_number(parts: list[str], r: Reading) -> dict[str, Any]:
    """The name inside XCN, whose components are those of XPN, one place later and in part elsewhere."""
    name = _name(parts[1], parts[2:4], parts[5], (parts[4], parts[20]), r)
    if name:
        _say_use(name, reading(parts[9], r), "")
        _say_form(name, reading(parts[14], r), reading(parts[17], r))
        if period := period_of(parts[16].replace(r.subcomponent, r.component), parts[18], parts[19], r, (17, 20)):
            name["period"] = period
    return name


@function("name_text", gives="string", memo=True)
def name_text(text: str, r: Reading) -> str | None:
    """XPN as one line: prefix, given names, family name, suffix (assembly order F: family name first)."""
    parts = components(text, r, 15)
    surnames, given = subcomponents(parts[0], r, 1), [reading(part, r) for part in parts[1:3]]
    order = reading(parts[10], r)
    ordered = [surnames[0], *given] if order == "F" else [*given, surnames[0]]
    said = " ".join(part for part in (reading(parts[4], r), *ordered, reading(parts[3], r)) if part)
    if said:
        left_within(surnames, r, 1, *range(2, len(surnames) + 1))
        left(parts, r, *range(6, 11), 0 if order in ("F", "G") else 11, *range(12, len(parts) + 1))
    return said or None


def _name(family: str, given: list[str], prefix: str, suffixes: tuple[str, ...], r: Reading) -> dict[str, Any]:
    """A HumanName of raw parts, empty ones left out."""
    name: dict[str, Any] = {}
    if family:
        _add_family(name, family, r)
    if kept := [said for part in given if part and (said := reading(part, r))]:
        name["given"] = kept
    if prefix and (said := reading(prefix, r)):
        name["prefix"] = [said]
    if kept := [said for part in suffixes if part and (said := reading(part, r))]:
        name["suffix"] = kept
    return name


def _add_family(name: dict[str, Any], raw: str, r: Reading) -> None:
    if r.subcomponent not in raw:
        if said := reading(raw, r):
            name["family"] = said
        return
    parts = subcomponents(raw, r, 5)
    # without FN.1 the own and the partner's surname are the name
    if said := parts[0] or " ".join(part for part in parts[1:5] if part):
        name["family"] = said
    kept = [extension(url, "String", part) for url, part in zip(_FAMILY, parts[1:5], strict=True) if part]
    if kept:
        name["_family"] = {"extension": kept}


def _say_use(name: dict[str, Any], code: str, default: str) -> None:
    if target := _USES.get(code, "" if code else default):
        name["use"] = target
    if code and (not target or code not in ("L", "D", "M", "N", "R")):
        name["_use"] = original_code("0200", code)


def _say_form(name: dict[str, Any], representation: str, order: str) -> None:
    kept = []
    if form := _REPRESENTATIONS.get(representation):
        kept.append(extension("iso21090-EN-representation", "Code", form))
    if order in ("F", "G"):
        kept.append(extension("humanname-assembly-order", "Code", order))
    if kept:
        name["extension"] = kept

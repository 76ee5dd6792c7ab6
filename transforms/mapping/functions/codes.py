"""Coded fields: CE, CWE, CNE, CF, ID and IS as CodeableConcept or Coding (v2-to-FHIR, CWE[CodeableConcept], CE[CodeableConcept]).

All three triplets are kept, the sender's text stays the display.  A code system gets a URI where its name or OID is known
(table 0396), or where the site's table knows the sender's own name; else none, and the ledger is told of the name.  A LOINC
code whose check digit is wrong loses the system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from transforms.mapping.functions.composites import components, left, left_beyond, reading
from transforms.mapping.functions.extensions import ALTERNATE_CODES
from transforms.mapping.functions.registry import Beside, function
from transforms.mapping.reading import Reading
from transforms.terminology.code_systems import LOINC, table_uri, uri_of, uri_of_oid
from transforms.terminology.concepts import is_of_table
from transforms.terminology.loinc import check_digit_holds

_CODE = re.compile(r"\S+( \S+)*")
_TRIPLETS = ((0, 1, 2, 6, 13), (3, 4, 5, 7, 16), (9, 10, 11, 12, 19))
"""Code, text, system, version, OID of the system: where CWE has them, three times."""

Codes = Mapping[str | None, Any]


@function("codeable_concept", gives="CodeableConcept", memo=True)
def codeable_concept(text: str, r: Reading, codes: Codes | None = None, table: str = "") -> dict[str, Any] | None:
    """CWE as CodeableConcept.

    `codes` adds what a table makes of the first code; `table` (four digits) is the system of a code without one, if it has the code.
    """
    parts = components(text, r, 22)
    said = _said(parts, r)
    codings = _codings(parts, r, table, said, bool(codes or table))
    if codes and (mapped := _mapped(codes, parts, r)):
        codings = [mapped, *(each for each in codings if _says_more(each, mapped))]
    elif codes and not (said or parts[2]) and len(codings) == 1 and set(codings[0]) == {"code"}:
        return {"text": codings[0]["code"]}  # a bare code its own table does not know
    concept: dict[str, Any] = {"coding": codings} if codings else {}
    if said:
        concept["text"] = said
    left(parts, r, 15, 16, 18, 19, 21, 22)
    left_beyond(parts, r, 22)
    return concept or None


@function("coding", gives="Coding", memo=True)
def coding(text: str, r: Reading, codes: Codes | None = None, table: str = "") -> dict[str, Any] | None:
    """The first triplet of CWE as Coding; the ledger is told of the others."""
    parts = components(text, r, 22)
    if codes and (mapped := _mapped(codes, parts, r)):
        left(parts, r, *range(4, 23))
        return mapped
    codings = _codings(parts, r, table, "", bool(codes or table))
    if len(codings) > 1 or any(parts[7:]):
        left(parts, r, *range(4, 23))
    return codings[0] if codings else None


@function("security_labels", gives="Coding", list=True, memo=True)
def security_labels(text: str, r: Reading, codes: Codes, table: str) -> list[dict[str, Any]] | None:
    """How confidential something is, as Codings: what the table makes of it, which receivers go by, and the sender's own where that differs."""
    own, mapped = coding(text, r, None, table), _mapped(codes, components(text, r, 22), r)
    made = [each for each in (mapped, own) if each]
    return made[:1] if len(made) > 1 and not _says_more(made[1], made[0]) else made or None


@function("code_of_table", gives="code", memo=True, beside=True)
def code_of_table(text: str, r: Reading, codes: Codes, table: str, whole: str = "") -> str | Beside | None:
    """A bare code as FHIR's; beside it the sender's own (extension alternate-codes) unless it is one of `whole`, which say no more."""
    said = reading(components(text, r, 1)[0], r)
    entry = codes.get(said) or codes.get(None)
    if entry is None or not said:
        return None
    return entry.code if said in whole.split() else Beside(entry.code, original_code(table, said))


def original_code(table: str, code: str) -> dict[str, Any]:
    """What stands beside a FHIR code that says less than the sender's, or in its place: the code of the HL7 table."""
    return {"extension": [{"url": ALTERNATE_CODES, "valueCodeableConcept": concept_of_table(code, table)}]}


def concept_of_table(code: str, table: str) -> dict[str, Any]:
    """A bare code as CodeableConcept: of an HL7 v2 table if that has it, else as text."""
    return {"coding": [{"system": table_uri(table), "code": code}]} if is_of_table(code, table) else {"text": code}


def system_of(name: str, oid: str, r: Reading) -> str:
    """The URI of a code system by OID or name (unescaped); '' where nothing is certain.  Local names only by the site's table."""
    return (oid and uri_of_oid(oid)) or (name and (uri_of(name) or r.declared(name))) or ""


def _codings(parts: list[str], r: Reading, table: str, said: str, bound: bool) -> list[dict[str, Any]]:
    """A Coding for each triplet; a text without a code is one, too, unless the concept's text says it.  `bound`: to a table of HL7's."""
    codings = []
    for places in _TRIPLETS:
        code, display = parts[places[0]], parts[places[1]]
        if code and (item := _coding(parts, r, places, table if places[0] == 0 else "", bound)):
            codings.append(item)
        elif display and reading(display, r) not in ("", said):
            codings.append({"display": reading(display, r)})
    return codings


def _coding(parts: list[str], r: Reading, places: tuple[int, int, int, int, int], table: str, bound: bool) -> dict[str, Any] | None:
    """None where the code is nothing but blanks."""
    code, display, name, version, oid = (reading(parts[place], r) for place in places)
    if not code:
        return None
    if not _CODE.fullmatch(code):
        code = " ".join(code.split())
    item: dict[str, Any] = {}
    system = _system(code, name, oid, r, places[2] + 1)
    if table and not (name or oid) and is_of_table(code, table):
        system = table_uri(table)
    elif not (system or name or oid or bound) and r.options.unknown_codes == "flag":
        r.note("no_code_system", "nobody says which code system the code is from: it stays without one")
    if system:
        item["system"] = system
    if version:
        item["version"] = version
    item["code"] = code
    if display:
        item["display"] = display
    return item


def _system(code: str, name: str, oid: str, r: Reading, place: int) -> str:
    system = system_of(name, oid, r)
    if system == LOINC and not check_digit_holds(code):
        r.note("loinc_check_digit", "sent as a LOINC code, and its check digit is wrong: the system is left out")
        r.left(place)
        return ""
    if not system and (name or oid):
        r.left(place)
        if r.options.unknown_codes == "flag":
            r.note("unknown_code_system", "the code system has no known URI: the code stays without a system")
    return system


def _mapped(codes: Codes, parts: list[str], r: Reading) -> dict[str, Any] | None:
    """What the table makes of the first code, unless the sender says it is of a system that is not an HL7 table."""
    name = reading(parts[2], r)
    if name and not uri_of(name).startswith("http://terminology.hl7.org/CodeSystem/v2-"):
        return None
    entry = codes.get(reading(parts[0], r))
    if entry is None or not entry.system:
        return None
    return {"system": entry.system, "code": entry.code, **({"display": entry.display} if entry.display else {})}


def _says_more(coding: dict[str, Any], mapped: dict[str, Any]) -> bool:
    """Whether the sender's coding says what the mapped one does not: a text or a system of its own."""
    return any(mapped.get(name) != value for name, value in coding.items())


def _said(parts: list[str], r: Reading) -> str:
    """CWE.9; without it the text of the first triplet that has no code."""
    if parts[8]:
        return reading(parts[8], r)
    for code, text, *_ in _TRIPLETS:
        if parts[text] and not parts[code]:
            return reading(parts[text], r)
    return ""

"""The tables of HL7's v2-to-FHIR guide, as rows to compare maps with: which field goes to which element, which code is which.

The guide stays where it is: a folder of CSV files that somebody names.  Nothing of it is kept here.  A row without a target is
one HL7 has not mapped and is not read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from transforms.mapping.leaves import SELF, Steps

KINDS = ("segments", "datatypes", "tables", "messages")
_NAME = re.compile(r"[A-Z][A-Z0-9_]+(\[[^\]]+\])?|[A-Z][A-Za-z0-9]+(\[[^\]]+\])?")
_INDEX = re.compile(r"\[[^\]]*\]?")
_RESOURCE = re.compile(r"(?:\[\d\]\.)?(?:practitioner|authorReference|location)\((?:Practi(?:ti)?oner|Location)\.(.+)\)")
"""What a person or place named in a field says, where a row calls the reference to them, too."""
_CONSTANT = re.compile(r'"([^"+]*)"')
_NUMBERED = re.compile(r"(?P<name>[A-Za-z]+)(?:\[(?P<index>\d+)[^\]]*\]?|\[[a-z\-\d]*\])?")
_TYPING_ERRORS = {
    "uri": "url", "sytem": "system", "valueSampedData": "valueSampledData", "orginal-sub-identiier": "original-sub-identifier",
}  # fmt: skip
"""Misspellings in the guide that no element of R4 has, as what they mean (`uri` only inside an extension)."""


@dataclass(frozen=True)
class Row:
    """One row: `id` is a field (`OBX-5`), component (`CWE.1`), code or path; `target` an element, a code, or a segment map."""

    kind: str
    map: str
    id: str
    target: str  # as patterns see it: without indices, up to the first `(`
    written: str = ""  # as the guide has it
    condition: str = ""
    elements: Steps = ()  # the steps of `target`, with positions
    inside: bool = False  # what the row is about stands in a resource that the element refers to
    constant: str = ""  # the value the guide assigns
    system: str = ""  # of a code

    @property
    def name(self) -> str:
        """What the row is called in lists."""
        return f"{self.map} {self.id} {self.written or self.target}" + (f"  [{self.condition}]" if self.condition else "")


@dataclass(frozen=True)
class Guide:
    """The rows of one edition of the guide, by kind and map."""

    rows: Mapping[str, Mapping[str, tuple[Row, ...]]]

    @staticmethod
    def read(folder: Path) -> Guide:
        """The tables in a folder.  Raises OSError where one is not there."""
        return Guide(
            {
                "segments": _gathered(_elements("segments", _table(folder, "segments"))),
                "datatypes": _gathered(_elements("datatypes", _table(folder, "datatypes"))),
                "tables": _gathered(_codes(_table(folder, "vocabulary"))),
                "messages": _gathered(_messages(_table(folder, "messages"))),
            }
        )

    @cached_property
    def count(self) -> int:
        """How many rows there are."""
        return sum(len(rows) for maps in self.rows.values() for rows in maps.values())


def followed(text: str) -> tuple[str, ...]:
    """The maps of the guide that a map's `follows` names: `v2-to-FHIR, PRT[Device], PRT[PractitionerRole]`."""
    guide, _, names = text.partition(",")
    if not guide.strip().lower().startswith("v2-to-fhir"):
        return ()
    return tuple(match[0] for each in re.split(r"[;(]", names)[0].split(",") if (match := _NAME.match(each.strip())))


def _table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return [{key: (value or "").strip() for key, value in row.items() if key} for row in csv.DictReader(file)]


def _gathered(rows: Iterator[Row]) -> dict[str, tuple[Row, ...]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.map, []).append(row)
    return {name: tuple(each) for name, each in found.items()}


def _elements(kind: str, rows: list[dict[str, str]]) -> Iterator[Row]:
    urls = _urls(rows)
    for row in rows:
        written = row["fhir_attribute"]
        if written:
            named = _RESOURCE.fullmatch(written) if kind == "datatypes" else None
            outer, paren, _ = (named[1] if named else written).partition("(")
            path, constant = steps_of(outer), _constant(row["assignment"], written)
            if len(path) > 1 and path[-1][0] == "url" and path[-2][0].startswith("extension") and constant:
                outer_steps = path[: [name.startswith("extension") for name, _ in path].index(True)] if ":" in outer else path[:-2]
                path = (*outer_steps, (f"extension={constant}", 0), path[-1])
            else:
                path = _with_url(path, urls.get((row["map"], row["id"], _extension_of(outer)), ""))
            condition = row["condition_antlr"] or row["condition_narrative"]
            yield Row(kind, row["map"], row["id"], plain(outer), written, condition, path, bool(paren), constant)


def _urls(rows: list[dict[str, str]]) -> dict[tuple[str, str, str], str]:
    """The url of each numbered extension that a field writes, where a row of that field says it."""
    found = {}
    for row in rows:
        last, extension = row["fhir_attribute"].rpartition(".")[2], _extension_of(row["fhir_attribute"])
        if extension and last in ("url", "uri") and (url := _constant(row["assignment"], "")):
            found[row["map"], row["id"], extension] = url
    return found


def _extension_of(written: str) -> str:
    """`extension[2].extension[1].valueCode` -> `extension[2].extension[1]`, '' where there is none."""
    before, found, after = written.rpartition("extension")
    return before + found + after.partition(".")[0] if found else ""


def _with_url(path: Steps, url: str) -> Steps:
    places = [index for index, (name, _) in enumerate(path) if name == "extension"]
    return (*path[: places[-1]], (f"extension={url}", 0), *path[places[-1] + 1 :]) if url and places else path


def steps_of(written: str) -> Steps:
    """`coding[2].code` as (("coding", 2), ("code", 0)); `$value` and the like as the value itself."""
    if written.startswith("$"):
        return SELF
    found: list[tuple[str, int]] = []
    for part in written.partition("=")[0].replace("[x]", "").split("."):
        part, _, slice_ = part.partition(":")
        match = _NUMBERED.match(part)
        if match is None:
            continue  # `[1].family`: the value itself, one of a list
        name = match["name"]
        if name != "uri" or found and found[-1][0] == "extension":
            name = _TYPING_ERRORS.get(name, name)
        found.append((name, 0 if name == "extension" else int(match["index"] or 0)))
        if slice_:
            found.append((f"extension={_TYPING_ERRORS.get(slice_, slice_)}", 0))
    return tuple(found) or SELF


def plain(written: str) -> str:
    """A target as patterns see it: no indices."""
    return ".".join(_INDEX.sub("", part) for part in written.split(".") if _INDEX.sub("", part)).strip()


def _constant(assignment: str, written: str) -> str:
    """A constant the guide assigns, in its own column or behind the element."""
    match = _CONSTANT.fullmatch(assignment) or _CONSTANT.fullmatch(written.partition("=")[2])
    return match[1] if match else ""


def _codes(rows: list[dict[str, str]]) -> Iterator[Row]:
    for row in rows:
        if row["v2_code"] and row["fhir_code"]:
            condition = row["condition_antlr"] or row["condition_narrative"]
            yield Row("tables", row["map"], row["v2_code"], row["fhir_code"], condition=condition, system=row["fhir_system"])


def _messages(rows: list[dict[str, str]]) -> Iterator[Row]:
    for row in rows:
        if row["segment_map"]:
            condition = row["condition_antlr"] or row["condition_narrative"]
            written = f"{row['fhir_target']} by {row['segment_map']}"
            yield Row("messages", row["message"], row["path"], row["segment_map"], written, condition)

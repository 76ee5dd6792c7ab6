"""How well reports are read: fields found, right and missed, against the truth beside each PDF.

A result is right when name and value are; its unit, range and flag are judged where the row was found.  A lower bound of 0
counts as none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from transforms.extraction.report import Report, Result
from transforms.extraction.vocabulary import WORDS, folded

RESULT_FIELDS = ("result", "name", "value", "unit", "range", "flag")


@dataclass
class Score:
    """Right, wrong (read but not so) and missed, of one field."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, truth: Any, read: Any) -> None:
        """Count one field; empty on both sides counts nothing."""
        if truth and truth == read:
            self.right += 1
            return
        self.wrong += bool(read)
        self.missed += bool(truth)

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass
class Evaluation:
    """The scores of all reports."""

    scores: dict[str, Score] = field(default_factory=dict)

    def add(self, truth: dict[str, Any], report: Report) -> None:
        """Compare one report with its truth."""
        ignored = {folded(each.get("name", "") if isinstance(each, dict) else str(each)) for each in truth.get("not_found_in_print", ())}
        read = [each for each in report.results if folded(each.name) not in ignored]
        for wanted, found in _paired(truth.get("results", []), read):
            self._row(wanted, found)
        self._said(truth, report)

    def _score(self, name: str) -> Score:
        return self.scores.setdefault(name, Score())

    def _row(self, wanted: dict[str, Any] | None, found: Result | None) -> None:
        left = _wanted(wanted) if wanted else dict.fromkeys(RESULT_FIELDS)
        right = _found(found) if found else dict.fromkeys(RESULT_FIELDS)
        for name in RESULT_FIELDS:
            if name != "flag" or wanted is None or "flag_text" in wanted:
                self._score(name).add(left[name], right[name])

    def _said(self, truth: dict[str, Any], report: Report) -> None:
        said = {**report.patient, **report.report}
        patient = truth.get("patient") or {}
        pairs = {"patient_name": "name", "patient_id": "id", "birth_date": "birth_date", "sex": "sex"}
        wanted = {ours: patient.get(theirs) for ours, theirs in pairs.items()}
        wanted |= {name: truth.get(name) for name in ("accession", "collected", "received", "reported")}
        wanted["ordering_provider"] = truth.get("provider")
        for name, value in wanted.items():
            if value:
                read = said[name].value if name in said else None
                self._score(name).add(_name(str(value)), _name(read or ""))


def _paired(wanted: list[dict[str, Any]], read: list[Result]) -> Iterable[tuple[dict[str, Any] | None, Result | None]]:
    """Truth and reading: those that agree in name and value first, then in place, then the rest alone."""
    left, right = list(wanted), list(read)
    for agree in (lambda one, other: _wanted(one)["result"] == _found(other)["result"], _same_place):
        for one in list(left):
            other = next((each for each in right if agree(one, each)), None)
            if other is not None:
                left.remove(one)
                right.remove(other)
                yield one, other
    yield from ((one, None) for one in left)
    yield from ((None, other) for other in right)


def _same_place(one: dict[str, Any], other: Result) -> bool:
    box = one.get("value_bbox")
    if not box or one.get("page") != other.evidence.page:
        return False
    across = min(box[2], other.value_box[2]) - max(box[0], other.value_box[0])
    return across > 0 and min(box[3], other.value_box[3]) - max(box[1], other.value_box[1]) > 0


def _wanted(row: dict[str, Any]) -> dict[str, Any]:
    value = _value(row["value"], row.get("comparator"), row["value_text"])
    bounds = (_decimal(row.get("ref_low")) or None, _decimal(row.get("ref_high")))
    return {
        "result": (_name(row["name"]), value),
        "name": _name(row["name"]),
        "value": value,
        "unit": _unit(row.get("unit_text") or ""),
        "range": bounds if any(each is not None for each in bounds) else WORDS.get(folded(row.get("ref_text") or ""), ""),
        "flag": row.get("flag_text", ""),
    }


def _found(row: Result) -> dict[str, Any]:
    bounds = (_decimal(row.low) or None, _decimal(row.high))
    value = _value(row.value, row.comparator, row.value_text)
    return {
        "result": (_name(row.name), value),
        "name": _name(row.name),
        "value": value,
        "unit": _unit(row.unit),
        "range": bounds if any(each is not None for each in bounds) else WORDS.get(folded(row.range_text), ""),
        "flag": "" if row.flag == "bold" else row.flag,
    }


def _value(value: Any, comparator: str | None, text: str) -> tuple[str, Any]:
    return (comparator or "", _decimal(value)) if value is not None else ("", WORDS.get(folded(text), text.strip().casefold()))


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value)).normalize()


def _unit(text: str) -> str:
    return text.replace(" ", "").replace("\u03bc", "u").replace("\u00b5", "u")


def _name(text: str) -> str:
    return " ".join(text.rstrip(" *°:").split()).casefold()

"""What was read: a report with fields and results, each with where it stands and how sure the reading is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Evidence:
    """Where it stands: page (from 1), box (left, top, right, bottom in points from the top left), and the line as printed."""

    page: int
    box: tuple[float, float, float, float]
    text: str


@dataclass(frozen=True)
class Field:
    """Something said about the patient or the report; `value` is normalised where that is certain, else None."""

    text: str
    value: str | None
    evidence: Evidence
    confidence: float


@dataclass(frozen=True)
class Result:
    """A row: what is printed, and the numbers it stands for.  Nothing is coded here."""

    name: str
    value_text: str
    value: Decimal | None
    comparator: str
    unit: str
    range_text: str
    low: Decimal | None
    high: Decimal | None
    flag: str
    interpretation: str
    section: str
    evidence: Evidence
    value_box: tuple[float, float, float, float]
    confidence: float


@dataclass(frozen=True)
class Report:
    """One PDF."""

    pages: int
    language: str
    patient: dict[str, Field] = field(default_factory=dict)
    report: dict[str, Field] = field(default_factory=dict)
    results: tuple[Result, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON has it: numbers as numbers, nothing that is empty."""
        return _plain(asdict(self))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if each is not None and each != ""}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent >= 0 else float(value)
    return value

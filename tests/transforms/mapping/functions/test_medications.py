"""Doses, strengths, rates, and where medicines are given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

MG = {"unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        ("1", "", ("Quantity", {"value": Decimal(1), **MG})),
        ("1", "1", ("Quantity", {"value": Decimal(1), **MG})),
        ("1", "2", ("Range", {"low": {"value": Decimal(1), **MG}, "high": {"value": Decimal(2), **MG}})),
        ("2", "1", ("Quantity", {"value": Decimal(2), **MG})),
        ("one", "2", None),
    ],
)
def test_a_dose(field: Any, low: str, high: str, said: Any) -> None:
    """A range only where two amounts differ and stand in order."""
    assert field("dose", low, maximum=high, unit="mg^^UCUM") == said
    assert field.left == (["maximum"] if (low, high) == ("2", "1") else [])


def test_a_strength_is_what_one_unit_holds(field: Any) -> None:
    """Or a volume of it."""
    assert field("strength", "250", unit="mg^^UCUM") == {"numerator": {"value": Decimal(250), **MG}, "denominator": {"value": Decimal(1)}}
    assert field("strength", "250", volume="5")["denominator"] == {"value": Decimal(5)}
    assert field("strength", "strong") is None


def test_a_rate_by_a_unit_of_time(field: Any) -> None:
    """`H2`: in two hours."""
    kind, ratio = field("rate_per", "H2", amount="100")
    assert (kind, ratio["denominator"]["value"], ratio["denominator"]["code"]) == ("Ratio", Decimal(2), "h")
    assert field("rate_per", "fast", amount="100") is None


def test_an_administration_that_ends_as_it_begins_is_a_moment(field: Any) -> None:
    """Another end makes it a period."""
    assert field("administration_time", "20240301", end="20240301") == ("dateTime", "2024-03-01")
    assert field("administration_time", "20240301", end="20240302") == ("Period", {"start": "2024-03-01", "end": "2024-03-02"})


@pytest.mark.parametrize(("sent", "said"), [("3", 3), ("0", 0), ("-1", None), ("many", None)])
def test_refills_are_counted_from_nought(field: Any, sent: str, said: int | None) -> None:
    """What is no such number is left over."""
    assert field("refills", sent) == said


def test_a_place_with_its_address(field: Any) -> None:
    """LA2 says both in one field."""
    made = field("place_with_address", "^^^Clinic A^^^^^1 Main St^^Town")
    assert (made["name"], made["address"]["city"]) == ("Clinic A", "Town")
    assert field("place_with_address", "Ward 1") == {"resourceType": "Location", "_display": "Ward 1"}

"""Numbers and units: digits kept, comparators understood, what is no number kept as text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import decimals, text

from transforms.mapping.functions.numbers import compared, decimal

UCUM = {"unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("7.0", "7.0"), ("98.50", "98.50"), (".5", "0.5"), ("+5", "5"), ("007", "7"), ("5.", "5"), ("-0.10", "-0.10"),
        ("0", "0"), ("00.0", "0.0"), ("0.", "0"),
    ],  # fmt: skip
)
def test_numbers_keep_their_digits(sent: str, written: str) -> None:
    """Only what JSON forbids is spelled anew."""
    assert str(decimal(sent)) == written


@pytest.mark.parametrize("sent", ["", ".", "-", "1,5", "1e5", "5 5", "NEG", "--1", "1.2.3", "\u0665"])
def test_what_is_no_number_is_none(sent: str) -> None:
    """Exponents, commas and other scripts' digits included: nobody says what they mean."""
    assert decimal(sent) is None


@given(decimals(allow_nan=False, allow_infinity=False, places=3))
def test_every_plain_decimal_comes_back(number: Decimal) -> None:
    """Same value, same digits after the point."""
    assert decimal(f"{number:f}") == number


@given(text())
def test_any_text_is_judged_without_failing(sent: str) -> None:
    """Whatever stands in OBX-5."""
    found = compared(sent)
    assert found is None or isinstance(found[1], Decimal)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("95", {"value": Decimal("95"), **UCUM}),
        ("<5", {"value": Decimal("5"), "comparator": "<", **UCUM}),
        (">= 100", {"value": Decimal("100"), "comparator": ">=", **UCUM}),
        ("\u2264 2", {"value": Decimal("2"), "comparator": "<=", **UCUM}),
    ],
)
def test_a_number_is_a_quantity(field: Any, sent: str, expected: dict[str, Any]) -> None:
    """With the comparator that senders write into NM."""
    assert field("quantity", sent, unit="mg/dL") == ("Quantity", expected)


def test_text_in_a_number_is_kept_and_flagged(field: Any) -> None:
    """The unit then belongs to nothing, and the ledger has it."""
    assert field("quantity", "see note", unit="mg/dL") == ("string", "see note")
    assert (field.noted, field.left) == (["not_a_number"], ["unit"])
    assert field("text_quantity", "see note", unit="mg/dL") is None


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("mg/dL", UCUM),
        ("mg/dL^milligram per decilitre^UCUM", {**UCUM, "unit": "milligram per decilitre"}),
        ("MG/DL^^ISO+", {**UCUM, "unit": "MG/DL"}),
        ("MG/DL", {"unit": "MG/DL"}),
        ("K/uL", {"unit": "K/uL"}),
        ("mg/L^^99ROC", {"unit": "mg/L"}),
        ("CD:289^mg/dL", UCUM),
        ("266016^MDC_DIM_MMHG^MDC", {"unit": "MDC_DIM_MMHG", "system": "urn:iso:std:iso:11073:10101", "code": "266016"}),
        ("10\\S\\9/L", {"unit": "10^9/L", "system": "http://unitsofmeasure.org", "code": "10^9/L"}),
    ],
)
def test_a_unit_is_the_senders_text_and_coded_where_certain(field: Any, unit: str, expected: dict[str, str]) -> None:
    """Nothing is invented."""
    assert field("quantity", "1", unit=unit) == ("Quantity", {"value": Decimal(1), **expected})


@pytest.mark.parametrize(
    ("sent", "kind", "expected"),
    [
        ("^7.0", "Quantity", {"value": Decimal("7.0"), **UCUM}),
        (">^90", "Quantity", {"value": Decimal("90"), "comparator": ">", **UCUM}),
        ("=^3", "Quantity", {"value": Decimal("3"), **UCUM}),
        ("^100^-^200", "Range", {"low": {"value": Decimal("100"), **UCUM}, "high": {"value": Decimal("200"), **UCUM}}),
        ("^1^:^128", "Ratio", {"numerator": {"value": Decimal("1"), **UCUM}, "denominator": {"value": Decimal("128"), **UCUM}}),
        (
            "<^1^/^8",
            "Ratio",
            {"numerator": {"value": Decimal("1"), "comparator": "<", **UCUM}, "denominator": {"value": Decimal("8"), **UCUM}},
        ),
        ("<>^5", "string", "<> 5 mg/dL"),
        ("^2^+", "string", "2 + mg/dL"),
        (">^100^-^200", "string", "> 100 - 200 mg/dL"),
        ("^200^-^100", "string", "200 - 100 mg/dL"),
        ("^abc", "string", "abc mg/dL"),
        ("7", "Quantity", {"value": Decimal("7"), **UCUM}),
    ],
)
def test_structured_numerics(field: Any, sent: str, kind: str, expected: Any) -> None:
    """Every form of SN; a limit has no comparator in FHIR, so such a range is text."""
    assert field("structured_numeric", sent, unit="mg/dL") == (kind, expected)


def test_rarer_measures(field: Any) -> None:
    """NR, NA, MO and CQ."""
    assert field("numeric_range", "1^5", unit="g")[0] == "Range"
    assert field("numeric_range", "^5")[1] == {"high": {"value": Decimal(5)}}
    assert field("numeric_range", "a^5") == ("string", "a^5")
    assert field("numeric_array", "1^2^3") == ("string", "1 2 3")
    assert field("numeric_array", "4")[0] == "Quantity"
    euros = {"value": Decimal("12.50"), "unit": "EUR", "system": "urn:iso:std:iso:4217", "code": "EUR"}
    assert field("money", "12.50^EUR") == ("Quantity", euros)
    assert field("composite_quantity", "10^mL&millilitre&UCUM") == {
        "value": Decimal(10), "unit": "millilitre", "system": "http://unitsofmeasure.org", "code": "mL",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "low", "high"),
    [
        ("3.5-5.0", "3.5", "5.0"),
        ("3.5 - 5.0 mg/dL", "3.5", "5.0"),
        ("(0 - 4 %)", "0", "4"),
        ("0-4%", "0", "4"),
        ("29 to 72", "29", "72"),
        ("<5", None, "5"),
        (">=60", "60", None),
        ("-5 - -2", "-5", "-2"),
        ("35-150^35^150", "35", "150"),
        ("^^10.0", None, "10.0"),
        ("4.0-11.0 10*9/L", "4.0", "11.0"),
        ("NEG", None, None),
        ("5-3", None, None),
        ("3,5-5,0", None, None),
        ("Recommended: <200; High: >240", None, None),
    ],
)
def test_reference_ranges(field: Any, sent: str, low: str | None, high: str | None) -> None:
    """Limits where they are certain, without comparator; the text always."""
    made = field("reference_range", sent, unit="mmol/L")
    assert made["text"] == sent
    limits = {name: str(made[name]["value"]) for name in ("low", "high") if name in made}
    assert limits == {name: limit for name, limit in (("low", low), ("high", high)) if limit}
    assert all("comparator" not in made[name] for name in limits)


def test_a_range_takes_the_unit_written_beside_it(field: Any) -> None:
    """Else OBX-6's."""
    assert field("reference_range", "1-2 mg/dL", unit="mmol/L")["low"]["code"] == "mg/dL"
    assert field("reference_range", "1-2", unit="mmol/L")["low"]["code"] == "mmol/L"
    assert field("reference_range", "1-2")["low"] == {"value": Decimal(1)}

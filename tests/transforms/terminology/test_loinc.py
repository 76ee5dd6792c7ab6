"""LOINC's check digit tells a mistyped or borrowed code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from transforms.terminology.loinc import check_digit, check_digit_holds


@pytest.mark.parametrize("code", ["2345-7", "718-7", "4548-4", "94500-6", "10-9", "LP14542-4", "LA6576-8"])
def test_real_codes_hold(code: str) -> None:
    """Glucose, haemoglobin, HbA1c, a SARS-CoV-2 test; a part, an answer."""
    assert check_digit_holds(code)


@pytest.mark.parametrize("code", ["2345-8", "GLU", "2345", "", "2345-77", "-1"])
def test_others_do_not(code: str) -> None:
    """A wrong digit, a local code sent as LN."""
    assert not check_digit_holds(code)


@given(integers(min_value=1, max_value=9_999_999))
def test_exactly_one_digit_fits(number: int) -> None:
    """Of ten candidates nine are wrong."""
    assert [digit for digit in range(10) if check_digit_holds(f"{number}-{digit}")] == [check_digit(str(number))]

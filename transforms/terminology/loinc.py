"""LOINC codes: whether one can be a LOINC code at all.  Knows the check digit, no content of LOINC.

Codes of parts, answers, answer lists and groups (`LP…`, `LA…`, `LL…`, `LG…`) are judged by their form alone.
"""

from __future__ import annotations

import re

_LOINC = re.compile(r"([0-9]{1,7})-([0-9])")
_PART = re.compile(r"L[PALG][0-9]{1,7}-[0-9]")


def check_digit_holds(code: str) -> bool:
    """Whether `code` has a LOINC code's form and its last digit is the check digit of the others (modulus 10)."""
    form = _LOINC.fullmatch(code)
    return check_digit(form[1]) == int(form[2]) if form else _PART.fullmatch(code) is not None


def check_digit(digits: str) -> int:
    """The check digit of a number: every other digit from the right doubled, cross sums added, up to the next ten."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * 2 if place % 2 == 0 else int(digit)
        total += doubled // 10 + doubled % 10
    return -total % 10

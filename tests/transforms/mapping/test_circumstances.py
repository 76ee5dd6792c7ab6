"""The conditions the guide writes beside its rows, read as far as they can be."""

from __future__ import annotations

import pytest

from transforms.mapping.circumstances import read

FIELDS = {"OBX-2": "SN", "OBX-5.1": ">", "OBX-5.3": ":", "OBX-33": "A~B", "PID-7": "198001010830", "TQ1-7": "20240301", "ORC-1": "NW"}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('IF OBX-2 EQUALS "SN"', True),
        ('IF OBX-2="TX"', False),
        ('IF OBX-11 IS "X"', False),
        ('IF OBX-2 IN ("DTM", "DT")', False),
        ('IF OBX-2 EQUALS "SN" AND OBX-5.1  NOT EQUALS "<>" AND OBX-5.3 IN (":", "/")', True),
        ('IF OBX-2 EQUALS "SN" AND OBX-5.1  NOT EQUALS "<>" AND OBX-5.3 NOT IN (":", "/", "-", "+")', False),
        ("IF OBX-33 COUNT>1", True),
        ("IF OBX-33 COUNT=1", False),
        ("IF PID-7 LENGTH GREATER THAN 8", True),
        ("IF TQ1-7 VALUED AND TQ1-8 NOT VALUED", True),
        ("IF TQ1-7 AND TQ1-8 NOT VALUED", False),
        ("IF PRT-5 OR PRT-6 IS VALUED", False),
        ("IF ORC-1 IS VALUED AND (IF ORC-2 IS NOT VALUED AND ORC-3 IS NOT VALUED)", True),
        ("IF TQ1-3.9 IS EMPTY", True),
    ],
)
def test_a_condition_holds_of_an_example_or_does_not(condition: str, holds: bool) -> None:
    """As the guide spells it, with and without `IS`, quotes of both kinds, and what is said of two fields at once."""
    test = read(condition)
    assert test is not None
    assert test(lambda place: FIELDS.get(place, "")) is holds


@pytest.mark.parametrize(
    "condition",
    ["", "Depending on ROL-3", 'IF (OBX-2 EQUALS "SN"', "IF NOT VALUED", 'IF CWE.3 IS "HL70276"', "IF PID-11 LST.COUNT EQUALS 1", "§"],
)
def test_what_cannot_be_read_decides_nothing(condition: str) -> None:
    """Words, slips of the pen, components without a field."""
    assert read(condition) is None

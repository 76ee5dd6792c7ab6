"""Numbers as HL7 sends them and FHIR writes them: NM, comparators, what a number may look like.

A FHIR decimal keeps the sender's digits (`7.0` stays `7.0`); only the spelling JSON forbids is changed: `.5`, `+5`, `007`, `5.`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from transforms.mapping.functions.registry import predicate
from transforms.mapping.reading import Reading

_NUMBER = re.compile(r"([+-]?)0*([0-9]*)\.?([0-9]*)")
_COMPARED = re.compile(r"(<=|>=|=<|=>|<|>|\u2264|\u2265)\s*(\S+)")
_COMPARATORS = {"<": "<", ">": ">", "<=": "<=", ">=": ">=", "=<": "<=", "=>": ">=", "\u2264": "<=", "\u2265": ">="}


def decimal(text: str) -> Decimal | None:
    """A number as a FHIR decimal; None for what is no plain number (`1e5` and `1,5` are not: nobody says what they mean)."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, whole, fraction = match.groups()
    if not (fraction or whole or "0" in text):
        return None
    return Decimal(f"{'-' if sign == '-' else ''}{whole or '0'}{'.' if fraction else ''}{fraction}")


def comparator(text: str) -> str | None:
    """A comparator as FHIR writes it, '' for `=` or none, None for what is no comparator Quantity knows."""
    return "" if text in ("", "=") else _COMPARATORS.get(text)


def compared(text: str) -> tuple[str, Decimal] | None:
    """A number with or without comparator, as (comparator, number); None for anything else."""
    number = decimal(text)
    if number is not None:
        return "", number
    match = _COMPARED.fullmatch(text)
    number = decimal(match[2]) if match else None
    return None if match is None or number is None else (_COMPARATORS[match[1]], number)


@predicate("numeric")
def numeric(text: str, r: Reading) -> bool:
    """Whether a text is strictly a number or a comparator and a number."""
    return compared(text.strip()) is not None

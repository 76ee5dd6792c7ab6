"""What pydantic found wrong, said to a person who writes YAML."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic_core.core_schema import ErrorType

from transforms.declaration.suggestions import did_you_mean, enumerated

Details = Mapping[str, Any]

_TYPES: Mapping[str, str] = {
    "string": "should be text",
    "int": "should be a whole number",
    "float": "should be a number",
    "decimal": "should be a number",
    "bool": "should be true or false",
    "tuple": "should be a list",
    "list": "should be a list",
    "set": "should be a list",
    "frozen_set": "should be a list",
    "iterable": "should be a list",
    "dict": "should be a mapping of keys to values",
    "mapping": "should be a mapping of keys to values",
    "dataclass": "should be a mapping of options",
    "model": "should be a mapping of options",
    "none": "cannot be given here",
}

_LIMITS: Mapping[str, Callable[[Details], str]] = {
    "greater_than": lambda details: f"should be more than {details['gt']}",
    "greater_than_equal": lambda details: f"should be {details['ge']} or more",
    "less_than": lambda details: f"should be less than {details['lt']}",
    "less_than_equal": lambda details: f"should be {details['le']} or less",
    "multiple_of": lambda details: f"should be a multiple of {details['multiple_of']}",
    "too_short": lambda details: f"should hold at least {details['min_length']}, not {details['actual_length']}",
    "too_long": lambda details: f"should hold at most {details['max_length']}, not {details['actual_length']}",
    "string_too_short": lambda details: f"should have {details['min_length']} or more characters",
    "string_too_long": lambda details: f"is longer than {details['max_length']} characters",
    "string_pattern_mismatch": lambda details: f"does not have the form {details['pattern']}",
}


_PYDANTICS = frozenset(get_args(ErrorType))  # any other code is one of our own types


def sentence(error: Mapping[str, Any]) -> tuple[str, str]:
    """One of pydantic's `errors()` as (code, predicate); the predicate completes "`option` …"."""
    kind, details = error["type"], error.get("ctx", {})
    if kind == "missing" or kind == "missing_argument":
        return "missing", "is missing"
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return "unknown_key", "is not known here"
    if kind in ("literal_error", "enum"):
        return "not_one_of", _not_one_of(error["input"], details["expected"])
    if kind in _LIMITS:
        return "out_of_range", _LIMITS[kind](details)
    if kind == "value_error":
        return "invalid", str(details["error"])
    family = re.sub(r"_(type|parsing|parsing_size|from_float|exact_type|sub|unicode)$", "", kind)
    if family in _TYPES:
        return "wrong_type", _TYPES[family]
    return ("invalid" if kind in _PYDANTICS else kind), error["msg"][:1].lower() + error["msg"][1:]


def _not_one_of(given: Any, expected: str) -> str:
    """pydantic lists what it expects as `'a', 'b' or 'c'`."""
    known = re.findall(r"'([^']*)'", expected)
    return f"should be {enumerated(known)}{did_you_mean(given, known) if isinstance(given, str) else ''}"

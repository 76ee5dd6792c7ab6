"""Options that take one text or several."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema


def listed(value: Any) -> Any:
    """One text as a list of one."""
    return [value] if isinstance(value, str) else value


_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}]}

OneOrMore = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(listed), WithJsonSchema(_SCHEMA)]
"""A list of texts; one text alone is a list of one."""

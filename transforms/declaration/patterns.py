"""Regular expressions as options: checked where they are declared."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise PydanticCustomError("pattern", "is no regular expression: {why}", {"why": str(error)}) from None
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles), WithJsonSchema({"type": "string", "format": "regex"})]
"""A regular expression, in Python's dialect."""

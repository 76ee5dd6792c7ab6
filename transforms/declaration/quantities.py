"""Durations and sizes as options: written `30s`, `5m`, `16MiB`, held as seconds and bytes."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_DURATION = r"[0-9]+(\.[0-9]+)?(ms|s|m|h|d)"
_SIZE = r"[0-9]+(B|KiB|MiB|GiB|kB|MB|GB)"


def seconds(value: Any) -> Any:
    """`1.5s` as seconds.  Numbers made in Python pass; a bare number in YAML does not, for nobody can see its unit."""
    if isinstance(value, float):
        return value
    match = re.fullmatch(_DURATION, value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("duration", "should be a duration such as 30s, 5m or 24h")
    return float(value[: match.start(2)]) * _SECONDS[match[2]]


def octets(value: Any) -> Any:
    """`16MiB` as bytes; a bare integer is bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(_SIZE, value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("size", "should be a size such as 64KiB or 16MiB")
    return int(value[: match.start(1)]) * _BYTES[match[1]]


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": f"^({_DURATION}|.*\\$\\{{.*)$", "examples": ["30s", "5m"]}),
]
"""An option in seconds, written `30s`, `5m`, `24h`, `500ms`."""

Size = Annotated[
    int,
    BeforeValidator(octets),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^({_SIZE}|.*\\$\\{{.*)$"}, {"type": "integer"}], "examples": ["16MiB"]}),
]
"""An option in bytes, written `16MiB`, `64KiB`, or as an integer."""

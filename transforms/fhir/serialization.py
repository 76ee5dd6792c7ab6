"""FHIR JSON in and out, with decimals exact: `98.50` stays `98.50`.

Numbers with a point or exponent are read as `Decimal` and written as they were spelt; everything else is plain
dicts, lists, strings, ints and booleans.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from transforms.errors import ErrorCode, MessageError

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)

dumps = _encoder.encode
"""A resource as bytes, its keys in the order they stand."""


def loads(content: bytes | str) -> Any:
    """What JSON says; a MessageError where it is none."""
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MessageError(ErrorCode.DATA_TYPE, "$this", "is no JSON", fatal=True) from error


def dumps_pretty(body: Any) -> bytes:
    """The same for eyes: indented, a line for each element."""
    return msgspec.json.format(dumps(body), indent=2)

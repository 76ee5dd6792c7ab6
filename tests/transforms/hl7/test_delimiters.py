"""The delimiters are what the message's own header says."""

from __future__ import annotations

import pytest

from transforms.errors import ErrorCode, MessageError
from transforms.hl7.delimiters import ABSENT, STANDARD, Delimiters, read_delimiters


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("MSH|^~\\&|LAB", STANDARD),
        ("MSH|^~\\&#|LAB", Delimiters(truncation="#")),
        ("MSH#@*!%#LAB", Delimiters("#", "@", "*", "!", "%")),
        ("MSH|^~|LAB", Delimiters(escape=ABSENT, subcomponent=ABSENT)),
        ("MSH|^|LAB", Delimiters(repetition=ABSENT, escape=ABSENT, subcomponent=ABSENT)),
        ("MSH|^~\\\\&|LAB", STANDARD),  # a backslash escaped once too often
        ("MSH|^~\\&", STANDARD),
        ("MSH|^~\\&\rPID|1", STANDARD),
        ("BHS|^~\\&|LAB", STANDARD),
    ],
)
def test_declared(header: str, expected: Delimiters) -> None:
    assert read_delimiters(header) == expected


@pytest.mark.parametrize(
    ("header", "place", "code"),
    [
        ("MSH", "MSH-1", ErrorCode.REQUIRED_FIELD_MISSING),
        ("MSHA", "MSH-1", ErrorCode.REQUIRED_FIELD_MISSING),
        ("MSH\r", "MSH-1", ErrorCode.REQUIRED_FIELD_MISSING),
        ("MSH||LAB", "MSH-2", ErrorCode.REQUIRED_FIELD_MISSING),
        ("MSH|", "MSH-2", ErrorCode.REQUIRED_FIELD_MISSING),
        ("MSH|0000|LAB", "MSH-2", ErrorCode.DATA_TYPE),
        ("MSH|^~\\&#$|LAB", "MSH-2", ErrorCode.DATA_TYPE),
        ("FHS||LAB", "FHS-2", ErrorCode.REQUIRED_FIELD_MISSING),
    ],
)
def test_none_declared(header: str, place: str, code: ErrorCode) -> None:
    """Without usable delimiters nothing can be read: the message is refused as a whole."""
    with pytest.raises(MessageError) as caught:
        read_delimiters(header)
    assert (caught.value.place, caught.value.code, caught.value.fatal) == (place, code, True)


def test_encoding_characters_are_as_declared() -> None:
    assert STANDARD.encoding_characters == "^~\\&"
    assert Delimiters(truncation="#").encoding_characters == "^~\\&#"
    assert Delimiters(escape=ABSENT, subcomponent=ABSENT).encoding_characters == "^~"

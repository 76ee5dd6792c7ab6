"""FHIR JSON in and out: no digit changes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import MessageError
from transforms.fhir.serialization import dumps, dumps_pretty, loads


@pytest.mark.parametrize("number", ["98.50", "7.0", "0.1", "-0.00", "100", "1234567890.123456789", "5E-7"])
def test_decimals_keep_their_spelling(number: str) -> None:
    """`98.50` is not `98.5`: the last digit says how exact a result is."""
    text = b'{"value":%b}' % number.encode()
    assert dumps(loads(text)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_any_decimal_comes_back(number: Decimal) -> None:
    """What a Decimal says is what is read again, digit by digit."""
    assert loads(dumps([number]))[0].as_tuple() == number.as_tuple()


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=20,
)


@given(json)
def test_content_comes_back(content: object) -> None:
    """Reading what was written gives the same, indented or not."""
    assert loads(dumps(content)) == content == loads(dumps_pretty(content))


@pytest.mark.parametrize("text", [b"", b"{", b"nonsense", b'{"a": 1,}', b"\xff\xfe", b'"\xff"'])
def test_what_is_no_json_is_an_error_with_a_code(text: bytes) -> None:
    """Content that cannot be read is said to be so, without being quoted."""
    with pytest.raises(MessageError) as caught:
        loads(text)
    assert caught.value.fatal and "nonsense" not in str(caught.value)

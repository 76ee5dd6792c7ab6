"""Documents, text, and values of types FHIR has no place for: none is lost."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import sampled_from, text

from transforms.mapping.functions.registry import functions


@pytest.mark.parametrize(
    ("sent", "media", "data"),
    [
        ("^application^pdf^Base64^" + b64encode(b"%PDF-1.4").decode(), "application/pdf", b"%PDF-1.4"),
        ("^TEXT^^A^plain words", "text/plain", b"plain words"),
        ("^AP^PDF^Hex^255044462d", "application/pdf", b"%PDF-"),
        ("^Image^JPEG^Base64^" + b64encode(b"\x89PNG\r\n\x1a\nX").decode(), "image/png", b"\x89PNG\r\n\x1a\nX"),
        ("^application^octet-stream^Base64^AAEC", "application/octet-stream", b"\x00\x01\x02"),
    ],
)
def test_documents_are_what_their_first_bytes_say(field: Any, sent: str, media: str, data: bytes) -> None:
    """ED in each encoding; the field's own word only where the bytes are silent."""
    assert field("attachment", sent) == {"contentType": media, "data": b64encode(data).decode()}


def test_a_document_that_does_not_decode_is_kept(field: Any) -> None:
    """Flagged, never dropped."""
    assert field("attachment", "^text^plain^Base64^not base64!")["data"] == b64encode(b"not base64!").decode()
    assert field.noted == ["undecodable_document"]


def test_a_referenced_document_is_linked(field: Any) -> None:
    """RP: a URL is one, another pointer is only said."""
    assert field("referenced", "http://x.example/y.pdf^^AP^PDF") == {"contentType": "application/pdf", "url": "http://x.example/y.pdf"}
    assert field("referenced", "store 7^PACS")["title"] == "store 7"


def test_composites_without_a_place_are_lines_of_text(field: Any) -> None:
    """A reader finds every part."""
    assert field("joined_text", "1 Main St&Main^^Town", separator=", ") == "1 Main St, Main, Town"
    assert field("untyped", "x^y") == "x^y"
    assert field.noted == ["value_type"]


def test_the_sub_identifier_has_an_extension_of_its_own(field: Any) -> None:
    """OBX-4 as ST and as OG."""
    assert field("sub_id", "1")["extension"] == [{"url": "original-sub-identifier", "valueString": "1"}]
    names = [each["url"] for each in field("sub_id", "1.a^2^3^x")["extension"]]
    assert names == ["original-sub-identifier", "group", "sequence", "identifier"]
    assert len(field("sub_id", "1^b")["extension"]) == 1
    assert field.left == [2]


def test_indicators_and_numbers(field: Any) -> None:
    """Y and N, whole numbers; anything else is nothing."""
    assert (field("boolean", "Y"), field("boolean", "N"), field("boolean", "U")) == (True, False, None)
    assert (field("integer", "2"), field("integer", "two"), field("positive_integer", "0")) == (2, None, None)


@settings(max_examples=300, deadline=None)
@given(name=sampled_from(sorted(functions())), sent=text(alphabet="0123456789.^&~\\<>-+:/abT \"%", min_size=1, max_size=30))
def test_no_function_fails_on_any_text(name: str, sent: str) -> None:
    """A field holds whatever a sender put there: a value comes out, or nothing."""
    from datetime import datetime, timezone

    from transforms.document import Context
    from transforms.hl7.delimiters import Delimiters
    from transforms.mapping.options import MapOptions
    from transforms.mapping.reading import Reading

    found = functions()[name]
    reading = Reading(Delimiters(), Context(received=datetime(2026, 1, 1, tzinfo=timezone.utc)), MapOptions())
    value = found.call(sent, reading, **{each: {} if each == "codes" else sent for each in found.required})
    assert value is None or value or value is False or value == 0

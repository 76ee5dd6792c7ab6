"""What has no map: kept as it came, with a ledger of everything, never an exception."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.mapping.conftest import Lab
from transforms.document import HL7, Document
from transforms.component import Resources
from transforms.fhir.validation import validate
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.to_fhir import Converted
from transforms.steps.map_to_fhir import MapToFhir

HEADER = "MSH|^~\\&|HIS|HOSP|EHR|CLINIC|20240115103000||{kind}|{number}|P|2.5.1{more}"


def convert(*lines: str, kind: str = "ZZZ^Z01", number: str = "77", more: str = "") -> tuple[bytes, Converted]:
    raw = Lab.message(*lines, header=HEADER.format(kind=kind, number=number, more=more))
    return raw, Library.load().converter()(parse(raw), Lab.CONTEXT)


def kept(bundle: dict[str, Any]) -> bytes:
    (binary,) = [each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == "Binary"]
    return b64decode(binary["data"])


@pytest.mark.parametrize("kind", ["ZZZ^Z01", "ZZZ", "ZZZ^Z99^ZZZ_Z99", "NMD^N02"])
def test_it_is_kept_as_it_came(kind: str) -> None:
    """MessageHeader and a document of the very bytes, valid R4; every field but the header's is left over."""
    raw, converted = convert("PID|||1^^^MRN^MR", "ZZZ|a^b|c", kind=kind, more="||||||UNICODE UTF-8")
    kinds = [each["resource"]["resourceType"] for each in converted.bundle["entry"]]
    assert kinds == ["DocumentReference", "MessageHeader", "Binary"]
    assert kept(converted.bundle) == raw and validate(converted.bundle) == []
    assert [each for each in converted.leftover if not each.startswith("MSH")] == ["PID-3", "ZZZ-1", "ZZZ-2"]
    assert [(each.hold, each.entries) for each in converted.parts] == [("", None)]


def test_it_is_one_thing_however_often_it_comes() -> None:
    """A resend is the same document, another message another."""
    urls = [[each["fullUrl"] for each in convert("ZZZ|a", number=number)[1].bundle["entry"]] for number in ("77", "77", "78")]
    assert urls[0] == urls[1] and not set(urls[0]) & set(urls[2])


@pytest.mark.parametrize("kind", ["", "^^"])
def test_without_a_type_there_is_no_header(kind: str) -> None:
    """R4 wants an event of it; the document is kept all the same."""
    raw, converted = convert("ZZZ|a", kind=kind)
    assert kept(converted.bundle) == raw and validate(converted.bundle) == []


def test_what_steps_changed_is_kept_as_received() -> None:
    """The document holds the bytes from before any step."""
    received = parse(Lab.message("ZZZ|a", header=HEADER.format(kind="ZZZ^Z01", number="77", more="")))
    document = MapToFhir().prepare(Resources())(Document(HL7, received, Lab.CONTEXT).with_body(received.replace("ZZZ-1", "b")))
    assert kept(document.body) == received.raw


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30), max_size=6))
def test_whatever_it_says(lines: list[str]) -> None:
    """Any text behind a readable header: valid R4."""
    _, converted = convert(*(f"ZZ{number}|{text}" for number, text in enumerate(lines)), more="||||||UNICODE UTF-8")
    assert validate(converted.bundle) == []

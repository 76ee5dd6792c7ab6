"""Documents of MDM: texts, values and files as Attachment."""

from __future__ import annotations

from base64 import b64decode

import pytest

from tests.transforms.mapping.functions.conftest import Field


def said(attachment: dict[str, str]) -> str:
    return b64decode(attachment["data"]).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("one", "one"), ("one~two", "one\ntwo"), ("  indented~~two  ", "  indented\n\ntwo"), ("a\\.br\\b\\T\\c", "a\nb&c"), ('one~""~two', "one\n\ntwo"), ("ü€", "ü€")],
)
def test_texts(field: Field, text: str, expected: str) -> None:
    """Repetitions are lines, escape sequences are resolved, layout is kept."""
    made = field("text_attachment", text)
    assert said(made) == expected and made["contentType"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("text", ["~~", '""', " "])
def test_texts_that_say_nothing(field: Field, text: str) -> None:
    assert field("text_attachment", text) is None


def test_titles_and_dates(field: Field) -> None:
    """OBX-3 and OBX-14; a date that is none is left over."""
    made = field("text_attachment", "x", title="N^Note^L", creation="202603011000")
    assert (made["title"], made["creation"]) == ("Note", "2026-03-01T10:00:00+01:00")
    assert "creation" not in field("text_attachment", "x", creation="soon") and field.left == ["creation"]


def test_values_of_other_types(field: Field) -> None:
    """Their parts in a row."""
    assert said(field("value_attachment", "A^Alpha^L~B^Beta&b^L")) == "A Alpha L\nB Beta b L"


def test_files(field: Field) -> None:
    """ED is what its first bytes say; RP only says where it lies."""
    assert field("titled_attachment", "^application^pdf^Base64^JVBERi0xLjQ=", title="R^Report")["contentType"] == "application/pdf"
    assert field("titled_reference", "http://x.example/1.pdf^^AP^PDF", title="R^Report") == {
        "title": "Report",
        "contentType": "application/pdf",
        "url": "http://x.example/1.pdf",
    }
    assert field("titled_attachment", "^^^^") is None


@pytest.mark.parametrize(("text", "media"), [("TX", "text/plain"), ("pdf", "application/pdf"), ("Application/PDF", "application/pdf"), ("multipart", None)])
def test_presentations(field: Field, text: str, media: str | None) -> None:
    """TXA-3: table 0191 or a media type."""
    assert field("presentation", text) == media

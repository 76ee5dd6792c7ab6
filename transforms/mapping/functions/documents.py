"""Documents of MDM, and messages kept as they came: text, ED and RP as Attachment with what is said of them (v2-to-FHIR, OBX[DocumentReference])."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from transforms.mapping.functions.attachments import attachment, referenced
from transforms.mapping.functions.registry import function
from transforms.mapping.functions.texts import display, joined_text, line
from transforms.mapping.functions.times import plain_date_time
from transforms.mapping.reading import Reading

_MEDIA = {
    "TX": "text/plain", "FT": "text/plain", "TEXT": "text/plain", "PDF": "application/pdf", "RTF": "application/rtf", "HTML": "text/html",
    "XML": "application/xml", "AU": "audio/basic", "IM": "application/octet-stream", "AP": "application/octet-stream",
}  # fmt: skip
"""TXA-3 (table 0191) where nothing else says what the document is written in."""
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(;.*)?", re.IGNORECASE)


@function("text_attachment", gives="Attachment")
def text_attachment(text: str, r: Reading, title: str = "", creation: str = "") -> dict[str, Any] | None:
    """TX, FT or ST, all repetitions at once, as an Attachment of plain text: a repetition is a line."""
    lines = [line(each, r) or "" if each != '""' else "" for each in text.split(r.repetition)]
    return _plain("\n".join(lines), title, creation, r) if any(lines) else None


@function("value_attachment", gives="Attachment")
def value_attachment(text: str, r: Reading, title: str = "", creation: str = "") -> dict[str, Any] | None:
    """A value of another type as an Attachment of plain text: its parts in a row, a line for each repetition."""
    said = [joined_text(each, r) for each in text.split(r.repetition)]
    lines = [each for each in said if each]
    return _plain("\n".join(lines), title, creation, r) if lines else None


@function("titled_attachment", gives="Attachment")
def titled_attachment(text: str, r: Reading, title: str = "", creation: str = "") -> dict[str, Any] | None:
    """ED as Attachment, with its title and date."""
    made = attachment(text, r)
    return made and {**made, **_described(title, creation, r)}


@function("titled_reference", gives="Attachment")
def titled_reference(text: str, r: Reading, title: str = "", creation: str = "") -> dict[str, Any] | None:
    """RP as Attachment, with its title and date."""
    made = referenced(text, r)
    return made and {**_described(title, creation, r), **made}


@function("presentation", gives="code", memo=True)
def presentation(text: str, r: Reading) -> str | None:
    """TXA-3: how a document is to be presented, as a media type."""
    said = r.text(text).strip()
    return said.lower() if _TYPE.fullmatch(said) else _MEDIA.get(said.upper())


def _plain(said: str, title: str, creation: str, r: Reading) -> dict[str, Any]:
    return {"contentType": "text/plain; charset=utf-8", "data": b64encode(said.encode()).decode("ascii"), **_described(title, creation, r)}


def _described(title: str, creation: str, r: Reading) -> dict[str, str]:
    said = {"title": display(title, r) if title else None, "creation": plain_date_time(creation, r) if creation else None}
    if creation and not said["creation"]:
        r.left("creation")
    return {name: value for name, value in said.items() if value}

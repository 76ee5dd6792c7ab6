"""Documents inside a field: ED and RP as Attachment (v2-to-FHIR, ED[Attachment], RP[Attachment]).

What the field says it is, is checked against the first bytes: a PDF sent as text stays a PDF.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import Any

from transforms.mapping.functions.composites import components, left, left_beyond, reading
from transforms.mapping.functions.registry import function
from transforms.mapping.reading import Reading

_BLANKS = re.compile(r"\s+")
_URL = re.compile(r"\S+")
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "application/rtf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"PK\x03\x04", "application/zip"),
    (b"<?xml", "application/xml"),
)
_SUBTYPES = {
    "PDF": "application/pdf", "RTF": "application/rtf", "HTML": "text/html", "HTM": "text/html", "XML": "application/xml",
    "JPEG": "image/jpeg", "JPG": "image/jpeg", "GIF": "image/gif", "TIFF": "image/tiff", "TIF": "image/tiff", "PNG": "image/png",
    "TXT": "text/plain", "TEXT": "text/plain", "PLAIN": "text/plain", "BASIC": "audio/basic", "DICOM": "application/dicom",
    "SGML": "text/sgml", "PICT": "image/x-pict", "FAX": "image/g3fax", "ZIP": "application/zip", "CDA": "application/xml",
}  # fmt: skip
"""ED.3 and RP.4 (table 0291) as media types, in the spellings that are sent."""
_MAIN = {
    "APPLICATION": "application", "AUDIO": "audio", "IMAGE": "image", "IM": "image", "TEXT": "text", "TX": "text", "FT": "text",
    "VIDEO": "video",
}  # fmt: skip


@function("attachment", gives="Attachment")
def attachment(text: str, r: Reading) -> dict[str, Any] | None:
    """ED as Attachment: its data in base64, whatever ED.4 says it came in; a type that its bytes belie is left over."""
    parts = components(text, r, 5)
    data = _data(parts[4], reading(parts[3], r).upper(), r)
    named = reading(parts[1], r), reading(parts[2], r)
    media = _media(*named, (data or b"")[:16])
    left(parts, r, 1, *_belied(*named, media))
    left_beyond(parts, r, 5)
    if data is None:
        return {"contentType": media} if media else None
    return {"contentType": media or "application/octet-stream", "data": b64encode(data).decode("ascii")}


def _data(raw: str, encoding: str, r: Reading) -> bytes | None:
    """The bytes of ED.5.  Base64 holds no delimiter, so it is not unescaped; what does not decode as told is kept as it stands."""
    if not raw:
        return None
    try:
        if encoding == "BASE64":
            return b64decode(_BLANKS.sub("", raw.replace("\\.br\\", "")), validate=True)
        if encoding == "HEX":
            return bytes.fromhex(_BLANKS.sub("", raw))
    except (NotBase64, ValueError):
        r.note("undecodable_document", "the document is not encoded as the field says: kept as it stands")
    return r.text(raw).encode()


def _media(main: str, subtype: str, first: bytes) -> str:
    """The media type the first bytes show, else the one the field names."""
    for signature, media in _SIGNATURES:
        if first.startswith(signature):
            return media
    if "/" in subtype:
        return subtype.lower()
    if "/" in main:
        return main.lower()
    if known := _SUBTYPES.get(subtype.upper()):
        return known
    if kind := _MAIN.get(main.upper()):
        return f"{kind}/{subtype.lower()}" if subtype and "octet" not in subtype.lower() else _plain(kind)
    return _SUBTYPES.get(main.upper(), "application/octet-stream" if subtype.lower() == "octet-stream" else "")


def _belied(main: str, subtype: str, media: str) -> tuple[int, ...]:
    """The components that say something else than the type the attachment got, or nothing of it."""
    said = _media(main, subtype, b"")
    if said not in ("", media):
        return (2, 3)
    told = not main or said != _media("", subtype, b"") or _MAIN.get(main.upper()) == media.partition("/")[0]
    return () if told else (2,)


def _plain(kind: str) -> str:
    return "text/plain" if kind == "text" else "application/octet-stream" if kind == "application" else ""


@function("referenced", gives="Attachment", memo=True)
def referenced(text: str, r: Reading) -> dict[str, Any] | None:
    """RP as Attachment: where the document lies, never its content."""
    parts = [reading(part, r) for part in components(text, r, 4)]
    pointer = parts[0]
    if not pointer:
        return None
    made: dict[str, Any] = {}
    if media := _media(parts[2], parts[3], b""):
        made["contentType"] = media
    if _URL.fullmatch(pointer):
        made["url"] = pointer
    else:
        made["title"] = pointer  # not a URL: said, not linked
    if parts[1]:
        r.left(2)
    return made

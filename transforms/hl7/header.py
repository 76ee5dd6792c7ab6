"""What a message's first line says, read without reading the message: for duplicates, look-ups and acknowledgments.

`peek` never raises, whatever the bytes are.  `check_header` refuses what cannot be handled: it raises the MessageError
that becomes AR (or CR).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from transforms.errors import ErrorCode, MessageError
from transforms.hl7.message import Message

_LINE = re.compile(rb"[\x00\x09-\x0d\x1c\x20]*(?:\xef\xbb\xbf)?[\x00\x09-\x0d\x1c\x20]*(MSH[^\r\n]*)")
_VERSION = re.compile(r"2(\.\d+)*")


class Peeked(NamedTuple):
    """MSH-3, MSH-4, MSH-10 and MSH-9 as they stand in the message; empty where nothing can be read."""

    application: str = ""
    facility: str = ""
    control_id: str = ""
    type: str = ""


NOTHING = Peeked()


def peek(raw: bytes) -> Peeked:
    """Read the sender and the control id off a message's first line."""
    fields = header_fields(raw, 10)
    if len(fields) < 10:
        fields += [""] * (10 - len(fields))
    return Peeked(fields[2], fields[3], fields[9], fields[8])


def header_fields(raw: bytes, last: int) -> list[str]:
    """The fields of MSH up to number `last`, aligned so that `[n - 1]` is MSH-n (`[0]` is the name); none if there is no MSH."""
    if raw[:3] == b"MSH":
        end = raw.find(b"\r")
        line = raw[:end] if end >= 0 else raw
        if b"\n" in line:
            line = line[: line.index(b"\n")]
    else:
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff", b"M\0", b"\0M"):
            raw = raw.replace(b"\0", b"")[2 if raw[0] in b"\xff\xfe" else 0 :]
        match = _LINE.match(raw)
        if match is None:
            return []
        line = match[1]
    separator = line[3:4]
    if not separator:
        return []
    fields = line.split(separator, last)[:last]
    try:
        return [field.decode() for field in fields]
    except UnicodeDecodeError:
        return [field.decode("latin-1") for field in fields]


def check_header(message: Message, processing: Collection[str] = ()) -> None:
    """Refuse a message whose header does not say what it is: MSH-9, MSH-10, MSH-12, and MSH-11 where `processing` lists what is taken.

    Raises MessageError (fatal).  An empty MSH-12 is borne.
    """
    header = message.segments[0]
    if not (header.get(9, 1) or "").strip('" '):
        raise MessageError(ErrorCode.REQUIRED_FIELD_MISSING, "MSH-9", "no message type", fatal=True)
    if not (header.get(10) or "").strip('" '):
        raise MessageError(ErrorCode.REQUIRED_FIELD_MISSING, "MSH-10", "no message control id", fatal=True)
    if message.version and not _VERSION.fullmatch(message.version):
        raise MessageError(ErrorCode.UNSUPPORTED_VERSION, "MSH-12", "only versions 2.x are understood", fatal=True)
    if processing and (header.get(11, 1) or "") not in processing:
        raise MessageError(ErrorCode.UNSUPPORTED_PROCESSING_ID, "MSH-11", "messages of this processing id are not taken here", fatal=True)

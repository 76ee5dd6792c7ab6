"""Files and streams that hold several messages: where one ends and the next begins.

Follows HL7 v2.5.1 section 2.10.3 (batch protocol) as far as finding the messages goes.  No message is decoded.
"""

from __future__ import annotations

import re

_WIDE = (b"\xff\xfe", b"\xfe\xff")  # UTF-16 byte order marks: such a file is one message
_START = re.compile(rb"(?:^|(?<=[\r\n\x0b]))[ \t]*(?:\xef\xbb\xbf)?(MSH(?=[^A-Za-z0-9\r\n]))")
_ENVELOPE = re.compile(rb"(?:^|(?<=[\r\n\x0b]))(?:FHS|BHS|BTS|FTS)(?=[^A-Za-z0-9])[^\r\n]*[\r\n]*")
_FRAMING = bytes.maketrans(b"\x0b\x1c", b"\r\r")


def split_messages(data: bytes) -> list[bytes]:
    """The messages in `data`, as bytes, oldest first; MLLP frame bytes and FHS/BHS/BTS/FTS lines are left out.

    What holds no MSH is returned whole, so that whoever reads it can say what is wrong with it.
    """
    if data[:2] in _WIDE:
        return [data]
    if b"\x0b" in data or b"\x1c" in data:
        data = data.translate(_FRAMING).strip(b"\r")
    starts = [match.start(1) for match in _START.finditer(data)]
    if len(starts) <= 1 and not _ENVELOPE.search(data):
        return [data]
    if not starts:
        return [data]
    ends = starts[1:] + [len(data)]
    return [_ENVELOPE.sub(b"", data[start:end]) for start, end in zip(starts, ends, strict=True)]

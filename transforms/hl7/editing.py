"""Several segments of a message changed, or taken out, at once; the rest stays byte for byte.

`Message.replace` sets one place and reads the message again; a step that touches every OBX does it here in one go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from transforms.errors import ErrorCode, MessageError
from transforms.hl7.lines import physical_lines
from transforms.hl7.message import Message, Segment, parse

_BYTE_ENDS = re.compile(rb"(\r\n|\r|\n)")


def joined(segment: Segment, fields: list[str]) -> str:
    """The text of a segment with other fields (numbered as `Segment.fields` is)."""
    if segment.position == 0:  # MSH-1 is the separator between the name and MSH-2
        fields = fields[:1] + fields[2:]
    return segment.delimiters.field.join(fields)


def edited(message: Message, texts: Mapping[int, str | None], place: str = "") -> Message:
    """The message with new texts for some segments, by position; None takes a segment out.  The header stays.

    Raises MessageError (at `place`, else at the first segment) where the message's character set cannot say a text.
    """
    if not texts:
        return message
    try:
        return parse(_quickly(message, texts) or _carefully(message, texts))
    except UnicodeEncodeError:
        place = place or message.segments[min(texts)].place
        raise MessageError(ErrorCode.DATA_TYPE, place, "the message's character set (MSH-18) cannot say this value") from None


def _quickly(message: Message, texts: Mapping[int, str | None]) -> bytes | None:
    """For a message that is its segments, separated by CR, and nothing else."""
    lines = [segment.text for segment in message.segments]
    plain = "\r".join(lines)
    end = "\r" if message.text.endswith("\r") else ""
    if message.text != plain + end or message.text.encode(message.encoding, "replace") != message.raw:
        return None
    kept = [texts.get(position, line) for position, line in enumerate(lines)]
    return ("\r".join(line for line in kept if line is not None) + end).encode(message.encoding)


def _carefully(message: Message, texts: Mapping[int, str | None]) -> bytes:
    """For one with other line ends, broken lines, a byte order mark, or bytes that its character set does not have."""
    codec, mark = message.encoding, message.byte_order_mark
    body = message.raw[len(mark) :]
    lead = max(body.find("MSH".encode(codec)), 0)
    pieces = physical_lines(message.text, message.delimiters.field)
    kept = _BYTE_ENDS.split(body[lead:])
    if codec.startswith(("utf-16", "utf-32")) or len(kept) != len(pieces):
        kept = [piece.encode(codec, "replace") for piece, _ in pieces]
    written, done, dropped = [mark, body[:lead]], set(), False
    for (_, segment), original in zip(pieces, kept, strict=True):
        if segment == -1 and dropped:
            dropped = False  # the line end of what was taken out
        elif segment not in texts:
            written.append(original)
        elif segment not in done:
            done.add(segment)
            dropped = texts[segment] is None
            written.append((texts[segment] or "").encode(codec))
    return b"".join(written)

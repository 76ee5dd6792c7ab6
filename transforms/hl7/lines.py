"""How the text of a message falls into segments.

Segments end with CR (HL7 v2.5.1, 2.6).  Borne are LF, CRLF and doubled ends, and what is left of an MLLP frame.  Senders
break lines inside long texts: a line that starts no segment goes on with the one before it, joined by the line feed it
stands for.  Nothing is dropped but blank lines between segments.
"""

from __future__ import annotations

import re

_END = re.compile(r"(\r\n|\r|\n)")
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_ODD_NAME = re.compile(r"[A-Z0-9]{2,4}")  # `PIDX|`, `PV|`: no segment's name, but meant as one
_starts_seen: dict[str, dict[str, str]] = {}  # separator -> `OBX|` -> `OBX`: what has been seen to start segments
_REMEMBERED = 1000
_SEPARATORS = 50
_BLANK = " \t\x0b\x0c\x1c\x1d\x1e\x1f\0"
_FRAME_END = "\x1c"  # may stand behind the last segment


def segments_of(text: str, separator: str) -> tuple[list[str], list[str]]:
    """The name and the text of each segment of a message that starts with its header; `separator` is MSH-1."""
    if "\n" not in text and "\x1c" not in text:
        texts = text.split("\r")
        if not texts[-1]:
            texts.pop()
        starts = _starts_seen.get(separator)
        if starts is None:
            starts = _starts_seen.setdefault(separator, {}) if len(_starts_seen) < _SEPARATORS else {}
        names = [starts.get(line[:4]) or _remembered(starts, line, separator) for line in texts]
        if None not in names:
            return names, texts
    texts = _mended(text, separator)
    return [line.partition(separator)[0] for line in texts], texts


def _remembered(starts: dict[str, str], line: str, separator: str) -> str | None:
    """The name of the segment that `line` starts beyond doubt; remembers how it does."""
    name = line[:3]
    if line[3:4] != separator or not _NAME.fullmatch(name):
        return None
    if len(starts) < _REMEMBERED:
        starts[line[:4]] = name
    return name


def physical_lines(text: str, separator: str) -> list[tuple[str, int]]:
    """Every line and every line end of `text`, in order; beside it the segment it belongs to, or -1.

    Their texts joined are `text`: so a single segment can be written anew and the rest left as it is.
    """
    pieces = _END.split(text)
    own = pieces[1] if len(pieces) > 1 else "\r"
    owned: list[tuple[str, int]] = []
    segment, blank_since, before = -1, 0, own
    for index in range(0, len(pieces), 2):
        line = pieces[index]
        if not line.strip(_BLANK):
            owned.append((line, -1))
        else:
            if segment < 1 or _starts(line, separator, before == own):
                segment += 1
            else:  # it goes on; so the ends and blank lines before it are inside the segment
                owned[blank_since:] = [(piece, segment) for piece, _ in owned[blank_since:]]
            owned.append((line, segment))
            blank_since = len(owned)
        if index + 1 < len(pieces):
            before = pieces[index + 1]
            owned.append((before, -1))
    return owned


def _mended(text: str, separator: str) -> list[str]:
    found: list[list[str]] = []
    for piece, segment in physical_lines(text, separator):
        if segment >= len(found):
            found.append([])
        if segment >= 0:
            found[segment].append("\n" if piece in ("\r", "\n", "\r\n") else piece)
    texts = ["".join(pieces) for pieces in found]
    texts[-1] = texts[-1].rstrip(_FRAME_END)
    return texts


def _starts(line: str, separator: str, own_end: bool) -> bool:
    """Whether a line starts a segment.  `own_end`: the line before ended as the message's segments do."""
    name, found, _ = line.partition(separator)
    if found:
        return bool(_NAME.fullmatch(name) or (own_end and _ODD_NAME.fullmatch(name)))
    return bool(own_end and _NAME.fullmatch(name))

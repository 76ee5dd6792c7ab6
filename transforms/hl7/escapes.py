"""Escape sequences of HL7 text, both ways (HL7 v2.5.1, 2.7; character sets: 2.9.2).

Reading: delimiters (`\\F\\` …), hexadecimal data, changes of character set and line layout become what they mean;
highlighting is dropped, as plain text has none.  A sequence nobody knows stays as it was written, as does an escape
character without its partner.  Writing: delimiters and control characters are escaped, line feeds become `\\.br\\`.
"""

from __future__ import annotations

import re

from transforms.hl7.characters import switched
from transforms.hl7.delimiters import ABSENT, STANDARD, Delimiters

_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_SET = re.compile(r"C([0-9A-Fa-f]{4})|M([0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{2})?)")
_LAYOUT = re.compile(r"\.(br|sp|ce|fi|nf|in|ti|sk) ?([+-]?[0-9]{0,3})")
_CONTROLS = {code for code in range(0x20) if code != 0x09} | {0x7F}
_readers: dict[Delimiters, dict[str, str]] = {}
_writers: dict[Delimiters, dict[int, str]] = {}
_REMEMBERED = 1000


def unescape(text: str, delimiters: Delimiters = STANDARD, encoding: str = "utf-8") -> str:
    """What `text`, as it stands in a message, says.  `encoding` is the message's, for hexadecimal data."""
    mark = delimiters.escape
    if mark not in text:
        return text
    meanings = _readers.get(delimiters) or _remember(_readers, delimiters, _meanings(delimiters))
    pieces = text.split(mark)
    said, index, last = [pieces[0]], 1, len(pieces) - 1
    while index < last:  # pieces[index] stands between two escape characters
        sequence = pieces[index]
        meaning = meanings.get(sequence)
        if meaning is None and (switch := _SET.fullmatch(sequence)):
            meaning = switched(switch[1] or switch[2], pieces[index + 1], encoding)
            if meaning is not None:
                pieces[index + 1] = ""
        if meaning is None:
            meaning = _computed(sequence, encoding)
        if meaning is None:  # nobody knows it: the closing character may open the next one
            said.append(mark + sequence)
            index += 1
        else:
            said.append(meaning)
            said.append(pieces[index + 1])
            index += 2
    if index == last:
        said.append(mark + pieces[last])
    return "".join(said)


def escape(text: str, delimiters: Delimiters = STANDARD) -> str:
    """`text` as it may stand in a message; `unescape` gives it back."""
    writer = _writers.get(delimiters) or _remember(_writers, delimiters, _replacements(delimiters))
    return text.translate(writer)


def _remember(known: dict, delimiters: Delimiters, made: dict) -> dict:
    if len(known) < _REMEMBERED:
        known[delimiters] = made
    return made


def _meanings(delimiters: Delimiters) -> dict[str, str]:
    named = zip("FSRETP", delimiters.special, strict=True)
    return {name: character for name, character in named if character != ABSENT} | {"H": "", "N": "", ".br": "\n"}


def _replacements(delimiters: Delimiters) -> dict[int, str]:
    mark = delimiters.escape
    if mark == ABSENT:  # nothing can be escaped: what would cut the text becomes a blank
        return {ord(each): " " for each in delimiters.special} | dict.fromkeys(_CONTROLS, " ")
    controls = {code: f"{mark}X{code:02X}{mark}" for code in _CONTROLS}
    if "." not in delimiters.special:
        controls[0x0A] = f"{mark}.br{mark}"
    named = zip("FSRETP", delimiters.special, strict=True)
    return controls | {ord(character): f"{mark}{name}{mark}" for name, character in named if character != ABSENT}


def _computed(sequence: str, encoding: str) -> str | None:
    """The meaning of a sequence with parameters; None: not known."""
    if sequence[:1] == "X" and _HEXADECIMAL.fullmatch(sequence, 1):
        return _data(bytes.fromhex(sequence[1:]), encoding)
    layout = _LAYOUT.fullmatch(sequence)
    if layout is None:
        return None
    command, number = layout[1], int(layout[2]) if layout[2].strip("+-") else 1
    if command in ("br", "ce"):
        return "\n"
    if command == "sp":
        return "\n" * max(number, 0)
    return " " * max(number, 0) if command in ("sk", "ti") and layout[2] else ""


def _data(data: bytes, encoding: str) -> str:
    if data.isascii():
        return data.decode("ascii")
    for codec in (encoding, "utf-8"):
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")

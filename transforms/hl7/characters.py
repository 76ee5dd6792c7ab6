"""Character sets: which codec MSH-18 names (HL7 table 0211), and what to do where the bytes disagree.

Bytes are read as MSH-18 says.  Where they do not fit it they are read as UTF-8 if they are valid UTF-8, else as
Windows-1252, else as ISO 8859-1, which reads anything; a Note says so.  MSH-20 and further repetitions of MSH-18 say
that ISO 2022 escape sequences switch sets: they are followed for the East Asian sets that Python's codecs know.
A byte order mark outranks MSH-18.
"""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import NamedTuple

from transforms.document import Note
from transforms.errors import ErrorCode, MessageError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LATIN = {number: f"iso8859-{number}" for number in (*range(1, 12), 13, 14, 15, 16)}
_SETS = {
    "": "ascii", "ASCII": "ascii", "USASCII": "ascii", "ISOIR6": "ascii", "ISOIR006": "ascii",
    "UNICODE": "utf-8", "UNICODEUTF8": "utf-8", "UTF8": "utf-8", "ISOIR192": "utf-8",
    "UNICODEUTF16": "utf-16", "UTF16": "utf-16", "UNICODEUTF32": "utf-32", "UTF32": "utf-32",
    "GB180302000": "gb18030", "GB18030": "gb18030", "GBK": "gb18030", "GB2312": "gb18030", "ISOIR58": "gb18030",
    "ISOIR13": "iso2022_jp_ext", "ISOIR14": "iso2022_jp_2", "ISOIR87": "iso2022_jp_2", "ISOIR159": "iso2022_jp_2",
    "ISO2022JP": "iso2022_jp_2", "JAS2020": "iso2022_jp_2", "JISX0202": "iso2022_jp_2", "SHIFTJIS": "cp932", "EUCJP": "euc_jp",
    "KSX1001": "cp949", "KSC5601": "cp949", "ISOIR149": "cp949", "EUCKR": "cp949", "BIG5": "big5hkscs",
    "KOI8R": "koi8-r", "TIS620": "cp874",
}  # fmt: skip
_SETS |= {f"{prefix}8859{number}": codec for number, codec in _LATIN.items() for prefix in ("", "ISO")}
_SETS |= {f"{prefix}125{digit}": f"cp125{digit}" for digit in range(9) for prefix in ("CP", "WINDOWS")}
_RIGHT_HALVES = {  # last byte of `ESC - F`: the set in the upper half (ISO 2022; HL7 v2.5.1, 2.9.2)
    "41": "iso8859-1", "42": "iso8859-2", "43": "iso8859-3", "44": "iso8859-4", "46": "iso8859-7", "47": "iso8859-6",
    "48": "iso8859-8", "4C": "iso8859-5", "4D": "iso8859-9", "62": "iso8859-15",
}  # fmt: skip
_SWITCHED = Note("charset_switch", "MSH-20", "sequences that switch the character set could not be followed and stand in the text")
_JAPANESE = ("iso2022_jp_2", "iso2022_jp_ext")
_UPPER_CONTROLS = bytes(range(0x80, 0xA0))  # never text in ISO 8859


class Decoded(NamedTuple):
    """A message's text, and how to write it again: `bom` + text encoded by `codec`."""

    text: str
    codec: str
    bom: bytes = b""
    notes: tuple[Note, ...] = ()


@lru_cache(maxsize=1000)
def codec_for(msh18: str, repetition: str = "~") -> str | None:
    """The Python codec for MSH-18 (all its repetitions); empty means ASCII; None: no set anybody knows."""
    names = ["".join(each for each in name if each not in " /_-").upper() for name in msh18.split(repetition)]
    if names == ['""']:
        return "ascii"
    found = [_SETS.get(name) for name in names]
    if len(found) > 1:
        switching = [codec for codec in found if codec in _JAPANESE]
        if switching and found[0] in ("ascii", *_JAPANESE):
            return max(switching)  # iso2022_jp_ext knows the half-width letters too
    return found[0]


def decode(raw: bytes, policy: str = "replace") -> Decoded:
    """Read `raw` as its MSH-18 says, else as its bytes allow.

    `policy` `strict` raises MessageError where they disagree, `replace` reads on with a Note.
    """
    if raw.isascii() and b"\x1b" not in raw and b"\0" not in raw:
        return Decoded(raw.decode("ascii"), "ascii")
    for bom, codec in _BOMS:
        if raw.startswith(bom):
            return _marked(raw, bom, codec, policy)
    if raw[:2] in (b"M\0", b"F\0", b"B\0", b"\0M", b"\0F", b"\0B"):
        return _marked(raw, b"", "utf-16-be" if raw[:1] == b"\0" else "utf-16-le", policy)
    declared, separator = declared_set(raw)
    codec = codec_for(declared, separator)
    if codec is not None and (text := _fitting(raw, codec)) is not None:
        return Decoded(text, codec, b"", (_SWITCHED,) if "\x1b" in text else ())
    if policy == "strict":
        raise MessageError(ErrorCode.DATA_TYPE, "MSH-18", "the bytes do not fit the declared character set")
    return _guessed(raw, declared, codec)


def declared_set(raw: bytes) -> tuple[str, str]:
    """MSH-18 as it stands in a message that is not decoded yet, and the repetition separator."""
    start = raw.find(b"MSH")
    end = min((place for place in (raw.find(b"\r", start), raw.find(b"\n", start)) if place >= 0), default=len(raw))
    line = raw[start:end].decode("latin-1") if start >= 0 else ""
    fields = line.split(line[3:4], 18) if line[3:4] else []
    return (fields[17].strip() if len(fields) > 17 else ""), (fields[1][1:2] if len(fields) > 1 else "") or "~"


def _fitting(raw: bytes, codec: str) -> str | None:
    """The text, or None where the bytes are none in this set."""
    if (codec == "ascii" and b"\x1b" in raw) or codec in ("utf-16", "utf-32"):
        return None  # what is 16 or 32 bits wide was recognised by its mark or its zeros
    if codec.startswith("iso8859") and any(map(_UPPER_CONTROLS.__contains__, set(raw))):
        return None
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        return None


def _guessed(raw: bytes, declared: str, codec: str | None) -> Decoded:
    """Read bytes that do not fit MSH-18: UTF-8, else what reads anything."""
    candidates = ["iso2022_jp_2", "utf-8"] if b"\x1b$" in raw or b"\x1b(" in raw else ["utf-8"]
    if codec and codec.startswith("iso8859") and codec != "iso8859-1":
        candidates.append(codec)
    for candidate in (*candidates, "cp1252", "latin-1"):
        try:
            text = raw.decode(candidate)
        except UnicodeDecodeError:
            continue
        break
    if not declared:
        note = Note("charset_undeclared", "MSH-18", f"no character set is declared, the bytes are read as {candidate}")
    elif codec is None:
        note = Note("charset_unknown", "MSH-18", f"the declared character set is not known, the bytes are read as {candidate}")
    else:
        note = Note("charset_mismatch", "MSH-18", f"the bytes do not fit the declared character set and are read as {candidate}")
    return Decoded(text, candidate, b"", (note,))


def _marked(raw: bytes, bom: bytes, codec: str, policy: str) -> Decoded:
    """Read what a byte order mark, or its zeros, say to be Unicode."""
    body = raw[len(bom) :]
    try:
        return Decoded(body.decode(codec), codec, bom)
    except UnicodeDecodeError:
        if policy == "strict":
            raise MessageError(ErrorCode.DATA_TYPE, "MSH-18", "the bytes do not fit their byte order mark") from None
    note = Note("charset_mismatch", "MSH-18", f"the bytes are not valid {codec}; what could not be read is marked")
    if codec == "utf-8":
        return _guessed(body, "UNICODE UTF-8", codec)._replace(bom=bom)
    return Decoded(body.decode(codec, "replace"), codec, bom, (note,))


def switched(sequence: str, text: str, encoding: str) -> str | None:
    """`text` read in the set that `\\C` or `\\M` `sequence` (hexadecimal, without the letter) switches to; None: not known.

    What follows the sequence stands in the message as the codes of that set (HL7 v2.5.1, 2.9.2).
    """
    designation = bytes.fromhex(sequence)
    if designation == b"(B":
        return text
    try:
        if designation[:1] == b"-":
            codec = _RIGHT_HALVES.get(sequence[2:].upper())
            return None if codec is None else text.encode(encoding).decode(codec)
        data = b"\x1b" + designation + text.encode("ascii") + b"\x1b(B"
        said = data.decode("iso2022_jp_ext" if designation in (b"(I", b")I") else "iso2022_jp_2")
        return None if "\x1b" in said else said
    except (UnicodeError, LookupError):
        return None

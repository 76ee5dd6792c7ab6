"""Acknowledgments: what one looks like, version by version, and what another's says (HL7 v2.5.1, 2.9 and 2.15).

Whoever asks decides the code (AA AE AR, CA CE CR), the control id and the time; `answers_due` says which acknowledgments a
sender asked for.  The form is the sender's: delimiters, version, processing id and character set are echoed, sender and
receiver change places.  What cannot be read is answered too: AR (or CR) with MSA-2 empty.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from transforms.errors import MessageError
from transforms.hl7.characters import codec_for
from transforms.hl7.delimiters import ABSENT, STANDARD, Delimiters
from transforms.hl7.escapes import escape
from transforms.hl7.header import header_fields
from transforms.hl7.message import Message, parse
from transforms.hl7.path import EVERY, parse_path
from transforms.hl7.timestamps import write_dtm

VERSION = "2.5.1"  # of an answer to what names none
_FRAMING = str.maketrans("", "", "\x0b\x1c\r\n")
_VERSION = re.compile(r"2(?:\.([0-9]{1,3}))?(?:\.([0-9]{1,3}))?")
_CONDITIONS = {"AL": (True, True), "NE": (False, False), "SU": (True, False), "ER": (False, True)}  # table 0155: if good, if not


class Owed(NamedTuple):
    """Which acknowledgments a sender is owed: conditions of table 0155 (AL, NE, ER, SU).

    `original` mode has no accept acknowledgment, and one application acknowledgment whatever happens.  Else an application
    acknowledgment that follows an accept acknowledgment is a message of its own.
    """

    original: bool
    accept: str
    application: str

    def accept_due(self, good: bool) -> bool:
        """Whether CA (`good`: it was stored) or CE/CR is owed."""
        return _CONDITIONS[self.accept][0 if good else 1]

    def application_due(self, good: bool) -> bool:
        """Whether AA (`good`: it was taken) or AE/AR is owed."""
        return _CONDITIONS[self.application][0 if good else 1]


def answers_due(msh15: str | None, msh16: str | None, mode: str = "as_asked") -> Owed:
    """Which acknowledgments MSH-15 and MSH-16 ask for.

    `mode` `original` gives one application acknowledgment whatever they say; `enhanced` takes silence to mean an accept
    acknowledgment only; `as_asked` takes it to mean original mode.  What table 0155 does not know is silence.
    """
    accept, application = (said if said in _CONDITIONS else "" for said in ((msh15 or "").strip(), (msh16 or "").strip()))
    if mode == "original" or (mode == "as_asked" and not accept and not application):
        return Owed(True, "NE", "AL")
    return Owed(False, accept or ("AL" if mode == "enhanced" else "NE"), application or "NE")


def acknowledge(
    message: Message | bytes,
    code: str,
    *,
    control_id: str,
    when: datetime,
    errors: Sequence[MessageError] = (),
    text: str = "",
    own_message: bool = False,
) -> bytes:
    """The acknowledgment of a message (or of bytes that are none) with MSA-1 `code`.

    `control_id` and `when` are its own MSH-10 and MSH-7; `errors` become ERR, their places never a value.  `own_message`: it
    is sent as a message by itself, to which no acknowledgment is wanted.  No CR or MLLP framing of the peer's survives in it.
    """
    fields, delimiters, codec, mark = _header(message)
    said = _echo(fields, 10)
    if not said or said == '""':
        said, code = "", f"{code[:1]}R"
    version = _echo(fields, 12)
    form = _form(version.partition(delimiters.component)[0].strip())
    separator = delimiters.field
    header = [
        "MSH", delimiters.encoding_characters, _echo(fields, 5), _echo(fields, 6), _echo(fields, 3), _echo(fields, 4), write_dtm(when),
        "", _type(_echo(fields, 9), form, delimiters), control_id, _echo(fields, 11) or "P", version or VERSION,
    ]  # fmt: skip
    charset = _echo(fields, 18)
    if own_message or charset:
        header += ["", "", "NE" if own_message else "", "NE" if own_message else "", "", charset]
    answer = f"{separator.join(header).rstrip(separator)}\rMSA{separator}{code}{separator}{said}"
    answer += _reason(errors, text, form, delimiters) if errors or text else "\r"
    return mark + answer.encode(codec, "replace")


class Acknowledgment(NamedTuple):
    """What a receiver answered.  `code` is MSA-1, empty if the answer is no acknowledgment; `control_id` the message it answers."""

    code: str
    control_id: str
    text: str = ""
    error_code: str = ""  # of table 0357
    error_place: str = ""
    own_control_id: str = ""


def read_acknowledgment(raw: bytes) -> Acknowledgment:
    """Read an acknowledgment as generously as possible; never raises."""
    try:
        message = parse(raw)
    except MessageError:
        return _read_roughly(raw)
    answer = message.first("MSA")
    if answer is None:
        return Acknowledgment("", "", own_control_id=message.get("MSH-10") or "")
    code, place, words = _error(message)
    said = (answer.get(3) or words).strip()
    return Acknowledgment(
        (answer.get(1) or "").strip().upper(), (answer.get(2) or "").strip(), said, code, place, message.get("MSH-10") or ""
    )


class _Form(NamedTuple):
    """How an acknowledgment of some version is written."""

    type_parts: int  # of MSH-9
    old_error: bool  # ERR-1 and MSA-6 (to 2.4), else ERR-2, 3, 4, 7, 8
    condition: bool  # MSA-6 exists
    text: bool  # MSA-3 may be used


@lru_cache(maxsize=200)
def _form(version: str) -> _Form:
    match = _VERSION.match(version)
    number = (int(match[1] or 0), int(match[2] or 0)) if match else (5, 1)
    parts = 1 if number < (3, 0) else 2 if number < (3, 1) else 3
    return _Form(parts, number < (5, 0), (2, 0) <= number < (5, 0), number < (7, 0))


def _header(message: Message | bytes) -> tuple[list[str], Delimiters, str, bytes]:
    """MSH's fields (`[n]` is MSH-n), delimiters, codec and byte order mark to answer with."""
    if not isinstance(message, Message):
        try:
            message = parse(message)
        except MessageError:
            return _rough_header(message)
    return message.header, message.delimiters, message.encoding, message.byte_order_mark


def _rough_header(raw: bytes) -> tuple[list[str], Delimiters, str, bytes]:
    """As `_header`, of what is no message: whatever of MSH can be read with the usual delimiters."""
    fields = header_fields(raw, 20)
    separator = raw.lstrip()[3:4].decode("latin-1") if fields else "|"
    if not separator.isprintable() or separator.isalnum() or separator in " ^~\\&":
        return [], STANDARD, "ascii", b""
    delimiters = Delimiters(field=separator) if separator != "|" else STANDARD
    fields.insert(1, separator)
    codec = codec_for(_echo(fields, 18)) or "ascii"
    return fields, delimiters, "utf-8" if codec.startswith(("utf-16", "utf-32")) else codec, b""


def _echo(fields: list[str], number: int) -> str:
    """A field of the peer's header as it stands, but for what would end our frame or line."""
    text = fields[number] if number < len(fields) else ""
    return text if text.isprintable() else text.translate(_FRAMING)


def _type(said: str, form: _Form, delimiters: Delimiters) -> str:
    """MSH-9 of the answer."""
    parts = said.split(delimiters.component, 2)
    event = parts[1] if len(parts) > 1 else ""
    if form.type_parts == 1 or not event or delimiters.component == ABSENT:
        return "ACK"
    return delimiters.component.join(("ACK", event, "ACK")[: form.type_parts])


def _reason(errors: Sequence[MessageError], text: str, form: _Form, delimiters: Delimiters) -> str:
    """The rest of MSA from MSA-3 on, and ERR."""
    separator, component = delimiters.field, delimiters.component
    text = text or errors[0].why
    rest = separator + escape(text, delimiters) if form.text else ""
    if form.condition and errors:
        rest += separator * 3 + component.join((errors[0].code.code, escape(errors[0].code.text, delimiters), "HL70357"))
    lines = [rest]
    if form.old_error and errors:
        lines.append(f"ERR{separator}" + delimiters.repetition.join(_old_error(error, delimiters) for error in errors))
    else:
        lines += [_error_segment(error, delimiters) for error in errors]
    return "\r".join(lines) + "\r"


def _place(error: MessageError) -> tuple[list[str], bool]:
    """Segment, sequence, field, repetition, component, subcomponent of an error; False if its place is none of a message."""
    try:
        path = parse_path(error.place)
    except ValueError:
        return [], False
    numbers = [path.occurrence or 1, path.field, path.repetition or (1 if path.component else 0), path.component, path.subcomponent]
    parts = [path.segment] + ["" if number in (0, EVERY) else str(number) for number in numbers]
    while not parts[-1]:
        parts.pop()
    return parts, True


def _old_error(error: MessageError, delimiters: Delimiters) -> str:
    """ERR-1 to 2.4 (ELD): segment, sequence, field, and the code."""
    parts = (_place(error)[0] + ["", "", ""])[:3]
    subcomponent = "" if delimiters.subcomponent == ABSENT else delimiters.subcomponent
    said = (error.code.code, escape(error.code.text, delimiters), "HL70357") if subcomponent else (error.code.code,)
    return delimiters.component.join((*parts, subcomponent.join(said)))


def _error_segment(error: MessageError, delimiters: Delimiters) -> str:
    """ERR from 2.5 on."""
    place, known = _place(error)
    why = error.why if known or not error.place else f"{error.place}: {error.why}"
    coded = delimiters.component.join((error.code.code, escape(error.code.text, delimiters), "HL70357"))
    fields = ["ERR", "", delimiters.component.join(place), coded, "E", "", "", escape(error.origin, delimiters), escape(why, delimiters)]
    return delimiters.field.join(fields)


def _error(message: Message) -> tuple[str, str, str]:
    """The first error's code, place and words, wherever the version puts them."""
    error = message.first("ERR")
    condition = message.first("MSA")
    code, words, place = "", "", ""
    if error is not None:
        old = error.get(1, 4, 1) or ""
        code = error.get(3, 1) or old
        words = error.get(8) or error.get(7) or error.get(3, 2) or error.get(1, 4, 2) or ""
        numbers = [error.get(2, number) or error.get(1, number) or "" for number in (1, 2, 3)]
        place = numbers[0] + (f"[{numbers[1]}]" if numbers[1] not in ("", "1") else "") + (f"-{numbers[2]}" if numbers[2] else "")
    if condition is not None:
        code, words = code or condition.get(6, 1) or "", words or condition.get(6, 2) or ""
    return code, place, words


def _read_roughly(raw: bytes) -> Acknowledgment:
    """MSA out of what does not parse."""
    match = re.search(rb"(?:^|[\r\n\x0b])MSA([^A-Za-z0-9\r\n])([^\r\n]*)", raw)
    if match is None:
        return Acknowledgment("", "")
    fields = [field.decode("utf-8", "replace").strip() for field in match[2].split(match[1])] + ["", ""]
    return Acknowledgment(fields[0].upper(), fields[1], fields[2])

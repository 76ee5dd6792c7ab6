"""Files and batches: where one message ends and the next begins, whether their counts are right, and how a batch is answered.

Follows HL7 v2.5.1 section 2.10.3 (batch protocol): `[FHS] { [BHS] { MSH … } [BTS] } [FTS]`.  No message is decoded, and what an
envelope says about itself is judged by its counts alone: a wrong one costs no message (rule 10).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from transforms.hl7.timestamps import write_dtm

_WIDE = (b"\xff\xfe", b"\xfe\xff")  # UTF-16 byte order marks: such a file is one message
_HEAD = rb"(?:^|(?<=[\r\n\x0b]))[ \t]*(?:\xef\xbb\xbf)?"
_START = re.compile(_HEAD + rb"(MSH(?=[^A-Za-z0-9\r\n]))")
_LINE = re.compile(_HEAD + rb"(MSH(?=[^A-Za-z0-9\r\n])|(?:FHS|BHS|BTS|FTS)(?![A-Za-z0-9]))")
_ENVELOPE = re.compile(_HEAD + rb"(?:FHS|BHS|BTS|FTS)(?![A-Za-z0-9])[^\r\n]*[\r\n]*")
_OPENING = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:FHS|BHS)(?=[^A-Za-z0-9\r\n])")
_FRAMING = bytes.maketrans(b"\x0b\x1c", b"\r\r")
_ENDS = re.compile(rb"[\r\n]")
_FEWEST = 13  # fields of an envelope's header that are looked at


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages under one BHS (`header`, its line), or under none."""

    header: bytes
    messages: tuple[bytes, ...]
    faults: tuple[str, ...] = ()  # what is wrong with its envelope


@dataclass(frozen=True, slots=True)
class Envelope:
    """A file of batches, or a batch alone (`header` is empty then: no FHS)."""

    header: bytes
    batches: tuple[Batch, ...]
    faults: tuple[str, ...] = ()  # what is wrong with the file's own envelope

    @property
    def messages(self) -> tuple[bytes, ...]:
        """All messages, in their order."""
        return tuple([message for batch in self.batches for message in batch.messages])

    @property
    def all_faults(self) -> tuple[str, ...]:
        """Everything that is wrong with the envelopes: sentences without values of a message."""
        return (*[fault for batch in self.batches for fault in batch.faults], *self.faults)


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


def is_batch(data: bytes) -> bool:
    """Whether `data` begins as a batch or a file of batches does."""
    return _OPENING.match(data) is not None


def read_envelope(data: bytes) -> Envelope:
    """The batches in `data`, with what is wrong with their counts and their bounds.  Never raises."""
    if b"\x0b" in data or b"\x1c" in data:
        data = data.translate(_FRAMING).strip(b"\r")
    return _Reading().all_of(data)


class _Reading:
    """Goes through the lines that begin something."""

    def __init__(self) -> None:
        self._file = b""
        self._done: list[Batch] = []
        self._header: bytes | None = None  # of the batch that is open
        self._messages: list[bytes] = []
        self._faults: list[str] = []  # of that batch
        self._own: list[str] = []  # of the file

    def all_of(self, data: bytes) -> Envelope:
        starts = [(match[1], match.start(1)) for match in _LINE.finditer(data)]
        ends = [*[at for _, at in starts[1:]], len(data)][: len(starts)]
        before = data[: starts[0][1]] if starts else data
        self._stray(before.replace(b"\xef\xbb\xbf", b""))
        ended = False
        for (name, start), end in zip(starts, ends, strict=True):
            chunk = data[start:end]
            if ended:
                self._own.append("something follows FTS")
            ended = name == b"FTS"
            if name == b"MSH":
                self._message(chunk)
            else:
                line, *rest = _ENDS.split(chunk, maxsplit=1)
                {b"FHS": self._fhs, b"BHS": self._bhs, b"BTS": self._bts, b"FTS": self._fts}[name](line)
                self._stray(*rest)
        self._close(missing=bool(self._header))
        if self._file and not ended:
            self._own.append("FTS is missing")
        return Envelope(self._file, tuple(self._done), tuple(dict.fromkeys(self._own)))

    def _stray(self, *rest: bytes) -> None:
        if any(each.strip() for each in rest):
            self._own.append("lines that belong to no message were left out")

    def _message(self, chunk: bytes) -> None:
        if self._header is None:
            self._header = b""
        self._messages.append(chunk)

    def _fhs(self, line: bytes) -> None:
        if self._file:
            self._own.append("there is a second FHS")
        self._file = self._file or line

    def _bhs(self, line: bytes) -> None:
        self._close(missing=bool(self._header))
        self._header = line

    def _bts(self, line: bytes) -> None:
        if self._header is None:
            self._own.append("a BTS ends no batch")
            return
        self._count(line, "BTS-1", len(self._messages), "messages", self._faults)
        self._close()

    def _fts(self, line: bytes) -> None:
        self._close(missing=bool(self._header))
        self._count(line, "FTS-1", len(self._done), "batches", self._own)

    def _close(self, missing: bool = False) -> None:
        if self._header is None:
            return
        if missing:
            self._faults.append("BTS is missing")
        number = len(self._done) + 1
        self._done.append(Batch(self._header, tuple(self._messages), tuple([f"batch {number}: {fault}" for fault in self._faults])))
        self._header, self._messages, self._faults = None, [], []

    @staticmethod
    def _count(line: bytes, place: str, found: int, what: str, faults: list[str]) -> None:
        said = (line[4:].split(line[3:4])[0] if len(line) > 3 else b"").strip()
        if said and not (said.isdigit() and len(said) < 10):
            faults.append(f"{place} is no number; {found} {what} came")
        elif said and int(said) != found:
            faults.append(f"{place} says {int(said)}, {found} {what} came")


def acknowledge_envelope(envelope: Envelope, answers: Sequence[bytes | None], *, control_id: str, when: datetime) -> bytes:
    """The batch that answers `envelope`: its own form, sender and receiver exchanged, and an acknowledgment for each message.

    `answers` are in the order of the messages; None for one that is owed none.  What is wrong with a batch's envelope stands in
    its BTS-2, with the file's in FTS-2.  FHS-12 and BHS-12 name what is answered.
    """
    lines: list[bytes] = []
    stamp, own = write_dtm(when).encode(), control_id.encode()
    remaining = iter(answers)
    separator, written, loose = b"|", 0, False  # batches in the answer; whether the last of them has no BHS
    if envelope.header:
        header, separator = _header(envelope.header, stamp, own)
        lines.append(header)
    for number, batch in enumerate(envelope.batches, 1):
        mine = [answer for _, answer in zip(batch.messages, remaining, strict=False) if answer is not None]
        faults = batch.faults if envelope.header else (*batch.faults, *(envelope.faults if number == len(envelope.batches) else ()))
        if batch.header:
            header, separator = _header(batch.header, stamp, b"%b-%d" % (own, number))
            lines.append(header)
        lines += mine
        written += bool(batch.header) or bool(mine) and not loose
        loose = not batch.header and (bool(mine) or loose)
        if batch.header or not envelope.header:
            lines.append(_trailer(b"BTS", len(mine), faults, separator))
    if envelope.header:
        unsaid = [fault for batch in envelope.batches if not batch.header for fault in batch.faults]
        lines.append(_trailer(b"FTS", written, (*unsaid, *envelope.faults), separator))
    return b"".join([line if line.endswith(b"\r") else line + b"\r" for line in lines])


def _header(line: bytes, stamp: bytes, control_id: bytes) -> tuple[bytes, bytes]:
    """FHS or BHS of the answer, and the separator it uses.  Fields 11 and 12: our control id, and the one that is answered.

    Where the sender gave no control id, its name for the file or batch (field 9) is what it can recognise the answer by.
    """
    separator = line[3:4]
    fields = line.split(separator)
    fields += [b""] * (_FEWEST - len(fields))
    encoding, application, facility, receiver, place = fields[1:6]
    parties, reference = (receiver, place, application, facility), fields[10] or fields[8]
    answer = [line[:3], encoding or b"^~\\&", *parties, stamp, b"", fields[8], b"", control_id, reference]
    return separator.join(answer).rstrip(separator), separator


def _trailer(name: bytes, count: int, faults: Sequence[str], separator: bytes) -> bytes:
    said = "; ".join(faults).encode("ascii", "replace").replace(separator, b" ")
    return separator.join([name, b"%d" % count, said]) if said else separator.join([name, b"%d" % count])

"""An HL7 v2 message as a lazy view over its text: segments and fields are cut when first asked for, parts when read.

What came in is kept byte for byte: `bytes(message)` of an untouched message is what was parsed.  Nothing here knows
structures, tables or types.  A byte order mark, blanks before MSH and the remains of an MLLP frame are borne.
"""

from __future__ import annotations

from transforms.document import Note
from transforms.errors import ErrorCode, MessageError
from transforms.hl7.characters import codec_for, decode
from transforms.hl7.delimiters import HEADERS, STANDARD, Delimiters, read_delimiters
from transforms.hl7.escapes import unescape
from transforms.hl7.lines import segments_of
from transforms.hl7.path import EVERY, UNSAID, Path, parse_path

_LEADING = "\ufeff\x0b\x1c\0 \t\r\n"
NULL = '""'  # the sender's word for: remove what you hold


class Segment:
    """One segment.  `fields[n]` is field n as it stands in the message; `fields[0]` is the name, MSH-1 is `fields[1]`."""

    __slots__ = ("_written", "fields", "name", "occurrence", "position", "text")

    name: str
    text: str
    position: int  # from 0, in the message
    occurrence: int  # from 1, among the message's segments of this name
    fields: list[str]

    def __init__(self, name: str, text: str, fields: list[str], position: int, occurrence: int, written: tuple[Delimiters, str]) -> None:
        """`written`: the message's delimiters and codec."""
        self.name = name
        self.text = text
        self.fields = fields
        self.position = position
        self.occurrence = occurrence
        self._written = written

    def __repr__(self) -> str:
        return f"<{self.place}>"

    @property
    def delimiters(self) -> Delimiters:
        """The message's delimiters."""
        return self._written[0]

    @property
    def place(self) -> str:
        """How errors and notes name it: `PID`, `OBX[3]`."""
        return self.name if self.occurrence == 1 else f"{self.name}[{self.occurrence}]"

    def raw(self, field: int) -> str:
        """The text of a field as it stands in the message, with its repetitions; empty if absent."""
        fields = self.fields
        return fields[field] if field < len(fields) else ""

    def get(self, field: int, component: int = 0, subcomponent: int = 0, repetition: int = 1) -> str | None:
        """What stands there, unescaped: None if nothing does, `""` (NULL) if the sender means nothing to be there.

        What still has parts of its own (a field without `component`) is given as it stands.
        """
        return self.part(Path(self.name, 1, field, repetition, component, subcomponent))

    def repetitions(self, field: int) -> list[str]:
        """The field's repetitions as they stand in the message, empty ones included; none if the field is empty."""
        text = self.raw(field)
        if not text:
            return []
        if self._whole(field):
            return [text]
        return text.split(self.delimiters.repetition)

    def _whole(self, field: int) -> bool:
        """MSH-1 and MSH-2 are the delimiters themselves, never cut by them."""
        return field <= 2 and self.position == 0

    def part(self, path: Path) -> str | None:
        """What stands at `path` in this segment: see `Message.get`; its segment and occurrence do not matter."""
        number = path.field
        fields = self.fields
        text = fields[number] if number < len(fields) else ""
        if not text:
            return None
        repetition, component = path.repetition, path.component
        if number <= 2 and self._whole(number):
            return text if repetition <= 1 and component <= 1 and path.subcomponent <= 1 else None
        delimiters = self._written[0]
        if delimiters.repetition in text:
            if repetition or component:
                text = _nth(text, delimiters.repetition, max(repetition, 1))
        elif repetition > 1:
            return None
        if component:
            text = _nth(text, delimiters.component, component)
            if path.subcomponent:
                text = _nth(text, delimiters.subcomponent, path.subcomponent)
        if not text:
            return None
        return unescape(text, delimiters, self._written[1]) if delimiters.escape in text and not self._has_parts(text) else text

    def _has_parts(self, text: str) -> bool:
        delimiters = self.delimiters
        return delimiters.component in text or delimiters.subcomponent in text or delimiters.repetition in text


class Message:
    """A parsed message.  Values in, values out: `replace` gives a new one."""

    __slots__ = ("_bom", "_by_name", "_codec", "_encoding", "_header", "_lines", "_segments", "_version", "delimiters", "notes", "raw", "text")

    raw: bytes
    text: str  # from MSH on, decoded
    delimiters: Delimiters
    notes: tuple[Note, ...]  # what was odd about reading it

    def __init__(self, raw: bytes, text: str, delimiters: Delimiters, codec: str, bom: bytes, notes: tuple[Note, ...]) -> None:
        self.raw, self.text, self.delimiters, self.notes = raw, text, delimiters, notes
        self._codec, self._bom = codec, bom
        self._lines = self._header = self._segments = self._by_name = self._version = self._encoding = None

    def __bytes__(self) -> bytes:
        return self.raw

    def __repr__(self) -> str:
        return f"<Message of {len(self.segments)} segments>"

    @property
    def lines(self) -> tuple[list[str], list[str]]:
        """The segments' names, and their texts: for who needs a few of many."""
        found = self._lines
        if found is None:
            found = self._lines = segments_of(self.text, self.delimiters.field)
        return found

    @property
    def header(self) -> list[str]:
        """MSH's fields: `header[n]` is MSH-n as it stands, as far as there are any.  No other segment is cut for it."""
        found = self._header
        if found is None:
            separator = self.delimiters.field
            found = self._header = self.lines[1][0].split(separator)
            found.insert(1, separator)
        return found

    @property
    def segments(self) -> list[Segment]:
        """All segments in their order."""
        found = self._segments
        if found is None:
            found = self._segments = _segments(self.lines, self.delimiters, self._codec)
        return found

    @property
    def version(self) -> str:
        """MSH-12.1, as `2.5.1`; empty if it is not given."""
        if self._version is None:
            said = self._said(12).partition(self.delimiters.component)[0]
            self._version = unescape(said, self.delimiters).strip()
        return self._version

    @property
    def encoding(self) -> str:
        """The Python codec to write text for this message with."""
        if self._encoding is None:
            self._encoding = self._codec
            if self._codec == "ascii":
                declared = codec_for(self._said(18), self.delimiters.repetition) or "ascii"
                self._encoding = "utf-8" if declared in ("utf-16", "utf-32") else declared
        return self._encoding

    @property
    def byte_order_mark(self) -> bytes:
        """What the message began with, if it was a byte order mark."""
        return self._bom

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        found = self._named().get(name)
        return found[0] if found else None

    def each(self, name: str) -> list[Segment]:
        """All segments of that name."""
        return self._named().get(name) or []

    def get(self, path: str) -> str | None:
        """What stands at `path`, unescaped: None if nothing does, `""` (NULL) as it is.

        Without an index it is the first segment, and the first repetition of a component; `PID-3` is the whole field.  What
        still has parts of its own (`PID-5` of several components) is given as it stands, a segment alone as its text.
        """
        place = parse_path(path)
        found = self._named().get(place.segment)
        number = place.occurrence or 1
        if not found or number > len(found):
            return None
        segment = found[number - 1 if number > 0 else 0]
        return segment.part(place) if place.field else segment.text

    def all(self, path: str) -> list[str]:
        """All that stands at `path`: every segment and every repetition unless the path picks one; empty ones left out."""
        place = parse_path(path)
        values: list[str | None] = []
        for segment in self.chosen(place, every=True):
            if not place.field:
                values.append(segment.text)
            elif place.repetition > 0:
                values.append(segment.part(place))
            else:
                count = len(segment.repetitions(place.field))
                values += [segment.part(place._replace(repetition=number)) for number in range(1, count + 1)]
        return [value for value in values if value]

    def replace(self, path: str, value: str | None, *, escaped: bool = False) -> Message:
        """The message with `value` at `path`, all else byte for byte as it was; None or empty leaves nothing there.

        `value` is plain text unless `escaped`: then it is HL7 text and may hold parts.  Without an index, `PID-5` is the
        whole field of the first PID and `PID-5.1` a component of its first repetition; `NK1[*]-2` reaches every NK1.  Raises
        MessageError where there is no such segment or the message's character set cannot say it.
        """
        from transforms.hl7.writer import replaced  # the writer makes messages, so it stands above them

        return replaced(self, parse_path(path), value or "", escaped)

    def _said(self, number: int) -> str:
        """A field of MSH as it stands."""
        return self.header[number] if number < len(self.header) else ""

    def _named(self) -> dict[str, list[Segment]]:
        named = self._by_name
        if named is None:
            named = self._by_name = {}
            for segment in self.segments:
                named.setdefault(segment.name, []).append(segment)
        return named

    def chosen(self, path: Path, every: bool = False) -> list[Segment]:
        """The segments a path means: the one it numbers, every one for `[*]`, else the first (all, if `every`)."""
        found = self.each(path.segment)
        if path.occurrence == EVERY or (path.occurrence == UNSAID and every):
            return found
        index = max(path.occurrence, 1) - 1
        return found[index : index + 1]


def parse(raw: bytes, *, charset_policy: str = "replace") -> Message:
    """Read one message.  Raises MessageError (fatal) if it is none: no MSH, no delimiters, or more than one MSH.

    `charset_policy` `strict` also refuses bytes that are not in the declared character set.
    """
    if not isinstance(raw, bytes):
        raw = bytes(raw)
    text, codec, bom, notes = decode(raw, charset_policy)
    if text.startswith("MSH|^~\\&|"):
        delimiters = STANDARD
    else:
        text = text.lstrip(_LEADING)
        if not text.startswith("MSH"):
            raise _no_message(text)
        delimiters = read_delimiters(text)
    start = "MSH" + delimiters.field
    again = text.find(start, 4)
    while again > 0:
        if text[again - 1] in "\r\n":
            raise MessageError(ErrorCode.SEGMENT_SEQUENCE, "MSH[2]", "more than one message in one frame", fatal=True)
        again = text.find(start, again + 1)
    return Message(raw, text, delimiters, codec, bom, notes)


def _no_message(text: str) -> MessageError:
    if text[:3] in HEADERS:
        return MessageError(ErrorCode.UNSUPPORTED_MESSAGE_TYPE, text[:3], "this is a batch, not a message", fatal=True)
    return MessageError(ErrorCode.SEGMENT_SEQUENCE, "MSH", "what came does not begin with MSH", fatal=True)


def _segments(lines: tuple[list[str], list[str]], delimiters: Delimiters, codec: str) -> list[Segment]:
    separator, written = delimiters.field, (delimiters, codec)
    counts: dict[str, int] = {}
    found: list[Segment] = []
    for name, line in zip(*lines, strict=True):
        counts[name] = occurrence = counts.get(name, 0) + 1
        found.append(Segment(name, line, line.split(separator), len(found), occurrence, written))
    found[0].fields.insert(1, separator)
    return found


def _nth(text: str, separator: str, number: int) -> str:
    if number == 1:
        return text.partition(separator)[0]
    parts = text.split(separator, number)
    return parts[number - 1] if len(parts) >= number else ""

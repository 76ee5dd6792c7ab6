"""Setting values in a message: the one segment is written anew, the rest stays byte for byte.

Missing fields, repetitions and components before the place are made, empty.  Setting MSH-18 writes the whole message in
the new character set; setting MSH-2 to other delimiters is refused, as it would change what every segment says.
"""

from __future__ import annotations

from transforms.errors import ErrorCode, MessageError
from transforms.hl7.characters import codec_for
from transforms.hl7.delimiters import ABSENT, Delimiters
from transforms.hl7.editing import edited, joined
from transforms.hl7.escapes import escape
from transforms.hl7.lines import physical_lines
from transforms.hl7.message import NULL, Message, Segment, parse
from transforms.hl7.path import EVERY, UNSAID, Path

_MOST = 10_000  # parts that may be padded: a path of a configuration, not of a message


def replaced(message: Message, path: Path, value: str, escaped: bool) -> Message:
    """`message` with `value` at `path`: see Message.replace."""
    segments = message.chosen(path)
    if not segments:
        raise MessageError(ErrorCode.REQUIRED_FIELD_MISSING, str(path), "there is no such segment to set a value in")
    if not path.field or max(path[2:]) > _MOST:
        raise MessageError(ErrorCode.DATA_TYPE, str(path), "a value is set in a field")
    if path.segment == "MSH" and path.field <= 2:
        raise MessageError(ErrorCode.DATA_TYPE, str(path), "the delimiters of a message cannot be set")
    text = value if escaped or value == NULL else escape(value, message.delimiters)
    if escaped and any(each in value for each in (message.delimiters.field, "\r", "\n")):
        raise MessageError(ErrorCode.DATA_TYPE, str(path), "HL7 text for a field holds no field separator and no line end")
    changed = {segment.position: _with_field(segment, path, text) for segment in segments}
    if path.segment == "MSH" and path.field == 18:
        return _rewritten(message, changed, path)
    return edited(message, changed, str(path))


def _with_field(segment: Segment, path: Path, value: str) -> str:
    """The segment's text with the field set."""
    fields = list(segment.fields)
    fields += [""] * (path.field + 1 - len(fields))
    fields[path.field] = _with_value(fields[path.field], path, value, segment.delimiters)
    return joined(segment, fields)


def _with_value(field: str, path: Path, value: str, delimiters: Delimiters) -> str:
    """A field's text with the repetition, component or subcomponent set."""
    if path.repetition == UNSAID and not path.component:
        return value
    if path.repetition == EVERY:
        chosen = range(1, max(len(field.split(delimiters.repetition)), 1) + 1)
    else:
        chosen = range(max(path.repetition, 1), max(path.repetition, 1) + 1)
    for number in chosen:
        field = _set(field, (number, path.component, path.subcomponent), value, _separators(delimiters), path)
    return field


def _separators(delimiters: Delimiters) -> tuple[str, str, str]:
    return (delimiters.repetition, delimiters.component, delimiters.subcomponent)


def _set(text: str, numbers: tuple[int, ...], value: str, separators: tuple[str, ...], path: Path) -> str:
    """`text` with its part number `numbers[0]` set, that part's part `numbers[1]` … ; 0: the part as a whole."""
    if not numbers or not numbers[0]:
        return value
    separator, number = separators[0], numbers[0]
    if separator == ABSENT and number > 1:
        raise MessageError(ErrorCode.DATA_TYPE, str(path), "the message declares no delimiter for such parts")
    parts = text.split(separator)
    parts += [""] * (number - len(parts))
    parts[number - 1] = _set(parts[number - 1], numbers[1:], value, separators[1:], path)
    return separator.join(parts)


def _rewritten(message: Message, changed: dict[int, str], path: Path) -> Message:
    """The whole message in the character set that its new MSH-18 names."""
    pieces = physical_lines(message.text, message.delimiters.field)
    text = "".join(changed.get(segment, piece) for piece, segment in pieces)
    declared = changed[0].split(message.delimiters.field, 18)
    codec = codec_for(declared[17] if len(declared) > 17 else "", message.delimiters.repetition)
    if codec is None:
        raise MessageError(ErrorCode.TABLE_VALUE, str(path), "no such character set is known (table 0211)")
    try:
        return parse(message.byte_order_mark + text.encode(codec) if codec == message.encoding else text.encode(codec))
    except UnicodeEncodeError:
        why = "the new character set cannot say what the message says"
        raise MessageError(ErrorCode.DATA_TYPE, str(path), why) from None

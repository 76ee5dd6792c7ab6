"""The characters that cut an HL7 message into pieces, as its own MSH-1 and MSH-2 say (HL7 v2.5.1, 2.5.4).

What a sender does not declare it does not use: an undeclared delimiter is `ABSENT`, a character that is in no text, so
that cutting by it leaves the text whole (`Smith & Sons` stays one name where MSH-2 is `^~`).
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.errors import ErrorCode, MessageError

ABSENT = "\ufdd0"  # a Unicode noncharacter
HEADERS = ("MSH", "FHS", "BHS")  # the segments whose first field is the field separator itself


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The delimiters of one message; `truncation` is the fifth character of MSH-2 (HL7 2.7 on)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ABSENT

    @property
    def encoding_characters(self) -> str:
        """MSH-2 as these delimiters would be declared."""
        return "".join(each for each in self.special[1:] if each != ABSENT)

    @property
    def special(self) -> tuple[str, str, str, str, str, str]:
        """All of them, in the order of MSH-1 and MSH-2."""
        return (self.field, self.component, self.repetition, self.escape, self.subcomponent, self.truncation)


STANDARD = Delimiters()
_known: dict[str, Delimiters] = {"|^~\\&": STANDARD}
_REMEMBERED = 1000


def read_delimiters(header: str) -> Delimiters:
    """The delimiters that a text starting with `MSH` (or `FHS`, `BHS`) declares.  Raises MessageError if it declares none."""
    separator = header[3:4]
    end = header.find(separator, 4) if separator else -1
    declared = header[3:end] if end >= 0 else header[3:]
    if "\r" in declared or "\n" in declared:
        declared = declared.split("\r", 1)[0].split("\n", 1)[0]
    known = _known.get(declared)
    if known is None:
        known = _declared(header[:3], declared)
        if len(_known) < _REMEMBERED:
            _known[declared] = known
    return known


def _declared(segment: str, declared: str) -> Delimiters:
    """`declared` is MSH-1 and MSH-2 together, as `|^~\\&`."""
    separator, others = declared[:1], declared[1:].rstrip(" ")
    if not _usable(separator):
        raise MessageError(ErrorCode.REQUIRED_FIELD_MISSING, f"{segment}-1", "no field separator follows the segment's name", fatal=True)
    if not others:
        raise MessageError(ErrorCode.REQUIRED_FIELD_MISSING, f"{segment}-2", "no encoding characters", fatal=True)
    characters = list(dict.fromkeys(others))  # `^~\\\\&`, escaped once too often by the sender, means `^~\\&`
    if len(characters) > 5 or not all(map(_usable, characters)) or separator in characters:
        raise MessageError(ErrorCode.DATA_TYPE, f"{segment}-2", "these are no encoding characters", fatal=True)
    return Delimiters(separator, *(characters + [ABSENT] * 5)[:5])


def _usable(character: str) -> bool:
    return bool(character) and not character.isalnum() and character > " " and character != "\x7f"

"""What a map's function may know while it converts one field: delimiters, sender, zone, options; and where to put a note.

A Reading serves one message.  Whatever it says of the sender is the same for all messages of an environment (see
`environment`), which is why values computed with it may be kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transforms.document import Context, Note
from transforms.hl7.delimiters import Delimiters
from transforms.hl7.escapes import unescape
from transforms.hl7.message import NULL
from transforms.mapping.identity import authority, declared
from transforms.mapping.options import MapOptions

_UNSAYABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SAYABLE = b"\t\n\r" + bytes(range(0x20, 0x100))


def sayable(text: str) -> str:
    """`text` with U+FFFD for what no FHIR string may hold: control characters but tab and line ends (R4, `string`)."""
    if text.encode("utf-8", "replace").translate(None, _SAYABLE):
        return _UNSAYABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text


class Reading:
    """One message being read.  Functions of `as:` get it as their second argument."""

    __slots__ = (
        "delimiters", "component", "subcomponent", "repetition", "escape", "codec",
        "context", "options", "sender", "version", "offset", "zone", "notes", "remarks", "_at",
    )  # fmt: skip

    def __init__(
        self,
        delimiters: Delimiters,
        context: Context,
        options: MapOptions,
        *,
        sender: tuple[str, str] = ("", ""),
        version: str = "",
        offset: str = "",
        zone: str = "",
        codec: str = "utf-8",
    ) -> None:
        self.delimiters = delimiters
        self.component, self.subcomponent = delimiters.component, delimiters.subcomponent
        self.repetition, self.escape = delimiters.repetition, delimiters.escape
        self.context, self.options = context, options
        self.sender = sender  # MSH-3.1, MSH-4.1
        self.version = version  # MSH-12.1
        self.offset = offset  # MSH-7's own, such as `+0100`; '' if it has none
        self.zone = zone  # the channel's IANA zone where it agrees with `offset` (rule 15), else ''
        self.codec = codec  # the message's own, for `\\X..\\`
        self._at: int | str = 0
        self.notes: list[Note] = []
        self.remarks: list[tuple[str, str | int, Any]] = []  # what functions said, to be said again with a kept value

    def components(self, text: str) -> list[str]:
        """The components of a field's repetition, raw."""
        return text.split(self.component)

    def subcomponents(self, text: str) -> list[str]:
        """The subcomponents of a component, raw."""
        return text.split(self.subcomponent)

    def text(self, raw: str) -> str:
        """Raw text as a reader sees it: escape sequences resolved."""
        return sayable(unescape(raw, self.delimiters, self.codec)) if self.escape in raw else raw

    def authority(self, namespace: str, universal: str = "", kind: str = "") -> str:
        """The URI of an assigning authority given as HD components (unescaped), or '' where none is honest (rule 1)."""
        return authority(namespace, universal, kind, self.sender, self.context.identity)

    def assigner(self, parts: tuple[str, ...]) -> str:
        """The same of an HD's components as they stand in the message."""
        clear = [self.text(each) if each != NULL else "" for each in (*parts, "", "")]
        return self.authority(clear[0], clear[1], clear[2])

    def declared(self, namespace: str) -> str:
        """The URI that the site's table gives a namespace of this sender, or ''."""
        return declared(namespace, self.sender, self.context.identity)

    def note(self, code: str, sentence: str) -> None:
        """Say that something odd was borne at the place being read.  Never put a value into the sentence."""
        self.remarks.append(("note", code, sentence))
        self.notes.append(Note(code, "", sentence))

    def left(self, what: int | str, subcomponent: int = 0) -> None:
        """Say what a value does not carry: a component of the text (its number; or one part of it), or the field a `with:` value was read from."""
        self.remarks.append(("left", self._standing_at(what), subcomponent or ""))

    @contextmanager
    def reading_at(self, place: int | str) -> Iterator[None]:
        """While what stands elsewhere is converted: in a component of the text (its number), or in a field a `with:` value names."""
        around = self._at
        self._at = self._standing_at(place)
        try:
            yield
        finally:
            self._at = around

    def _standing_at(self, what: int | str) -> int | str:
        """A component of what is read elsewhere, said of the text or field it stands in."""
        if not self._at or isinstance(what, str):
            return what
        return self._at if isinstance(self._at, int) or "." in self._at else f"{self._at}.{what}"

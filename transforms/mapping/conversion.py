"""One message being converted: its fields, what was read of them, what came of them, and what was said on the way.

Generated code works on this and nothing else.  Where something odd is said, the place is found by looking which generated
line is being run: nothing is paid for it until then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from transforms.document import Note
from transforms.hl7.message import Message
from transforms.mapping.arrangement import Plan
from transforms.mapping.reading import Reading

NULL = '""'  # HL7's "delete what you have": a value, and no text
SKIP = ""  # kept in a memo: known to give nothing, and nothing to be said about it
GENERATED = "<flue map "  # how the file names of generated code begin


@dataclass(frozen=True, slots=True)
class Line:
    """What a line of generated code stands for."""

    rule: str
    file: str
    line: int
    column: int
    segment: str = ""
    field: int = 0
    withs: Mapping[str, tuple[str, int]] = None  # type: ignore[assignment]
    sole: bool = True  # nothing else reads the field
    function: str = ""  # what `as:` names
    table: str = ""  # what `codes:` names


class Conversion(Reading):
    """One message being converted: its fields, what was read of them, what came of them.

    `rows` are the segments' fields, one blank row behind the last (index -1: a segment that is not there); `used` the
    bits of the fields read.  Nodes are what a plan numbers: `outs` their resources, `refs` references to them.
    """

    __slots__ = (
        "rows", "used", "plan", "entries", "urls", "outs", "refs", "keys", "ids", "ordinals", "leftover", "aliases",
        "trace", "forms", "weak", "systems", "codes", "name", "issuer", "followers", "originals", "noted", "repeated", "odd", "logical",
        "pending", "kept", "removed", "message", "received", "lengths", "repeating",
    )  # fmt: skip

    message: Message
    removed: list[tuple[int, str]]  # nodes that are updates, and their elements of which a field says `""`
    received: Message  # as it came, before any step
    plan: Plan
    lengths: list[int]  # of the rows, as they came
    rows: list[list[str]]
    used: list[int]
    entries: list[dict[str, Any]]
    urls: dict[str, int]  # fullUrl -> index of its entry
    kept: set[str]  # of those: entries that belong to what is kept for other messages
    outs: list[dict[str, Any] | None]
    refs: list[dict[str, Any] | None]
    keys: list[str]
    ids: list[str]
    ordinals: dict[str, int]
    leftover: list[tuple[int, ...]]  # (segment, field, repetition, component[, subcomponent]), 0 where it is the whole
    repeating: int  # which repetition of several is being converted; 0: none, or the only one
    aliases: dict[int, tuple[int, int, int]]  # made-up segments: -> (the one it was made from, repetition, field)
    followers: dict[int, tuple[int, int]]  # segments whose text went into another: -> (that one, the field)
    originals: dict[int, list[str]]  # rows as they came, where another stands in their place
    trace: list[Any]  # what `explain` is told: (holder, name, index, line, places)
    forms: list[dict[str, Any] | None]  # nodes that are no entry: the resource to be contained
    odd: bool  # some OBX may have to be joined or split, or says no value
    logical: list[dict[str, Any] | None]  # the same nodes: a reference by identifier (rule 7)
    pending: dict[int, tuple[tuple[int, int], ...]]  # nodes nobody holds yet: segments and what was read of them
    noted: set[tuple[str, str, int]]  # what was noted of which field
    repeated: set[int]  # remarks said again in this message
    weak: list[int]  # nodes known by their place in the message only (rule 2)
    systems: dict[tuple[Any, ...], str]  # of the environment: HD -> URI; by its components, or as they stand
    codes: dict[str, str]  # of the environment: raw CWE -> its part of a key
    name: Callable[[str], str]  # key -> UUID
    issuer: str  # the `system` of identifiers that are our own keys; '' where the site has no URI for them

    @property
    def codec(self) -> str:  # type: ignore[override]  # asked for by hexadecimal escapes only
        """The message's codec."""
        return self.message.encoding

    def authority(self, namespace: str, universal: str = "", kind: str = "") -> str:
        """The URI of an assigning authority, kept per environment."""
        key = (namespace, universal, kind)
        uri = self.systems.get(key)
        if uri is None:
            if len(self.systems) > 1000:
                self.systems.clear()
            uri = self.systems[key] = super().authority(namespace, universal, kind)
        return uri

    def assigner(self, parts: tuple[str, ...]) -> str:
        """The URI for an HD's components as they stand in the message, kept per environment."""
        uri = self.systems.get(("raw", parts))
        if uri is None:
            uri = self.systems["raw", parts] = super().assigner(parts)  # `authority` sees to it that they do not become too many
        return uri

    def note(self, code: str, sentence: str) -> None:
        """Say that something odd was borne at the place being read; once a message of each code and field."""
        self.remarks.append(("note", code, sentence))
        position, line = self._standing()
        if line is None:
            self.notes.append(Note(code, "", sentence))
        elif (code, line.segment, line.field) not in self.noted:
            self.noted.add((code, line.segment, line.field))
            self.notes.append(Note(code, self.place_of(position(line.segment), line.field), sentence))

    def left(self, what: int | str, subcomponent: int = 0, repetition: int = 0) -> None:
        """Say what a value does not carry: a component (its number), or the field a `with:` value was read from (`unit`, `address.8`)."""
        if self._at and isinstance(self._at, int) and isinstance(what, int):
            subcomponent = 0  # a part of what stands in a component: of that component as a whole
        what, repetition = self._standing_at(what), repetition or self.repeating
        self.remarks.append(("left", what, (subcomponent, repetition)))
        position, line = self._standing()
        if line is None:
            return
        if isinstance(what, int):
            place = (position(line.segment), line.field, repetition, what)
        else:
            name, _, component = what.partition(".")
            if name not in line.withs:
                return
            segment, field = line.withs[name]
            place = (position(segment), field, 0, int(component or 0))
        self.leftover.append((*place, subcomponent) if subcomponent else place)

    def unread(self, repetition: int) -> None:
        """Say that a repetition of the field being read was not taken."""
        self.remarks.append(("unread", repetition, ""))
        position, line = self._standing()
        if line is not None and line.sole:
            self.leftover.append((position(line.segment), line.field, repetition, 0))

    def lost(self) -> None:
        """Say that what was made of the field being read could not be said: something else stands there."""
        position, line = self._standing()
        if line is not None and line.segment and (at := position(line.segment)) >= 0:
            self.leftover.append((at, line.field, 0, 0))

    def say_again(self, remarks: list[tuple[str, Any, Any]]) -> None:
        """Repeat what was said when a kept value was made."""
        again = id(remarks) in self.repeated
        self.repeated.add(id(remarks))
        for kind, what, sentence in remarks:
            if kind == "note":
                if again:
                    continue
                self.note(what, sentence)
            elif kind == "left":
                self.left(what, *sentence)
            else:
                self.unread(what)

    def place_of(self, position: int, field: int, repetition: int = 0, component: int = 0, subcomponent: int = 0) -> str:
        """`OBX[3]-15`, `PID-3[2].4`."""
        if position in self.aliases:
            position, own, split = self.aliases[position]
            repetition = own if field == split else repetition
        if not field:
            return self.plan.places[position]
        text = f"{self.plan.places[position]}-{field}"
        return text + (f"[{repetition}]" if repetition else "") + (f".{component}" if component else "") + (f".{subcomponent}" if subcomponent else "")

    def _standing(self) -> tuple[Callable[[str], int], Any]:
        """The generated line being run, found on the stack: nothing is paid for it until something is said."""
        frame = sys._getframe(2)
        while frame is not None and (frame.f_code.co_name[0] == "<" or not frame.f_code.co_filename.startswith(GENERATED)):
            frame = frame.f_back  # also out of a comprehension, which sees no positions
        if frame is None:
            return (lambda name: -1), None
        held = frame.f_locals
        line = frame.f_globals["LINES"].get(frame.f_lineno)
        if line is not None and not line.segment and "took" in held:  # a rule of several fields, one of which gave the value
            position, field = held["took"]
            return (lambda name: position), replace(line, segment="?", field=field)
        return (lambda name: held.get("i" + name, -1)), line

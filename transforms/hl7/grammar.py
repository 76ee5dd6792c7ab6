"""Message structures as HL7 writes them: `MSH [{SFT}] {PATIENT_RESULT([PATIENT(PID [PD1])] {ORDER(…)})} [DSC]`.

`[ ]` is optional, `{ }` repeats, `NAME( )` is a group, `( )` a group that has no name in the tree, `<A|B>` one of several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*([A-Z][A-Z0-9_]*|[\[\]{}()<>|])")


@dataclass(frozen=True, slots=True)
class Part:
    """A segment (no `parts`) or a group of a structure.  A group without a name shapes the order but is not in the tree."""

    name: str = ""
    optional: bool = False
    repeats: bool = False
    parts: tuple[Part, ...] = ()
    choice: bool = False

    @property
    def is_segment(self) -> bool:
        """Whether it is a segment."""
        return not self.parts

    @property
    def needed(self) -> bool:
        """Whether a message without it is incomplete."""
        if self.optional or self.is_segment:
            return not self.optional
        return (not self.choice and any(part.needed for part in self.parts)) or (self.choice and all(part.needed for part in self.parts))

    @property
    def leading(self) -> str:
        """The segment it starts with when complete."""
        return self.name if self.is_segment else self.parts[0].leading

    def segments(self) -> Iterator[str]:
        """The names of all segments in it."""
        if self.is_segment:
            yield self.name
        for part in self.parts:
            yield from part.segments()

    def __str__(self) -> str:
        text = self.name
        if self.choice:
            text = f"<{'|'.join(map(str, self.parts))}>"
        elif self.parts:
            text = f"{self.name}({' '.join(map(str, self.parts))})"
        text = f"{{{text}}}" if self.repeats else text
        return f"[{text}]" if self.optional else text


def parse_grammar(name: str, text: str) -> Part:
    """The structure `name` that `text` describes.  Raises ValueError where it is no grammar."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != "".join(text.split()):
        raise ValueError(f"{name}: not a grammar")
    parts, rest = _sequence(tokens, 0)
    if rest != len(tokens):
        raise ValueError(f"{name}: unbalanced at token {rest}")
    return Part(name, parts=parts)


def _sequence(tokens: list[str], at: int) -> tuple[tuple[Part, ...], int]:
    parts = []
    while at < len(tokens) and tokens[at] not in ")]}>":
        if tokens[at] == "|":
            at += 1
            continue
        part, at = _part(tokens, at)
        parts.append(part)
    return tuple(parts), at


def _part(tokens: list[str], at: int) -> tuple[Part, int]:
    token = tokens[at]
    if token in "[{":
        inner, at = _part(tokens, at + 1)
        optional, repeats = inner.optional or token == "[", inner.repeats or token == "{"
        return Part(inner.name, optional, repeats, inner.parts, inner.choice), at + 1
    if token == "<":
        parts, at = _sequence(tokens, at + 1)
        return Part(parts=parts, choice=True), at + 1
    name = "" if token == "(" else token
    at += 0 if token == "(" else 1
    if at < len(tokens) and tokens[at] == "(":
        parts, at = _sequence(tokens, at + 1)
        return Part(name, parts=parts), at + 1
    return Part(name), at

"""Python text being written: lines at a depth, which rule each stands for, and the objects it names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from transforms.mapping.conversion import Line


@dataclass
class Code:
    """Python text being written, its table of lines, and the objects it names."""


    lines: list[str] = field(default_factory=list)
    table: dict[int, Line] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)  # constants, the same in every environment
    bound: list[tuple[str, str, tuple[Any, ...]]] = field(default_factory=list)  # (name, kind, arguments), made per environment
    depth: int = 0
    line: Line | None = None

    def put(self, text: str) -> None:
        """One line at the current depth, standing for the current rule."""
        self.lines.append("    " * self.depth + text)
        if self.line is not None:
            self.table[len(self.lines)] = self.line

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """`head` and what is put inside it."""
        self.put(head)
        self.depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.put("pass")
        self.depth -= 1

    def constant(self, value: Any, prefix: str = "K") -> str:
        """A name for an object."""
        if isinstance(value, (str, int, bool)) or value is None:
            return repr(value)
        for name, known in self.names.items():
            if known is value and name.startswith(prefix):
                return name
        name = f"{prefix}{len(self.names)}"
        self.names[name] = value
        return name

    def pattern(self, wrap: Any, value: str) -> str:
        """An expression for a wrapping, with the local `value` in the place of `@`."""
        if wrap == "@":
            return value
        if isinstance(wrap, dict):
            return "{" + ", ".join(f"{key!r}: {self.pattern(each, value)}" for key, each in wrap.items()) + "}"
        if isinstance(wrap, list):
            return "[" + ", ".join(self.pattern(each, value) for each in wrap) + "]"
        return self.constant(wrap)

    def bind(self, kind: str, *arguments: Any) -> str:
        """A name for an object made anew in every environment."""
        name = f"{kind[0].upper()}{len(self.bound)}_"
        self.bound.append((name, kind, arguments))
        return name

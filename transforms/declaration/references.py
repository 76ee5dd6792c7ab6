"""`${env:NAME}`, `${env:NAME:-default}` and `${secret:name}` inside values: found, and replaced when a thing is opened.

Until then they stay what they are, so that a channel version can be stored and compared without a secret in it.  Nothing is
looked up here: whoever opens says how.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from transforms.declaration.reading import Path, scalar

REFERENCE = re.compile(r"\$\{(env|secret):([A-Za-z_][A-Za-z0-9_.-]*)(?::-([^{}]*))?\}")
_ATTEMPT = re.compile(r"\$\{[^}]*\}?")

Lookup = Callable[[str, str], str | None]
"""(kind, name) -> what it stands for, None where nothing is set.  kind is `env` or `secret`."""


@dataclass(frozen=True)
class Reference:
    """One reference in a value."""

    path: Path
    kind: str
    name: str
    default: str | None

    def __str__(self) -> str:
        return "${%s:%s}" % (self.kind, self.name)


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every scalar of a plain value, with its path."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from walk(each, path + (key,))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from walk(each, path + (index,))
    else:
        yield path, value


def references(value: Any) -> list[Reference]:
    """Every reference in a plain value."""
    texts = ((path, each) for path, each in walk(value) if isinstance(each, str) and "${" in each)
    return [Reference(path, *match.groups()) for path, text in texts for match in REFERENCE.finditer(text)]


def malformed(value: Any) -> list[tuple[Path, str]]:
    """What begins like a reference and is none: (path, what stands there)."""
    texts = ((path, each) for path, each in walk(value) if isinstance(each, str) and "${" in each)
    return [(path, match[0]) for path, text in texts for match in _ATTEMPT.finditer(text) if not REFERENCE.fullmatch(match[0])]


def is_reference(value: Any) -> bool:
    """Whether a value is, or holds, a reference."""
    return isinstance(value, str) and REFERENCE.search(value) is not None


def resolve_text(text: str, lookup: Lookup) -> Any:
    """A text with its references replaced; None where one of them is unset.

    A text that is nothing but one reference is read as a scalar is: `${env:PORT}` may give a number.
    """
    missing = False

    def replacement(match: re.Match[str]) -> str:
        nonlocal missing
        found = lookup(match[1], match[2])
        found = match[3] if found is None or (found == "" and match[3] is not None) else found
        missing = missing or found is None
        return found or ""

    whole = REFERENCE.fullmatch(text)
    resolved = REFERENCE.sub(replacement, text)
    if missing:
        return None
    return scalar(resolved) if whole else resolved


def resolve(value: Any, lookup: Lookup) -> Any:
    """A plain value with every reference replaced that is set; the others stay."""
    if isinstance(value, dict):
        return {key: resolve(each, lookup) for key, each in value.items()}
    if isinstance(value, list):
        return [resolve(each, lookup) for each in value]
    if is_reference(value):
        resolved = resolve_text(value, lookup)
        return value if resolved is None else resolved
    return value

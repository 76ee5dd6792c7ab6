"""The package's maps and tables, read when they are asked for: an engine needs a few of them, and should not wait for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeVar

from transforms.errors import ConfigurationError
from transforms.mapping.definition import Definition, read_definition

T = TypeVar("T")

SEGMENTS, MESSAGES, TABLES = "segments", "messages", "tables"


class Shelf(Mapping[str, T]):
    """Things by name, in the order of the names; each is made when first asked for."""

    def __init__(self, names: Iterable[str], make: Callable[[str], T]) -> None:
        self._names, self._make = dict.fromkeys(sorted(names)), make
        self._made: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        found = self._made.get(name)
        if found is None:
            if name not in self._names:
                raise KeyError(name)
            found = self._made[name] = self._make(name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@cache
def packaged(kind: str) -> Shelf[Definition]:
    """The package's own: `segments`, `messages` or `tables`.  A file that cannot be read raises ConfigurationError when it is asked for."""
    found = {each.name.removesuffix(".yaml"): each for each in _folder(kind).iterdir() if each.name.endswith(".yaml")}
    return Shelf(found, lambda name: _read(kind, name, found[name]))


def _folder(kind: str) -> Traversable:
    return files("transforms.mapping").joinpath("maps", kind)


def _read(kind: str, name: str, file: Traversable) -> Definition:
    problems = []  # type: ignore[var-annotated]
    definition = read_definition(name, file.read_text(encoding="utf-8"), f"maps/{kind}/{name}.yaml", problems)
    if definition is None or any(each.severity == "error" for each in problems):
        raise ConfigurationError(tuple(problems))
    return definition

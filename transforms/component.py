"""How components are declared and found: steps, rules, functions, sources, destinations.

A component is a frozen pydantic dataclass whose fields are its YAML options.  `discover` imports a package's
modules in sorted order, so that their decorators register what they declare; a site's own come by entry
points (`flue.steps`, `flue.connectors`).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

from pydantic import Field

C = TypeVar("C", bound=type)

registry: dict[str, dict[str, type]] = {"step": {}, "rule": {}, "source": {}, "destination": {}}
"""kind -> name in YAML -> declaration."""


def option(description: str, default: Any = ..., **limits: Any) -> Any:
    """One YAML option of a component: what it does, its default (none: required), and limits as pydantic's Field takes them."""
    return Field(default=default, description=description, **limits)


def _register(kind: str, name: str) -> Callable[[C], C]:
    def register(declaration: C) -> C:
        other = registry[kind].setdefault(name, declaration)
        if other.__qualname__ != declaration.__qualname__:
            raise ValueError(f"two {kind}s are called {name}: {other.__module__} and {declaration.__module__}")
        declaration.component_name = name
        return declaration

    return register


def step(name: str) -> Callable[[C], C]:
    """Declare a step.  It is called with a Document and returns one, or has `prepare(resources)` returning such a callable."""
    return _register("step", name)


def rule(name: str) -> Callable[[C], C]:
    """Declare a filter's rule.  It is called with a Document and returns a bool, or has `prepare(resources)` as a step has."""
    return _register("rule", name)


def source(name: str) -> Callable[[C], C]:
    """Declare a source connector."""
    return _register("source", name)


def destination(name: str) -> Callable[[C], C]:
    """Declare a destination connector."""
    return _register("destination", name)


@dataclass(frozen=True)
class Resources:
    """What a site adds to a channel, as text: read by whoever loads, never by a step.

    `tables`: look-up table name -> CSV text (`conf/terminology/NAME.csv`); `maps`: file name -> YAML text
    (`conf/maps/`); `files` gives each its path for messages about it.  `settings`: what the channel says for all of its steps
    (`on_invalid`, `report_mode`, `unmapped`).
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    maps: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


def modules(package: ModuleType) -> Iterator[str]:
    """The names of a package's modules and subpackages, sorted, depth first."""
    for info in sorted(pkgutil.walk_packages(package.__path__, package.__name__ + "."), key=lambda info: info.name):
        yield info.name


def discover(package: ModuleType) -> None:
    """Import every module of `package`, so that what they declare is registered."""
    for name in modules(package):
        importlib.import_module(name)

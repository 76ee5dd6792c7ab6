"""Channels and maps in the folders and files that people name, read as the engine would read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from channels import loading
from channels.loading import Version
from engine import configuration
from transforms.declaration.reading import read
from transforms.errors import ConfigurationError, Problem
from transforms.mapping.examples import Outcome
from transforms.mapping.library import Library

MAP_KEYS = frozenset({"map", "table", "segments", "structures"})


@dataclass(frozen=True)
class Maps:
    """Maps and tables of a site: file name -> text, and -> the path that problems name.  `asked`: the paths that were meant."""

    texts: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()

    def library(self) -> Library:
        """The package's maps with these over them.  Raises ConfigurationError."""
        return Library.load(self.texts, self.paths)

    def run_tests(self) -> list[Outcome]:
        """The tests that the maps asked for carry.  Raises ConfigurationError."""
        library = self.library()
        named = [
            each.name for maps in (library.segment_maps, library.message_maps) for each in maps.values() if each.spot.file in self.asked
        ]
        return [outcome for name in named for outcome in library.test_map(name) if outcome.file in self.asked]


@dataclass(frozen=True)
class Found:
    """What stands behind a path."""

    channels: tuple[Version, ...] = ()
    problems: tuple[Problem, ...] = ()
    maps: Maps = Maps()
    kind: str = "channels"  # or `engine`, `maps`: the path names such a file

    @property
    def errors(self) -> list[Problem]:
        """What keeps something from working."""
        return [each for each in self.problems if each.severity == "error"]


def find(path: Path) -> Found:
    """Channels, maps and options behind a folder or a file, with every problem."""
    if path.is_dir():
        return _folder(path)
    if path.name == configuration.NAME:
        return Found(problems=configuration.load(path.parent).problems, kind="engine")
    keys = _keys(path)
    if keys & MAP_KEYS and "channel" not in keys:
        return _map_file(path)
    folder = path.parent.parent if path.parent.name == "channels" else path.parent
    loaded = loading.load(path, identity=configuration.load(folder).identity)
    return Found(loaded.channels, loaded.problems)


def _folder(path: Path) -> Found:
    maps = _below(path / "maps")
    if not any((path / name).exists() for name in ("channel.yaml", "channels", configuration.NAME)):
        own = maps if maps.texts else _below(path)
        if any(_keys(Path(each)) & MAP_KEYS for each in own.paths.values()):
            return Found(problems=_problems(own), maps=own, kind="maps")
    configured = configuration.load(path)
    loaded = loading.load(path, identity=configured.identity)
    problems = {*configured.problems, *loaded.problems, *_problems(maps)}
    return Found(loaded.channels, tuple(sorted(problems)), maps)


def _map_file(path: Path) -> Found:
    """One map: read among its neighbours, which it may extend; only its own problems count."""
    root = next((each for each in path.parents if each.name == "maps"), path.parent)
    maps = replace(_below(root), asked=frozenset({str(path)}))
    return Found((), tuple(each for each in _problems(maps) if each.file == str(path)), maps, "maps")


def _below(folder: Path) -> Maps:
    texts, paths = {}, {}
    for file in sorted(folder.rglob("*.yaml")):
        name = file.relative_to(folder).as_posix()
        texts[name], paths[name] = file.read_text("utf-8-sig", "replace"), str(file)
    return Maps(texts, paths, frozenset(paths.values()))


def _problems(maps: Maps) -> tuple[Problem, ...]:
    try:
        if maps.texts:
            maps.library()
    except ConfigurationError as error:
        return error.problems
    return ()


def _keys(path: Path) -> set[str]:
    value = read(path.read_text("utf-8-sig", "replace"), str(path)).value
    return {key for key in value if isinstance(key, str)} if isinstance(value, dict) else set()


def opened(version: Version) -> tuple[Version, list[str]]:
    """A version as the engine would open it, to be looked at: what is not set stays a reference.

    Also gives the unset references that bear on what the channel makes; those of destinations do not.
    """
    known = loading.surroundings(version.folder)
    defaults = {(each.kind, each.name) for each in version.references if each.default is not None}

    def lookup(kind: str, name: str) -> str | None:
        found = known(kind, name)
        return found if found is not None else "" if (kind, name) in defaults else f"${{{kind}:{name}}}"

    unset = {str(each) for each in version.references if each.path[:1] != ("destinations",) and lookup(each.kind, each.name) == str(each)}
    return version.opened(lookup), sorted(unset)

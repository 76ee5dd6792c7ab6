"""Channels out of files: every one of a folder, with every problem of all of them at once.

A folder holds `channel.yaml` or `channels/*.yaml`, beside them `maps/` and `terminology/`.  A channel version is a digest over
the channel, the maps and the tables; it is stored with their texts, references and all, and made anew from those.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from channels import checks
from channels.definition import Channel
from channels.routing import Route, reopened
from transforms.component import Resources
from transforms.declaration.building import FAILED, Builder
from transforms.declaration.reading import Located, read, spelled
from transforms.declaration.references import Lookup, Reference, references, resolve
from transforms.errors import ConfigurationError, Problem
from transforms.hl7.local import declares

IDENTITY = "identity.yaml"
"""Under which name the engine's identity, where a channel leans on it, stands among a version's files."""

_MAPS, _TABLES = "maps/", "terminology/"


@dataclass(frozen=True)
class Version:
    """A channel as of one day: its definition, and everything it is made of.

    `channel` still holds references as text until `opened`.  `files`: path inside the folder -> text, what `digest` is over.
    """

    channel: Channel
    route: Route
    digest: str
    files: Mapping[str, str]
    resources: Resources
    located: Located
    folder: Path

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.channel.channel

    @property
    def references(self) -> list[Reference]:
        """What must be known before the channel can be opened."""
        return references(self.located.value)

    def opened(self, lookup: Lookup | None = None) -> Version:
        """The same with its references resolved, to be run and never stored.  Raises ConfigurationError where one is unset."""
        lookup = lookup or surroundings(self.folder)
        if not self.references:
            return self
        if problems := checks.unset(self.located, lookup, "error"):
            _refuse(problems)
        located = replace(self.located, value=resolve(self.located.value, lookup))
        builder = Builder(located, checks.components())
        channel = builder.build(Channel, located.value)
        route = None if channel is FAILED else reopened(self.route, channel)
        if route is None:
            channel, route, problems = _declare(located, self.resources, self.folder, stored=True)
            if channel is None or route is None:
                _refuse(problems)
        return replace(self, channel=channel, route=route)


@dataclass(frozen=True)
class Loading:
    """What a folder or file gave: the channels that check, and every problem found."""

    channels: tuple[Version, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that keep a channel from being deployed."""
        return tuple(each for each in self.problems if each.severity == "error")


@dataclass
class _Folder:
    """A conf folder as read: texts by path, and what could not be read."""

    path: Path
    texts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def take(self, files: Iterable[Path]) -> list[str]:
        """Read files; gives their names inside the folder."""
        names = []
        for file in sorted(files):
            try:
                name = file.relative_to(self.path).as_posix()
                self.texts[name] = file.read_bytes().decode("utf-8-sig")
                names.append(name)
            except UnicodeDecodeError as error:
                line = error.object.count(b"\n", 0, error.start) + 1
                self.problems.append(Problem(str(file), line, 1, "encoding", "The file is not UTF-8 from here on."))
            except OSError as error:
                self.problems.append(Problem(str(file), 1, 1, "unreadable", f"The file cannot be read ({error.strerror})."))
        return names


def load(path: Path | str, *, lookup: Lookup | None = None, identity: Mapping[str, Any] | None = None, starting: bool = False) -> Loading:
    """Every channel of a folder (or the one in a file), and all problems.  Never raises for what stands in files.

    `identity`: the engine's defaults, as plain values.  `starting`: an unset reference is an error, not a warning.
    """
    path = Path(path)
    folder = _Folder(path if path.is_dir() else path.parent.parent if path.parent.name == "channels" else path.parent)
    names = folder.take(_channel_files(path))
    if not names and not folder.problems:
        folder.problems.append(_no_channel(path))
    resources = _resources(folder)
    lookup = lookup or surroundings(folder.path)
    versions = []
    for name in names:
        version, problems = _version(name, folder, resources, lookup, identity or {}, "error" if starting else "warning")
        folder.problems += problems
        versions += [version] if version else []
    folder.problems += checks.together([(each.channel, each.located) for each in versions])
    loading = Loading((), tuple(sorted(set(folder.problems))))
    wrong = {each.file for each in loading.errors}
    return replace(loading, channels=tuple(each for each in versions if each.located.file not in wrong))


def from_files(files: Mapping[str, str], folder: Path) -> Version:
    """A version made anew from what was stored of it.  Raises ConfigurationError where this release cannot run it."""
    kept = _Folder(folder, dict(files))
    names = [name for name in files if _is_channel(name)]
    resources = _resources(kept, stored=True)
    defaults = read(files[IDENTITY], IDENTITY).value if IDENTITY in files else {}
    version, problems = _version(names[0], kept, resources, surroundings(folder), defaults, "warning", stored=True)
    if version is None:
        _refuse(problems)
    return version


def surroundings(folder: Path, environment: Mapping[str, str] | None = None) -> Lookup:
    """Looks references up: `env` in the environment, `secret` as a file in `FOLDER/secrets` or systemd's credentials."""
    environment = os.environ if environment is None else environment
    places = [folder / "secrets", *(Path(each) for each in [environment.get("CREDENTIALS_DIRECTORY")] if each), Path("/run/secrets")]

    def lookup(kind: str, name: str) -> str | None:
        if kind == "env":
            return environment.get(name)
        for place in places:
            if (place / name).is_file():
                return (place / name).read_text("utf-8").rstrip("\r\n")
        return None

    return lookup


def _channel_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [file for file in (path / "channel.yaml", *(path / "channels").glob("*.yaml")) if file.is_file()]


def _is_channel(name: str) -> bool:
    return not name.startswith((_MAPS, _TABLES)) and name != IDENTITY


def _no_channel(path: Path) -> Problem:
    severity = "warning" if (path / "engine.yaml").is_file() else "error"
    return Problem(str(path), 1, 1, "no_channel", "Neither channel.yaml nor channels/*.yaml is here.", severity)


def _resources(folder: _Folder, stored: bool = False) -> Resources:
    if not stored:
        folder.take((folder.path / _MAPS).rglob("*.yaml"))
        folder.take((folder.path / _TABLES).rglob("*.csv"))
    maps = _below(folder, _MAPS)
    tables = {name.removesuffix(".csv"): text for name, text in _below(folder, _TABLES).items()}
    files = {name: str(folder.path / _MAPS / name) for name in maps}
    files |= {name: str(folder.path / _TABLES / f"{name}.csv") for name in tables}
    return Resources(tables, maps, files)


def _below(folder: _Folder, prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): text for name, text in folder.texts.items() if name.startswith(prefix)}


def _version(
    name: str, folder: _Folder, resources: Resources, lookup: Lookup, defaults: Mapping[str, Any], unset: str, stored: bool = False
) -> tuple[Version | None, list[Problem]]:
    files = {each: text for each, text in folder.texts.items() if each == name or each.startswith((_MAPS, _TABLES))}
    located = read(folder.texts[name], name if stored else str(folder.path / name))
    if declares(folder.texts[name]):  # segments and structures: taken beside those of the site's maps
        beside = {**resources.maps, name: folder.texts[name]}
        resources = replace(resources, maps=beside, files={**resources.files, name: located.file})
    if defaults and isinstance(located.value, dict):
        files[IDENTITY] = folder.texts.get(IDENTITY) or _as_yaml(defaults)
        located = _with_defaults(located, defaults)
    problems = checks.references(located) + checks.unset(located, lookup, unset)
    channel, route, found = _declare(_settled(located, lookup), resources, folder.path, stored=stored)
    problems += _without_unset(found, located, lookup)
    if channel is None or route is None:
        return None, problems
    return Version(channel, route, digest(files), dict(sorted(files.items())), resources, located, folder.path), problems


def digest(files: Mapping[str, str]) -> str:
    """The digest of a version: over every file's name and text, in the order of the names."""
    total = hashlib.sha256()
    for name, text in sorted(files.items()):
        content = text.encode()
        total.update(f"{len(name.encode())}:{name}{len(content)}:".encode() + content)
    return total.hexdigest()


def _declare(
    located: Located, resources: Resources, folder: Path, *, stored: bool = False
) -> tuple[Channel | None, Route | None, list[Problem]]:
    """The definition and its prepared route; None where a problem stands in the way."""
    builder = Builder(located, checks.components())
    channel = builder.build(Channel, located.value)
    if channel is FAILED:
        return None, None, builder.problems
    route, problems = checks.meaning(channel, located, resources, None if stored else folder)
    return channel, route, builder.problems + problems


def _settled(located: Located, lookup: Lookup) -> Located:
    """The values with those references replaced that stand where no text may stand, as in `limit: ${env:LIMIT}`."""
    builder = Builder(located, checks.components())
    if not references(located.value) or builder.build(Channel, located.value) is not FAILED:
        return located
    blamed = {(each.line, each.column) for each in builder.problems}
    value = located.value
    for reference in references(located.value):
        if located.place(reference.path) in blamed:
            value = _replaced(value, reference.path, lookup)
    return replace(located, value=value)


def _replaced(value: Any, path: tuple, lookup: Lookup) -> Any:
    if not path:
        return resolve(value, lookup)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(value[path[0]], path[1:], lookup)
    return copy


def _without_unset(problems: list[Problem], located: Located, lookup: Lookup) -> list[Problem]:
    """Problems but those about a value that nobody knows yet, which `unset` tells of."""
    places = {(each.line, each.column) for each in checks.unset(located, lookup, "warning")}
    return [each for each in problems if (each.line, each.column) not in places]


def _with_defaults(located: Located, defaults: Mapping[str, Any]) -> Located:
    own = located.value.get("identity", {})
    return replace(located, value={**located.value, "identity": {**defaults, **own}}) if isinstance(own, dict) else located


def _as_yaml(values: Mapping[str, Any]) -> str:
    """Plain values as YAML that `read` reads back: JSON is such YAML."""
    return json.dumps(values, default=spelled, sort_keys=True, ensure_ascii=False)


def _refuse(problems: Iterable[Problem]) -> NoReturn:
    raise ConfigurationError(tuple(sorted(set(problems))))

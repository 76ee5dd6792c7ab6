"""engine.yaml: what belongs to the whole engine and to no channel.  Every option has a default; the file may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass as plain
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from pydantic.dataclasses import dataclass

from channels import checks
from channels.definition import Identity
from channels.loading import surroundings
from transforms.component import option
from transforms.declaration.building import FAILED, Builder
from transforms.declaration.reading import Located, read
from transforms.declaration.references import Lookup, resolve
from transforms.errors import Problem

NAME = "engine.yaml"


@dataclass(frozen=True)
class Http:
    """The HTTP door: own API, health, metrics."""

    listen: str = option("Where to listen, as a Twisted endpoint; keep it on this machine.", default="tcp:8080:interface=127.0.0.1")


@dataclass(frozen=True)
class Store:
    """Where messages are kept."""

    path: str = option("The folder of the store, relative to this file's.", default="data", min_length=1)


@dataclass(frozen=True)
class Log:
    """What the engine says while it runs.  Never a value from a message."""

    level: Literal["debug", "info", "warning", "error"] = option("From which level on.", default="info")
    format: Literal["text", "json"] = option("For people, or for a collector.", default="text")


@dataclass(frozen=True)
class Configuration:
    """An engine's own options."""

    http: Http = option("The HTTP door.", default=Http())
    store: Store = option("The store.", default=Store())
    log: Log = option("The log.", default=Log())
    identity: Identity = option("How the site names things, for channels that do not say it themselves.", default=Identity())
    committer: Literal["thread", "loop"] = option(
        "Where the store commits: a thread of its own, or once a turn of the event loop.", default="thread"
    )


@plain(frozen=True)
class Configured:
    """What engine.yaml gave.  `configuration` is the default one where the file is absent or does not check."""

    configuration: Configuration = Configuration()
    identity: Mapping[str, Any] = field(default_factory=dict)  # plain values with references, for `channels.loading.load`
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps the engine from starting."""
        return tuple(each for each in self.problems if each.severity == "error")


def load(folder: Path | str, *, lookup: Lookup | None = None, starting: bool = False) -> Configured:
    """Read FOLDER/engine.yaml.  Never raises for what stands in it.  `starting`: an unset reference is an error."""
    file = Path(folder) / NAME
    if not file.is_file():
        return Configured()
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return Configured(problems=(Problem(str(file), 1, 1, "unreadable", "The file cannot be read as UTF-8 text."),))
    return configured(read(text, str(file)), lookup or surroundings(Path(folder)), starting)


def configured(located: Located, lookup: Lookup, starting: bool) -> Configured:
    """The configuration that a file's values make."""
    problems = checks.references(located) + checks.unset(located, lookup, "error" if starting else "warning")
    unset = {(each.line, each.column) for each in problems if each.code == "unset"}
    builder = Builder(located, {})
    built = builder.build(Configuration, resolve(located.value, lookup))
    problems += [each for each in builder.problems if (each.line, each.column) not in unset]
    identity = located.value.get("identity") if isinstance(located.value, dict) else None
    return Configured(
        Configuration() if built is FAILED else built, identity if isinstance(identity, dict) else {}, tuple(sorted(set(problems)))
    )

"""HL7 v2 to FHIR without an engine: by a map alone, or as a channel does it.

Both are called with a message's bytes and the time it counts as received at; both raise MessageError.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from channels.loading import Version
from engine.cli.folders import find, opened
from engine.cli.output import fail, say
from transforms.declaration.building import Placed
from transforms.declaration.suggestions import did_you_mean, enumerated
from transforms.document import FHIR_JSON, HL7, Context, Document, Identity
from transforms.errors import ConfigurationError, ErrorCode, MessageError
from transforms.hl7.message import Message, parse
from transforms.mapping.explaining import Explainer
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions
from transforms.pipeline import Filtered, Pipeline, build

MAP = "map_to_fhir"
Asked = tuple[Explainer, Message, Context]
"""What explains a message, and the message as it reaches the map."""


@dataclass(frozen=True)
class Overrides:
    """What the command line says in place of a channel."""

    zone: str = ""
    base: str = ""

    def context(self, context: Context) -> Context:
        """A context with this said instead."""
        identity = replace(context.identity, base=self.base or context.identity.base)
        return replace(context, timezone=self.zone or context.timezone, identity=identity)


class Convert(Protocol):
    """Makes a FHIR document of a message, or gives what can explain it."""

    def __call__(self, content: bytes, received: datetime) -> Document | Filtered: ...
    def asked(self, content: bytes, received: datetime) -> Asked | Filtered: ...


class OfMap:
    """Converts by a map of the package."""

    def __init__(self, name: str, overrides: Overrides) -> None:
        """Leaves with status 2 where there is no such map."""
        self._library, self._name, self._overrides = Library.load(), name, overrides
        if name != "auto" and name not in self._library.message_maps:
            known = ("auto", *self._library.message_maps)
            fail(f"there is no message map {name}{did_you_mean(name, known)}; known are {enumerated(known, 'and')}", 2)
        self._convert = self._library.converter(name, MapOptions())

    def __call__(self, content: bytes, received: datetime) -> Document:
        """The Bundle, with its parts, leftovers and notes."""
        context = self._context(received)
        made = self._convert(parse(content), context)
        return Document(FHIR_JSON, made.bundle, context, made.parts, made.leftover, made.notes)

    def asked(self, content: bytes, received: datetime) -> Asked:
        """What explains the message."""
        return self._library.explain(self._name, MapOptions()), parse(content), self._context(received)

    def _context(self, received: datetime) -> Context:
        return self._overrides.context(Context(received, identity=Identity()))


class OfChannel:
    """Converts as a channel does for one of its destinations: its filter, steps, maps and tables."""

    def __init__(self, version: Version, destination: str, overrides: Overrides) -> None:
        """Leaves with status 2 where the channel has no such destination."""
        self._version, self._route, self._overrides = version, version.route, overrides
        names = [each.name for each in version.channel.destinations]
        if destination and destination not in names:
            fail(f"{version.name} has no destination {destination}{did_you_mean(destination, names)}; it has {enumerated(names, 'and')}", 2)
        self._wanted = [destination] if destination else names
        self._explaining: _Explaining | None = None

    def __call__(self, content: bytes, received: datetime) -> Document | Filtered:
        """What the destination gets; where none was named, the first that gets FHIR."""
        routed = self._route(self._document(content, received))
        if isinstance(routed, Filtered):
            return routed
        reached = [routed[name] for name in self._wanted]
        for each in reached:
            if isinstance(each, Document) and each.media_type == FHIR_JSON:
                return each
        for each in reached:
            if isinstance(each, Filtered):
                return each
        raise MessageError(ErrorCode.INTERNAL, "MSH", f"{self._version.name} makes no FHIR of it", origin=self._version.located.file)

    def asked(self, content: bytes, received: datetime) -> Asked | Filtered:
        """As a map's, under the site's maps and the options of the channel's own step; the message as the steps before it leave it."""
        if self._explaining is None:
            self._explaining = _Explaining(self._version, self._wanted)
        return self._explaining(self._document(content, received))

    def _document(self, content: bytes, received: datetime) -> Document:
        document = self._route.document(content, received)
        return replace(document, context=self._overrides.context(document.context))


class _Explaining:
    """The way to a channel's first map, and the map itself, explaining."""

    def __init__(self, version: Version, destinations: list[str]) -> None:
        channel, resources = version.channel, version.resources
        for name in destinations:
            branch = channel.destination(name)
            way = [(channel.filter, channel.transform), (branch.filter, branch.transform)]
            found = _up_to_map(way)
            if found is not None:
                before, step = found
                self._before: list[Pipeline] = [build(rules, steps, resources) for rules, steps in before]
                self._explain = Library.load(resources.maps, resources.files).explain(step.map, step.options)
                return
        fail(f"{version.name} has no step {MAP} whose work could be explained")

    def __call__(self, document: Document) -> Asked | Filtered:
        for pipeline in self._before:
            piped = pipeline(document)
            if isinstance(piped, Filtered):
                return piped
            document = piped
        if document.media_type != HL7:
            raise MessageError(ErrorCode.INTERNAL, "MSH", f"{MAP} takes {HL7}, not {document.media_type}")
        return self._explain, document.body, document.context  # type: ignore[return-value]


Stage = tuple[tuple[Placed, ...], tuple[Placed, ...]]


def _up_to_map(way: list[Stage]) -> tuple[list[Stage], Any] | None:
    """The stages before the first map, its own stage cut short there, and its declaration; None where there is none."""
    for number, (rules, steps) in enumerate(way):
        for index, placed in enumerate(steps):
            if placed.name == MAP:
                return [*way[:number], (rules, steps[:index])], placed.declaration
    return None


def of_channel(conf: Path, name: str, destination: str, overrides: Overrides) -> OfChannel:
    """The converter of a channel of `conf`; leaves with a sentence where there is none that checks."""
    found = find(conf)
    versions = {version.name: version for version in found.channels}
    if found.errors and (not versions or (name and name not in versions)):
        fail("\n".join(map(str, found.errors)))
    if not name and len(versions) > 1:
        fail(f"{conf} has several channels; say which with --channel: {enumerated(sorted(versions))}", 2)
    if not versions or (name and name not in versions):
        fail(f"there is no channel {name}{did_you_mean(name, versions)} in {conf}".replace("  ", " "), 2)
    try:
        version, unset = opened(versions[name] if name else next(iter(versions.values())))
    except ConfigurationError as error:
        fail(str(error))
    for each in unset:
        say(f"{each} is not set: ids and systems may differ from those the engine makes")
    return OfChannel(version, destination, overrides)

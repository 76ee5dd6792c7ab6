"""What must be true of a channel beyond the types of its options: that its parts fit one another, and what surrounds them is there."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path as File
from typing import Any

import channels
from channels import routing, trials
from channels.definition import Channel, Destination, inside
from channels.schema import channel_schema
from transforms import component, rules, steps
from transforms.component import Resources
from transforms.declaration import references as found_references
from transforms.declaration.building import Placed, Registry
from transforms.declaration.reading import Located, Path
from transforms.declaration.references import Lookup, is_reference, resolve_text, walk
from transforms.document import FHIR_JSON, HL7
from transforms.errors import ConfigurationError, Problem
from transforms.hl7.local import read_all
from transforms.hl7.structures import Structures

_SECRETS = re.compile(r"(^|_)(password|passphrase|secret|token|api_key|private_key_password)$")
_MEDIA = {HL7: "HL7", FHIR_JSON: "FHIR"}


@cache
def components() -> Registry:
    """Every step, rule and connector there is: ours, and a site's own by entry points."""
    component.discover(rules)
    component.discover(steps)
    for name in sorted(component.modules(channels)):
        if name.rsplit(".", 1)[1] in ("source", "destination"):
            importlib.import_module(name)
    for group in ("flue.steps", "flue.connectors"):
        for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
            entry.load()
    return component.registry


def references(located: Located) -> list[Problem]:
    """References that are written wrong, and secrets that are written out."""
    problems = [
        located.problem(path, "reference", "A reference is written ${env:NAME}, ${env:NAME:-default} or ${secret:name}.")
        for path, _ in found_references.malformed(located.value)
    ]
    for path, value in walk(located.value):
        if path and isinstance(path[-1], str) and _SECRETS.search(path[-1]) and not is_reference(value) and path[:1] != ("tests",):
            words = f"`{path[-1]}` stands here in the open; write ${{secret:name}} or ${{env:NAME}}."
            problems.append(located.problem(path, "literal_secret", words))
    return problems


def unset(located: Located, lookup: Lookup, severity: str) -> list[Problem]:
    """References that nothing stands for."""
    return [
        located.problem(each.path, "unset", f"{each} is not set and has no default.", severity=severity)
        for each in found_references.references(located.value)
        if each.default is None and resolve_text(str(each), lookup) is None
    ]


def meaning(channel: Channel, located: Located, resources: Resources, folder: File | None) -> tuple[routing.Route | None, list[Problem]]:
    """The channel's prepared route (None if it cannot be), and what does not fit.  `folder`: where tests' files are looked for."""
    route, faults = routing.build(channel, resources)
    problems = [problem for fault in faults for problem in _fault(fault, located)]
    problems += _flow(channel, located)
    problems += _names(channel, located)
    problems += _destinations(channel, located)
    problems += trials.problems(channel, located, folder)
    problems += _declared(resources, located)
    return route, problems


def _declared(resources: Resources, located: Located) -> Iterator[Problem]:
    """What is wrong with the segments and structures that the channel declares, beside those of the site's maps."""
    found: list[Problem] = []
    structures = Structures(read_all(resources.maps, resources.files, found))
    yield from (each for each in (*found, *structures.problems()) if each.file == located.file)


def together(loaded: Sequence[tuple[Channel, Located]]) -> list[Problem]:
    """What does not go together among the channels of one engine: two of one name, two on one port."""
    problems, names, ports = [], {}, {}
    for channel, located in loaded:
        if channel.channel in names:
            words = f"A channel is called `{channel.channel}` already, in {names[channel.channel]}."
            problems.append(located.problem(("channel",), "duplicate_name", words))
        names.setdefault(channel.channel, located.file)
        listens = listening(channel.source.declaration)
        for (port, interface), other in ports.items():
            if listens and port == listens[0] and (interface == listens[1] or not interface or not listens[1]):
                words = f"Port {port} is taken already, by the channel in {other}."
                problems.append(located.problem((*channel.source.path, "listen"), "port_taken", words))
                break
        else:
            if listens:
                ports[listens] = located.file
    return problems


def listening(declaration: Any) -> tuple[str, str] | None:
    """(port, interface) that a declaration's `listen` claims; None if it claims none, or lets the system choose."""
    endpoint = getattr(declaration, "listen", "")
    if not isinstance(endpoint, str):
        return None
    kind, *parts = re.split(r"(?<!\\):", endpoint)
    values = dict(part.partition("=")[::2] for part in parts if "=" in part)
    port = values.get("port") or next((part for part in parts if "=" not in part), "")
    if kind not in ("tcp", "tcp4", "tcp6", "ssl", "tls") or not port.isdigit() or int(port) == 0:
        return None
    interface = values.get("interface", "").replace("\\", "")
    return str(int(port)), "" if interface in ("0.0.0.0", "::") else interface


def _fault(fault: routing.Fault, located: Located) -> Iterator[Problem]:
    placed, error = fault
    if isinstance(error, ConfigurationError):
        unplaced = [each for each in error.problems if not each.file]
        yield from (each for each in error.problems if each.file)
        yield from (located.problem((*placed.path, "map"), each.code, each.sentence) for each in unplaced)
    elif hasattr(error, "option"):
        yield located.problem((*placed.path, error.option), error.code, error.sentence)
    else:
        yield located.problem(placed.path, "unusable", f"`{placed.name}` cannot be prepared: {error}.", key=True)


def _flow(channel: Channel, located: Located) -> Iterator[Problem]:
    """A step takes what the last one gives."""
    given = getattr(channel.source.declaration, "gives", HL7)
    problems, common = _follow(given, [*_rules(channel.filter), *channel.transform], located)
    yield from problems
    for destination in channel.destinations:
        parts = [*_rules(destination.filter), *destination.transform, destination.connector]
        yield from _follow(common, parts, located)[0]


def _rules(placed: Sequence[Placed]) -> list[Placed]:
    return [each for rule in placed for each in inside(rule)]


def _follow(given: str, parts: Sequence[Placed], located: Located) -> tuple[list[Problem], str]:
    problems = []
    for placed in parts:
        takes = getattr(placed.declaration, "takes", None)
        if takes and given not in ((takes,) if isinstance(takes, str) else takes):
            words = f"`{placed.name}` takes {_kind(takes)}, and gets {_kind(given)} here."
            problems.append(located.problem(placed.path, "does_not_fit", words, key=True))
        given = getattr(placed.declaration, "gives", None) or given
    return problems, given


def _kind(media: str | Sequence[str]) -> str:
    return " or ".join(_MEDIA.get(each, each) for each in ([media] if isinstance(media, str) else media))


def _names(channel: Channel, located: Located) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, destination in enumerate(channel.destinations):
        path: Path = ("destinations", index, "name")
        if destination.name in seen:
            yield located.problem(path, "duplicate_name", f"A destination is called `{destination.name}` already.")
        if destination.name in trials.RESERVED:
            yield located.problem(path, "reserved", f"A destination cannot be called `{destination.name}`: tests use the word.")
        seen.setdefault(destination.name, index)


def _destinations(channel: Channel, located: Located) -> Iterator[Problem]:
    for index, destination in enumerate(channel.destinations):
        path: Path = ("destinations", index)
        if destination.connector.name == "fhir" and not channel.identity.base:
            words = "A fhir destination needs `identity: { base: … }`: a number without a system would match another patient's."
            yield located.problem((*path, "fhir"), "no_identity_base", words, key=True)
        yield from _patience(destination, located, path)


def _patience(destination: Destination, located: Located, path: Path) -> Iterator[Problem]:
    if destination.retry.first > destination.retry.longest:
        words = "`first` is longer than `longest`."
        yield located.problem((*path, "retry", "first"), "out_of_range", words)


def schema() -> Mapping[str, Any]:
    """The JSON Schema of a channel file, for editors."""
    return channel_schema(components())

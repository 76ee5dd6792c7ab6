"""What a channel makes of a message: filter, transform, and a document for each destination that wants one.  Pure.

The engine's dispatch runs a Route for every message, `flue test` for every test, a replay under the version of the day: they
all get the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from channels.definition import Channel
from transforms.component import Resources
from transforms.declaration.building import Placed
from transforms.document import FHIR_JSON, HL7, NO_ALIASES, Aliases, Context, Document, Identity
from transforms.errors import ConfigurationError, ErrorCode, MessageError, OptionError
from transforms.fhir.serialization import loads
from transforms.hl7.message import NULL, Message, parse
from transforms.hl7.readers import reader
from transforms.pipeline import Filtered, Pipeline, assemble, prepare

Routed = Mapping[str, Document | Filtered]
"""Destination -> what it gets, or which of its rules did not want it."""

NOTHING: Mapping[str, str] = MappingProxyType({})

Fault = tuple[Placed, OptionError | ConfigurationError | ValueError]
"""A rule or step that cannot be prepared, and why."""


@dataclass(frozen=True)
class Route:
    """A channel's prepared way: call it with a Document.  `common` is None where neither filter nor step stands."""

    channel: Channel
    gives: str  # media type of what the source hands in
    common: Pipeline | None
    branches: tuple[tuple[str, Pipeline | None], ...]
    identity: Identity

    def document(
        self, content: bytes, received: datetime, aliases: Aliases = NO_ALIASES, about: Mapping[str, str] = NOTHING
    ) -> Document:
        """What the source handed in, as the first rule sees it.  Raises MessageError where it is no HL7 or not for us."""
        channel = self.channel
        context = Context(received, channel.channel, channel.timezone, self.identity, aliases, about)
        if self.gives == FHIR_JSON:
            return Document(FHIR_JSON, _resource(content), context)
        if self.gives != HL7:
            return Document(about.get("media_type") or self.gives, content, context)
        message = parse(content)
        if (_control_id(message) or "").strip() in ("", NULL):
            raise MessageError(ErrorCode.REQUIRED_FIELD_MISSING, "MSH-10", "without a control id no answer can name the message", fatal=True)
        if channel.processing:
            _welcome(message, channel.processing)
        return Document(HL7, message, context)

    def __call__(self, document: Document) -> Filtered | Routed:
        """Filtered by the channel, or what each destination gets.  Raises MessageError."""
        common = document if self.common is None else self.common(document)
        if isinstance(common, Filtered):
            return common
        routed = {name: common if branch is None else branch(common) for name, branch in self.branches}
        if self.channel.unmapped == "error":
            _all_mapped(routed)
        return routed


def build(channel: Channel, resources: Resources) -> tuple[Route | None, list[Fault]]:
    """The channel's Route, or every rule and step that cannot be prepared."""
    faults: list[Fault] = []
    resources = replace(resources, settings={**resources.settings, **_settings(channel)})
    common = _pipeline(channel.filter, channel.transform, resources, faults)
    branches = tuple((each.name, _pipeline(each.filter, each.transform, resources, faults)) for each in channel.destinations)
    gives = getattr(channel.source.declaration, "gives", HL7)
    return (None if faults else Route(channel, gives, common, branches, channel.identity.declared())), faults


def reopened(route: Route, channel: Channel) -> Route | None:
    """The same prepared way for a channel that differs elsewhere, in what its references stand for; None: it must be built."""
    if _settings(channel) != _settings(route.channel) or _parts(channel) != _parts(route.channel):
        return None
    return replace(route, channel=channel, identity=channel.identity.declared())


def _settings(channel: Channel) -> dict[str, str]:
    return {"on_invalid": channel.on_invalid, "report_mode": channel.report_mode, "unmapped": channel.unmapped}


def _parts(channel: Channel) -> list[Any]:
    return [(each.filter, each.transform) for each in (channel, *channel.destinations)]


def _pipeline(rules: Sequence[Placed], steps: Sequence[Placed], resources: Resources, faults: list[Fault]) -> Pipeline | None:
    conditions = [(_prepared(rule, resources, faults), rule) for rule in rules]
    actions = [(_prepared(step, resources, faults), step) for step in steps]
    return assemble(conditions, actions) if rules or steps else None


def _prepared(placed: Placed, resources: Resources, faults: list[Fault]) -> Any:
    try:
        return prepare(placed.declaration, resources)
    except (OptionError, ConfigurationError, ValueError) as error:
        faults.append((placed, error))
        return None


_control_id, _processing_id = reader("MSH-10.1"), reader("MSH-11.1")


def _resource(content: bytes) -> dict[str, Any]:
    """A resource in JSON.  Raises MessageError."""
    body = loads(content)
    if not isinstance(body, dict) or not isinstance(body.get("resourceType"), str):
        raise MessageError(ErrorCode.SEGMENT_SEQUENCE, "$this", "it is no FHIR resource: a JSON object with a resourceType", fatal=True)
    return body


def _welcome(message: Message, processing: Sequence[str]) -> None:
    if _processing_id(message) not in processing:
        why = f"this channel takes {', '.join(processing)} only"
        raise MessageError(ErrorCode.UNSUPPORTED_PROCESSING_ID, "MSH-11", why, fatal=True)


def _all_mapped(routed: Routed) -> None:
    for outcome in routed.values():
        if isinstance(outcome, Document) and outcome.leftover:
            why = "no rule reads or drops this field, which `unmapped: error` does not allow"
            raise MessageError(ErrorCode.INTERNAL, outcome.leftover[0], why)

"""Jinja2 templates over a delivery, for addresses, headers and bodies.  Sandboxed, and strict about names nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from jinja2 import StrictUndefined, TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from channels.message import Outgoing
from transforms.document import FHIR_JSON, HL7, Context, Document
from transforms.errors import MessageError
from transforms.hl7.message import Message, parse

NAMES = "message_id, control_id, part, received (a time, UTC), channel, destination, media_type, text, json, field(path)"
SAID = {"text", "json", "field"}
"""Names by which a template speaks of the content itself."""
ERRORS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, MessageError)
"""What a template may come to."""

_plain = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
_address = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, autoescape=False, finalize=lambda value: quote(str(value), safe="")
)  # what is put into an address cannot change its form

Template = Callable[[Outgoing], str]


def template(text: str, *, address: bool = False) -> Template:
    """A template, ready for deliveries; raises jinja2's TemplateError where it is none."""
    if "{" not in text:
        return lambda _: text
    environment = _address if address else _plain
    prepared, wanted = environment.from_string(text), find_undeclared_variables(environment.parse(text))
    return lambda outgoing: prepared.render(names_of(outgoing, "text" in wanted))


def names_of(outgoing: Outgoing, with_text: bool) -> dict[str, Any]:
    """What a template may speak of; the whole content as text only for one that does."""
    document = outgoing.document
    body = document.body

    def field(path: str) -> str:
        """The value at an HL7 path; '' where there is none, or the document is no HL7."""
        return (body.get(path) or "") if isinstance(body, Message) else ""

    return {
        "message_id": outgoing.message_id, "control_id": outgoing.control_id, "part": outgoing.part, "received": document.context.received,
        "channel": document.context.channel, "destination": outgoing.destination, "media_type": document.media_type,
        "text": outgoing.content.decode("utf-8", "replace") if with_text else "", "json": body if isinstance(body, dict) else {}, "field": field,
    }  # fmt: skip


SAMPLES = (
    Outgoing(Document(FHIR_JSON, {"resourceType": "Bundle"}, Context(datetime.now(UTC), "channel")), 1, "control-id", 1, 0, "destination"),
    Outgoing(
        Document(HL7, parse(b"MSH|^~\\&|A|B|C|D|20260304||ORU^R01|1|P|2.5.1\r"), Context(datetime.now(UTC), "channel")), 1, "1", 1, 0, "destination"
    ),
)


def checked(text: str, *, address: bool = False) -> str:
    """`text`, if it is a template that gives something for FHIR or for HL7; ValueError says why not.  References are left alone."""
    if "${" in text:
        return text
    try:
        prepared = template(text, address=address)
        named = find_undeclared_variables(_plain.parse(text)) if address else set()
    except TemplateError as error:
        raise ValueError(f"is no template: {error}") from None
    if named & SAID:
        raise ValueError("would put into an address what a message says; logs on the way keep addresses: put it into a header or the body")
    faults = []
    for sample in SAMPLES:
        try:
            prepared(sample)
        except ERRORS as error:
            faults.append(error)
    if len(faults) == len(SAMPLES):
        raise ValueError(f"is no template that gives a text: {faults[0]}; it may speak of {NAMES}")
    return text

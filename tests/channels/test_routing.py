"""What a channel makes of a message: a document for each destination that wants one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from channels import loading
from transforms.document import FHIR_JSON, HL7, Document
from transforms.errors import MessageError
from transforms.hl7.message import Message
from transforms.pipeline import Filtered

CHANNEL = """\
channel: lab
source:
  SOURCE
timezone: Europe/Zurich
identity: { base: "https://x.example/id/", authorities: [ { namespace: H, uri: "urn:oid:1.2", facility: B } ], patient: [MR] }
filter: FILTER
destinations:
  - { name: copy, file: { folder: out } }
  - { name: same, file: { folder: out } }
  - { name: repository, transform: [ map_to_fhir ], fhir: { url: "http://x" } }
  - { name: some, filter: [ valued: PID-5 ], file: { folder: out } }
"""
RAW = b"MSH|^~\\&|A|B|||20240101||ORU^R01|1|P|2.5\rPID|1||7\r"
NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def route(load: Callable[..., loading.Loading]) -> Callable[..., loading.Version]:
    def made(source: str = 'mllp: { listen: "tcp:0" }', filter: str = "[ type: ORU ]", text: str = CHANNEL):  # noqa: ANN202
        loaded = load(text.replace("SOURCE", source).replace("FILTER", filter))
        assert loaded.problems == ()
        return loaded.channels[0].route

    return made


@pytest.mark.parametrize("control_id", [b"", b'""', b" "])
def test_a_message_without_a_control_id_is_rejected(route: Callable, control_id: bytes) -> None:
    """AR, and not kept as good: its sender could not tell which message the answer is for, and would send it again for ever."""
    with pytest.raises(MessageError) as caught:
        route().document(RAW.replace(b"|1|P|", b"|%b|P|" % control_id), NOW)
    assert (caught.value.place, caught.value.code.code, caught.value.fatal) == ("MSH-10", "101", True)


def test_every_destination_gets_its_own(route: Callable) -> None:
    """Those that change nothing share one document."""
    way = route()
    document = way.document(RAW, NOW)
    routed = way(document)
    assert list(routed) == ["copy", "same", "repository", "some"]
    assert routed["copy"] is routed["same"] is document
    assert (routed["repository"].media_type, routed["repository"].body["id"]) == (FHIR_JSON, "7")
    assert isinstance(routed["some"], Filtered) and routed["some"].rule == "valued"
    assert document.body.raw == RAW


def test_the_context_says_what_the_channel_declares(route: Callable) -> None:
    document = route().document(RAW, NOW)
    context = document.context
    assert (context.received, context.channel, context.timezone) == (NOW, "lab", "Europe/Zurich")
    assert (context.identity.base, context.identity.patient) == ("https://x.example/id", ("MR",))
    assert context.identity.authorities == {("*", "B", "H"): "urn:oid:1.2"}


def test_a_filtered_message_goes_nowhere(route: Callable) -> None:
    way = route(filter="[ type: ADT ]")
    filtered = way(way.document(RAW, NOW))
    assert isinstance(filtered, Filtered)
    assert (filtered.rule, filtered.origin.rsplit("/", 1)[-1]) == ("type", "channel.yaml:6")


def test_a_source_of_bytes_hands_in_bytes(route: Callable) -> None:
    text = CHANNEL.replace("destinations:", "transform: [ parse_hl7 ]\ndestinations:")
    way = route("inbox: { folder: in }", "[]", text)
    document = way.document(b"anything", NOW)
    assert (document.media_type, document.body) == ("application/octet-stream", b"anything")
    with pytest.raises(MessageError) as caught:
        way(document)
    assert caught.value.fatal and caught.value.origin.endswith("parse_hl7")
    routed = way(way.document(RAW, NOW))
    assert isinstance(routed["copy"], Document) and routed["copy"].media_type == HL7
    assert isinstance(routed["copy"].body, Message)

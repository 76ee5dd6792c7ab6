"""Messages as the API shows them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.admin_api import messages
from engine.store.records import DeliveryRow, DeliveryStatus, MessageRow, MessageStatus
from transforms.fhir.serialization import dumps

PATIENT, BUNDLE = {"resourceType": "Patient"}, {"resourceType": "Bundle", "type": "transaction"}


class Kept:
    """A store with one message, and one delivery that sent something."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent

    async def message(self, id: int) -> MessageRow:
        return MessageRow(id, "lab", "", 0.0, "", MessageStatus.SENT, "MSG1", b"MSH|^~\\&")

    async def deliveries(self, id: int) -> list[DeliveryRow]:
        return [DeliveryRow(id, "repository", 0, "", DeliveryStatus.SENT, sent=self._sent)]


@pytest.mark.parametrize(
    ("sent", "content", "text"),
    [
        (b"", None, None),
        (dumps(BUNDLE), BUNDLE, None),
        (b'{\n  "resourceType": "Patient"\n}', PATIENT, None),
        (dumps(PATIENT) + b"\n" + dumps(BUNDLE), [PATIENT, BUNDLE], None),
        (b"{{not json\n", None, "{{not json\n"),
        (b"MSH|^~\\&|A\r", None, "MSH|^~\\&|A\r"),
    ],
)
def test_what_was_sent_is_shown(sent: bytes, content: Any, text: str | None) -> None:
    """A document, several of them where a delivery took several requests, or text."""
    (shown,) = asyncio.run(messages.show(Kept(sent), 1))["deliveries"]  # type: ignore[arg-type]
    assert (shown["content"], shown["text"]) == (content, text)

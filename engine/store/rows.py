"""How values are laid down in columns, and read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from engine.store import attachments
from engine.store.compression import expand
from engine.store.names import Names
from engine.store.records import Answer, DeliveryRow, DeliveryStatus, MessageRow, MessageStatus, SearchKeys

PART_BITS, ROUTE_BITS = 12, 12
MOST_PARTS = 1 << PART_BITS

_encode = msgspec.json.encode
_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_named = msgspec.json.Decoder(dict[str, str]).decode
_contents = msgspec.msgpack.Decoder(tuple[bytes, ...]).decode

Fetch = Callable[[bytes], bytes]
"""Gives the attachment of a digest."""


def text_list(texts: tuple[str, ...]) -> str | None:
    """Several texts as one column; NULL for none."""
    return _encode(texts).decode() if texts else None


def read_list(column: str | None) -> tuple[str, ...]:
    """What `text_list` wrote."""
    return _texts(column) if column else ()


def mapping(texts: Mapping[str, str]) -> str | None:
    """Named texts as one column; NULL for none."""
    return _encode(texts).decode() if texts else None


def read_mapping(column: str | None) -> Mapping[str, str]:
    """What `mapping` wrote."""
    return _named(column) if column else {}


def delivery_id(message: int, route: int, part: int) -> int:
    """Message, route and part in one number."""
    if not 0 <= part < MOST_PARTS:
        raise ValueError(f"a message has at most {MOST_PARTS} parts")
    return message << (ROUTE_BITS + PART_BITS) | route << PART_BITS | part


def read_answer(code: str | None, first: bytes | None, more: bytes | None) -> Answer | None:
    """The answer a sender was given; None where there is none."""
    if code is None:
        return None
    return Answer(code, (*(() if first is None else (first,)), *(_contents(more) if more else ())))


def read_message(row: tuple, names: Names, fetch: Fetch) -> MessageRow:
    """A message from the columns that `message`, `backlog` and `found` select."""
    content, cuts = row[7] or b"", row[8]
    if cuts:
        content = _whole(content, cuts, fetch)
    control_id = row[6] or ""
    keys = SearchKeys(row[19] or "", control_id, row[20] or "", read_list(row[21]), read_list(row[22]))
    return MessageRow(
        row[0], names.text(row[1]), names.text(row[2]), row[3], row[4] or "", MessageStatus(row[5]), control_id, content,
        row[9] or 0, read_list(row[10]), bool(row[11]), read_answer(row[12], row[13], row[14]),
        row[15] or "", row[16] or "", row[17] or "", row[18] or "", keys, read_mapping(row[23]),
    )  # fmt: skip


def read_delivery(row: tuple, names: Names, fetch: Fetch) -> DeliveryRow:
    """A delivery from the columns that `deliveries` and `waiting` select."""
    id, sent = row[0], row[8]
    sent = expand(sent) if sent else b""
    if row[9]:
        sent = _whole(sent, row[9], fetch)
    route = id >> PART_BITS & ((1 << ROUTE_BITS) - 1)
    return DeliveryRow(
        id >> (ROUTE_BITS + PART_BITS), names.destination(route), id & (MOST_PARTS - 1), row[1], DeliveryStatus(row[2]),
        row[3], row[4], row[5] or "", row[6] or "", expand(row[7]) if row[7] else b"", sent, row[10],
    )  # fmt: skip


def _whole(left: bytes, packed: bytes, fetch: Fetch) -> bytes:
    cuts = attachments.unpack(packed)
    return attachments.restore(left, cuts, {digest: fetch(digest) for _, digest in cuts})

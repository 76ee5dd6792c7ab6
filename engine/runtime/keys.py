"""What a message is found by, and what makes two of them the same."""

from __future__ import annotations

from hashlib import blake2b

from engine.store.records import SearchKeys
from transforms.hl7.delimiters import Delimiters
from transforms.hl7.escapes import unescape
from transforms.hl7.message import Message

LONGEST = 200  # characters of a key: identifiers are shorter, and an index must not hold a document
MOST = 64  # keys of a kind a message
MISSING = [""] * 11  # of a short header


def duplicate_key(channel: str, control_id: str, content: bytes) -> bytes:
    """Digest that two messages of a channel share when sender, control id and all other bytes are the same.

    MSH-3, 4 and 10 stand in the bytes.  Without a control id nothing tells a resend from a second message: no key.
    """
    return blake2b(content, digest_size=16, key=channel.encode()[:64]).digest() if control_id else b""


def search_keys(message: Message) -> SearchKeys:
    """Type, control id, sender, all patient identifiers (PID-3) and all order numbers (ORC-2, ORC-3, OBR-2, OBR-3)."""
    delimiters = message.delimiters
    separator, repetition = delimiters.field, delimiters.repetition
    found: dict[str, list[list[str]]] = {"PID": [], "ORC": [], "OBR": []}
    for name, text in zip(*message.lines, strict=True):
        if name in found:
            found[name].append(text.split(separator, 4))
    patients = [each for fields in found["PID"] for identifiers in fields[3:4] for each in identifiers.split(repetition)]
    orders = [each for name in ("ORC", "OBR") for fields in found[name] for each in fields[2:4]]
    header = message.header + MISSING
    application, facility, kind, control_id = header[3], header[4], header[9], header[10]
    if delimiters.component != "^":
        kind = kind.replace(delimiters.component, "^")
    return SearchKeys(
        kind[:LONGEST], _first(control_id, delimiters), f"{_first(application, delimiters)}|{_first(facility, delimiters)}",
        _firsts(patients, delimiters), _firsts(orders, delimiters),
    )  # fmt: skip


def _firsts(texts: list[str], delimiters: Delimiters) -> tuple[str, ...]:
    """The first components that say something, each once."""
    found = {_first(text, delimiters): None for text in texts if text}
    found.pop("", None)
    found.pop('""', None)
    return tuple(found) if len(found) <= MOST else tuple(found)[:MOST]


def _first(text: str, delimiters: Delimiters) -> str:
    """The first component, unescaped."""
    if delimiters.component in text:
        text = text.partition(delimiters.component)[0]
    if delimiters.escape in text:
        text = unescape(text, delimiters)
    return text if len(text) <= LONGEST else text[:LONGEST]


PATIENT_TYPES = ("MR", "PI", "PT")  # CX.5 of identifiers that name a patient, the best first
NEVER = ("AN", "VN")  # account and visit numbers name a stay


def patient_lane(message: Message, preferred: tuple[str, ...] = ()) -> str:
    """The lane of a message whose map chose none: the first patient's identifier, by preferred authority or type, else by type.

    Never the first repetition as such; an identifier without a type is better than none.  Empty if there is none.
    """
    segment = message.first("PID")
    if segment is None:
        return ""
    order = (*preferred, *PATIENT_TYPES)
    best, best_rank = "", len(order) + 1
    for repetition in segment.repetitions(3):
        parts = repetition.split(segment.delimiters.component)
        authority = parts[3].split(segment.delimiters.subcomponent)[0] if len(parts) > 3 else ""
        kind = parts[4] if len(parts) > 4 else ""
        if not parts[0] or parts[0] == '""' or kind in NEVER:
            continue
        rank = min((order.index(each) for each in (authority, kind) if each in order), default=len(order))
        if rank < best_rank:
            best, best_rank = f"{parts[0]}^{authority}", rank
    return best[:LONGEST]

"""Messages that other people wrote: every file is read or refused, keeps its bytes, and loses no segment."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from transforms.errors import MessageError
from transforms.hl7.acknowledgment import acknowledge, read_acknowledgment
from transforms.hl7.groups import group
from transforms.hl7.header import peek
from transforms.hl7.message import Message, parse

pytestmark = pytest.mark.shared

REFUSED = ("batch", "malformed")  # folders whose files need not be single messages


def corpus(shared: Path) -> list[Path]:
    return sorted(path for path in (shared / "corpus").rglob("*") if path.suffix in (".hl7", ".bin"))


def read(path: Path) -> Message | None:
    try:
        return parse(path.read_bytes())
    except MessageError as refused:
        assert refused.fatal
        return None


def visible(text: str) -> str:
    """Without what only separates."""
    return "".join(text.replace("\0", "").split())


def test_every_file_is_read_or_refused(shared: Path) -> None:
    refused = [path for path in corpus(shared) if read(path) is None]
    assert len(corpus(shared)) > 400
    for path in refused:
        held = path.read_bytes()
        assert path.parent.name in REFUSED or held.startswith((b"FHS", b"BHS")), path


def test_bytes_stay(shared: Path) -> None:
    """As read, and everywhere but in the field that is set."""
    for path in corpus(shared):
        message = read(path)
        if message is None:
            continue
        raw = path.read_bytes()
        assert bytes(message) == raw
        changed = message.replace("MSH-10", "CHANGED1")
        assert changed.get("MSH-10") == "CHANGED1", path
        assert [each.text for each in changed.segments[1:]] == [each.text for each in message.segments[1:]], path
        assert bytes(changed.replace("MSH-10", message.segments[0].raw(10), escaped=True)) == raw or len(message.segments[0].fields) < 11, (
            path
        )


def test_no_segment_is_lost(shared: Path) -> None:
    for path in corpus(shared):
        message = read(path)
        if message is not None:
            tree = group(message)
            assert sorted(segment.position for segment in tree.walk()) == list(range(len(message.segments))), path
            texts = "".join(segment.text for segment in message.segments)
            assert visible(texts) == visible(message.text), path


def test_results_are_grouped_under_their_order(shared: Path) -> None:
    """Each OBR of a result message has a group of its own, and each of its OBX is in one."""
    for path in corpus(shared):
        message = read(path) if path.parent.name in ("oru", "oul") else None
        if message is None or message.get("MSH-9.1") != "ORU" or not message.each("OBR"):
            continue
        orders = group(message).find("PATIENT_RESULT.ORDER_OBSERVATION")
        assert sum(len(order.segments("OBR")) for order in orders) == len(message.each("OBR")), path
        assert all(len(order.segments("OBR")) == 1 for order in orders), path


def test_every_file_is_answered(shared: Path) -> None:
    when = datetime(2024, 1, 2, tzinfo=timezone.utc)
    for path in corpus(shared):
        raw = path.read_bytes()
        said = peek(raw).control_id
        answer = read_acknowledgment(acknowledge(raw, "AA", control_id="X", when=when))
        message = read(path)
        if message is not None and message.get("MSH-10"):
            assert (answer.code, answer.control_id) == ("AA", message.get("MSH-10").strip()), path
            assert said == message.segments[0].raw(10), path
        assert answer.code in ("AA", "AR")


def test_charsets_are_read_without_a_note(shared: Path) -> None:
    for path in sorted((shared / "corpus" / "charset").glob("*.hl7")):
        message = parse(path.read_bytes())
        assert message.notes == (), path
        assert message.text.encode(message.encoding) == path.read_bytes()
    japanese = parse((shared / "corpus" / "charset" / "derived__iso-ir87-names.hl7").read_bytes())
    assert japanese.get("PID-5[2].1") == "山田"

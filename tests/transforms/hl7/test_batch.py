"""Batches and files: what is in them, whether their counts are right, what answers them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis.strategies import binary, booleans, integers, lists, sampled_from

from transforms.hl7.batch import acknowledge_envelope, is_batch, read_envelope, split_messages

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
FHS = b"FHS|^~\\&|LAB|HOSP|EHR|CLINIC|20260304||nightly||F1\r"
BHS = b"BHS|^~\\&|LAB|HOSP|EHR|CLINIC|20260304||||B1\r"


def message(number: int) -> bytes:
    return b"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260304||ORU^R01|M%d|P|2.5.1\rPID|1||P%d\r" % (number, number)


def answer(number: int) -> bytes:
    return b"MSH|^~\\&|EHR|CLINIC|LAB|HOSP|20260304||ACK^R01^ACK|A%d|P|2.5.1\rMSA|AA|M%d\r" % (number, number)


PIECES = [FHS, BHS, message(1), b"BTS|1\r", b"FTS|1\r", b"BTS", b"X", b"\r", b"\x0b", b"\xff"]


@pytest.mark.parametrize(
    ("data", "batch"),
    [
        (FHS, True), (BHS, True), (b"\r\n BHS|^~\\&", True), (b"\xef\xbb\xbfFHS|", True), (message(1), False), (b"", False),
        (b"BHSX|", False), (b"BTS|1", False), (b"BHS", False),
    ],
)  # fmt: skip
def test_what_a_batch_begins_with(data: bytes, batch: bool) -> None:
    """FHS or BHS, whatever blanks stand before it."""
    assert is_batch(data) is batch


def test_a_file_of_batches() -> None:
    """Messages come out as they stand, envelope by envelope."""
    data = FHS + BHS + message(1) + message(2) + b"BTS|2\r" + BHS + message(3) + b"BTS|1|last\rFTS|2\r"
    envelope = read_envelope(data)
    assert [batch.messages for batch in envelope.batches] == [(message(1), message(2)), (message(3),)]
    assert envelope.messages == (message(1), message(2), message(3)) and envelope.all_faults == ()
    assert list(envelope.messages) == split_messages(data)


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        (BHS + message(1) + b"BTS|2\r", ["batch 1: BTS-1 says 2, 1 messages came"]),
        (BHS + b"BTS|1\r", ["batch 1: BTS-1 says 1, 0 messages came"]),
        (BHS + message(1) + b"BTS|one\r", ["batch 1: BTS-1 is no number; 1 messages came"]),
        (BHS + message(1) + b"BTS\r", []),
        (BHS + message(1), ["batch 1: BTS is missing"]),
        (BHS + message(1) + BHS + message(2) + b"BTS|1\r", ["batch 1: BTS is missing"]),
        (FHS + BHS + message(1) + b"BTS|1\r", ["FTS is missing"]),
        (FHS + BHS + message(1) + b"BTS|1\rFTS|3\r", ["FTS-1 says 3, 1 batches came"]),
        (FHS + message(1) + b"FTS|1\r", []),
        (FHS + FHS + BHS + b"BTS|0\rFTS|1\r", ["there is a second FHS"]),
        (FHS + BHS + b"BTS|0\rFTS|1\r" + message(1), ["something follows FTS", "FTS is missing"]),
        (BHS + message(1) + b"BTS|1\rZZZ|lost\r", ["lines that belong to no message were left out"]),
        (FHS + b"BTS|0\rFTS|0\r", ["a BTS ends no batch"]),
    ],
)
def test_what_is_wrong_with_an_envelope(data: bytes, faults: list[str]) -> None:
    """Wrong counts and missing ends are said; no message is lost by them."""
    envelope = read_envelope(data)
    assert list(envelope.all_faults) == faults
    assert len(envelope.messages) == data.count(b"MSH|")


def test_the_answer_has_the_form_of_what_it_answers() -> None:
    """FHS and BHS exchanged and named by their control ids, an acknowledgment for each message, counts of our own."""
    envelope = read_envelope(FHS + BHS + message(1) + message(2) + b"BTS|3\r" + BHS + message(3) + b"BTS|1\rFTS|2\r")
    said = acknowledge_envelope(envelope, [answer(1), None, answer(3)], control_id="C7", when=WHEN)
    assert said.split(b"\r")[:-1] == [
        b"FHS|^~\\&|EHR|CLINIC|LAB|HOSP|20260304050607+0000||nightly||C7|F1",
        b"BHS|^~\\&|EHR|CLINIC|LAB|HOSP|20260304050607+0000||||C7-1|B1",
        *answer(1).split(b"\r")[:-1],
        b"BTS|1|batch 1: BTS-1 says 3, 2 messages came",
        b"BHS|^~\\&|EHR|CLINIC|LAB|HOSP|20260304050607+0000||||C7-2|B1",
        *answer(3).split(b"\r")[:-1],
        b"BTS|1",
        b"FTS|2",
    ]
    assert read_envelope(said).all_faults == ()


def test_a_batch_without_messages_is_answered_by_one() -> None:
    """Nothing came, and that is said."""
    said = acknowledge_envelope(read_envelope(b"BHS#^~\\&#LAB#HOSP\rBTS#0\r"), [], control_id="C1", when=WHEN)
    assert said == b"BHS#^~\\&###LAB#HOSP#20260304050607+0000####C1-1\rBTS#0\r"


@example(data=FHS + message(1) + b"FTS|1\r" + message(1) + b"FTS|1\r" + BHS + b"FTS|1\r")  # messages of no batch, twice
@given(data=lists(sampled_from(PIECES), max_size=12).map(b"".join))
def test_any_envelope_is_read_and_answered(data: bytes) -> None:
    """However broken it is: every MSH is a message, and the answer's own counts are right."""
    envelope = read_envelope(data)
    assert len(envelope.messages) == sum(part.startswith(b"MSH|") for part in data.replace(b"\x0b", b"\r").split(b"\r"))
    said = acknowledge_envelope(envelope, [answer(1)] * len(envelope.messages), control_id="C1", when=WHEN)
    again = read_envelope(said)
    assert len(again.messages) == len(envelope.messages)
    assert not [fault for fault in again.all_faults if "says" in fault]


@given(data=binary(max_size=60))
def test_nothing_breaks_the_reading(data: bytes) -> None:
    """Any bytes."""
    read_envelope(b"BHS|" + data)


@given(sizes=lists(integers(0, 3), max_size=4), file=booleans())
def test_counts_that_are_right_are_not_mentioned(sizes: list[int], file: bool) -> None:
    """Any file of batches whose trailers tell the truth."""
    batches = [BHS + b"".join(message(number) for number in range(size)) + b"BTS|%d\r" % size for size in sizes]
    data = b"".join(batches)
    envelope = read_envelope(FHS + data + b"FTS|%d\r" % len(sizes) if file else data)
    assert envelope.all_faults == () and [len(batch.messages) for batch in envelope.batches] == sizes


@pytest.mark.shared
def test_the_corpus_counts_right(shared: Path) -> None:
    """Batches of others: their messages are those that are found without their envelopes, and their counts are right."""
    files = [*sorted((shared / "corpus/batch").glob("*.hl7")), shared / "corpus/wire_variants/cosyte__large-batch.bin"]
    found = {file.name: read_envelope(file.read_bytes()) for file in files}
    assert all(list(envelope.messages) == split_messages(file.read_bytes()) for file, envelope in zip(files, found.values(), strict=True))
    assert sum(len(envelope.messages) for envelope in found.values()) == 42
    assert not [name for name, envelope in found.items() if envelope.all_faults]

"""The process that reads: it answers, says why not, and stops at its limits."""

from __future__ import annotations

import importlib.util
import zlib
from pathlib import Path

import pytest

from transforms.extraction.errors import ExtractionError
from transforms.extraction.worker import Worker

_spec = importlib.util.spec_from_file_location("pdfs", Path(__file__).with_name("pdfs.py"))
assert _spec and _spec.loader
pdfs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pdfs)

REPORT = pdfs.pdf([(40, 200, "Glucose: 95 mg/dL (70-99)")])


def test_one_worker_reads_many_files() -> None:
    """A file that cannot be read costs the next one nothing."""
    with Worker() as worker:
        assert [each.name for each in worker.extract(REPORT).results] == ["Glucose"]
        with pytest.raises(ExtractionError, match="not_pdf"):
            worker.extract(b"no PDF at all")
        assert len(worker.extract(REPORT).results) == 1


def test_a_worker_that_takes_too_long_is_stopped_and_replaced() -> None:
    long = pdfs.pdf(*[[(40, 60 + 9 * line, "Glucose: 95 mg/dL (70-99)") for line in range(80)]] * 60)
    with Worker(seconds=0.01) as worker:
        with pytest.raises(ExtractionError, match="too_slow"):
            worker.extract(long)
        worker.seconds = 30.0
        assert len(worker.extract(REPORT).results) == 1


def test_a_worker_that_needs_too_much_memory_is_replaced() -> None:
    """A file of a megabyte that unpacks to 300 MB: the worker ends, the next file is read."""
    content = zlib.compress(b"(" + b"x" * (300 << 20) + b") Tj", 1)
    small = pdfs.pdf([(40, 40, "Sodium")])
    start = small.index(b"<< /Length")
    packed = b"<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(content) + content + b"\nendstream\n"
    bomb = small[:start] + packed + small[small.index(b"endobj", start) :]
    with Worker(memory=400 << 20) as worker:
        with pytest.raises(ExtractionError, match="crashed|out_of_memory"):
            worker.extract(bomb)
        assert len(worker.extract(REPORT).results) == 1

"""The process that reads PDFs: what a hostile file can use up is its own memory and time, not the engine's.

One worker reads one PDF at a time and is used again; one that was stopped or died is replaced at the next call.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from transforms.extraction.errors import ExtractionError
from transforms.extraction.pdf import Limits
from transforms.extraction.report import Report

SECONDS, MEMORY = 30.0, 1 << 30
EXHAUSTED = 77
"""Exit status of a process that ran out of memory in our own code; PDFium, where it does, ends the process by a signal."""
STARTING = 20.0
"""Seconds that a process may need to start."""


@dataclass
class Worker:
    """Reads PDFs in a process of its own; use it as a context, from one thread at a time."""

    limits: Limits = field(default_factory=Limits)
    seconds: float = SECONDS
    memory: int = MEMORY
    _process: Any = None
    _pipe: Connection | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def extract(self, content: bytes) -> Report:
        """The report; ExtractionError also where time or memory ran out, or the file brought the process down."""
        if len(content) > self.limits.bytes:
            raise ExtractionError("too_large")
        pipe = self._running()
        try:
            pipe.send_bytes(content)
            if not pipe.poll(self.seconds):
                self.stop()
                raise ExtractionError("too_slow")
            answer = pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(STARTING)
            exhausted = self._process.exitcode == EXHAUSTED
            self.stop()
            raise ExtractionError("out_of_memory" if exhausted else "crashed") from error
        if isinstance(answer, str):
            raise ExtractionError(answer)
        return answer

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def _running(self) -> Connection:
        if self._pipe is not None and self._process.is_alive():
            return self._pipe
        self.stop()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.limits, self.memory), daemon=True)
        self._process.start()
        theirs.close()
        try:
            if self._pipe.poll(STARTING) and self._pipe.recv():
                return self._pipe
        except EOFError:
            pass  # it ended before it was ready: said below
        self.stop()
        raise RuntimeError("the process that reads PDFs did not start")


def _serve(pipe: Connection, limits: Limits, memory: int) -> None:
    """The process: PDFs in, reports or the code of an error out, until the pipe closes."""
    from transforms.extraction.reading import extract

    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send("ready")
    while True:
        try:
            content = pipe.recv_bytes()
        except EOFError:
            return
        try:
            pipe.send(extract(content, limits))
        except ExtractionError as error:
            pipe.send(error.code)
        except MemoryError:
            sys.exit(EXHAUSTED)  # there may not be enough left to say so

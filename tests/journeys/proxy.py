"""Between the engine and a receiver: a TCP proxy that can be told to be down, slow, failing, or to lose what it should bring back."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from tests.journeys.feed import Background

FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
MODES = ("pass", "slow", "500", "reset", "commit then reset", "commit then silence", "down")


class Proxy:
    """Passes requests on.  `mode` says what goes wrong; `poison` picks requests (by their bytes) that are answered 500."""

    def __init__(self, background: Background, target: int) -> None:
        self.mode = "pass"
        self.poison: Callable[[bytes], bool] | None = None
        self.requests = 0
        self._background, self._target = background, target
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        background.do(self._listen())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**24, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    def become(self, mode: str) -> None:
        """Change what goes wrong; `down` closes the door and every connection."""
        assert mode in MODES
        self._background.do(self._become(mode))

    async def _become(self, mode: str) -> None:
        was, self.mode = self.mode, mode
        if mode == "down" and self._server is not None:
            self._server.close()
        if mode in ("down", "pass"):
            for writer in tuple(self._open):
                _reset(writer)
        if was == "down" and mode != "down":
            await self._listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        behind: asyncio.StreamWriter | None = None
        try:
            while True:
                request = await _whole(reader)
                self.requests += 1
                if self.mode == "reset":
                    return _reset(writer)
                if self.mode == "500" or self.poison is not None and self.poison(request):
                    writer.write(FAILED)
                    continue
                if self.mode == "slow":
                    await asyncio.sleep(0.2)
                if writer.is_closing() or reader.at_eof():
                    return  # who asked has hung up: a request passed on now could overtake the one that followed it
                if behind is None:
                    answers, behind = await asyncio.open_connection("127.0.0.1", self._target, limit=2**24)
                behind.write(request)
                answer = await _whole(answers)
                if self.mode == "commit then reset":
                    return _reset(writer)
                if self.mode == "commit then silence":
                    await asyncio.sleep(60)
                writer.write(answer)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass  # either side hung up, or the test is over
        finally:
            self._open.discard(writer)
            writer.close()
            if behind is not None:
                behind.close()

    def close(self) -> None:
        """Pass nothing on any more."""
        if self.mode != "down":
            self.become("down")


async def _whole(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer, head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if any(line.startswith(b"transfer-encoding") and b"chunked" in line for line in lines):
        body = b""
        while not body.endswith(b"0\r\n\r\n"):
            body += await reader.readuntil(b"\r\n")
        return head + body
    size = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
    return head + (await reader.readexactly(size) if size else b"")


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a crash does."""
    found = writer.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

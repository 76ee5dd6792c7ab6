"""A receiver that costs next to nothing: takes POST and PUT over HTTP/1.1 keep-alive, counts bundles by their MSH-10.

GET /stats gives {count, unique, first, last, bytes}; GET /last the last body; GET /reset forgets.
By hand:  python -m bench.sink 16680
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time

BODY = b'{"resourceType":"Bundle","type":"transaction-response"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Counted:
    """What arrived."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.seen: set[bytes] = set()
        self.count = self.bytes = 0
        self.first = self.last = 0.0
        self.body = b""

    def take(self, body: bytes) -> None:
        """Count one bundle; its MSH-10 is the first token beginning with CTL."""
        self.last = time.time()
        self.first = self.first or self.last
        self.count, self.bytes, self.body = self.count + 1, self.bytes + len(body), body
        at = body.find(b"CTL")
        self.seen.add(body[at : body.find(b'"', at)] if at >= 0 else b"?")

    def answer(self, path: bytes) -> bytes:
        """The body for a GET."""
        if path == b"/last":
            return self.body
        if path == b"/reset":
            self.reset()
        return json.dumps(
            {"count": self.count, "unique": len(self.seen), "first": self.first, "last": self.last, "bytes": self.bytes}
        ).encode()


class Receiver(asyncio.Protocol):
    """One kept-open connection."""

    def __init__(self, counted: Counted) -> None:
        self._counted, self._buffer = counted, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head, size = buffer[:end], 0
            at = head.lower().find(b"content-length:")
            if at >= 0:
                size = int(head[at + 15 :].split(b"\r", 1)[0])
            if len(buffer) < end + 4 + size:
                break
            body, buffer = buffer[end + 4 : end + 4 + size], buffer[end + 4 + size :]
            if head[:3] == b"GET":
                answer = self._counted.answer(head.split(b" ", 2)[1])
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
            else:
                self._counted.take(body)
                self._transport.write(ANSWER)
        self._buffer = buffer


async def serve(port: int) -> None:
    """Serve on loopback until SIGTERM or SIGINT; prints the port it got."""
    loop, counted = asyncio.get_running_loop(), Counted()
    stop = loop.create_future()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, lambda: stop.done() or stop.set_result(None))
    server = await loop.create_server(lambda: Receiver(counted), "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))

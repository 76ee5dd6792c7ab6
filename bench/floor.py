"""The floor: the least program that does an engine's I/O, so that the engine's own cost can be told from the machine's.

Twisted on uvloop takes MLLP; a thread commits what has arrived (SQLite, WAL, synchronous=FULL); the conversion is
written by hand; the ACK goes out; aiohttp posts the bundle; a second grouped write settles.  Two writes a message.
No configuration, no validation, no ledger, no retry, no recovery.  By hand:  python -m bench.floor 2576 http://127.0.0.1:16680
"""

from __future__ import annotations

import asyncio
import queue
import sys
import tempfile
import threading
import time
from pathlib import Path

import apsw
import zstandard

from bench.handwritten import convert, encode

SQL = """
CREATE TABLE message (id INTEGER PRIMARY KEY, received REAL, content BLOB, status TEXT, answer BLOB, control_id TEXT, patient TEXT);
CREATE TABLE delivery (message INTEGER PRIMARY KEY, code TEXT, response BLOB, sent BLOB);
CREATE INDEX message_control ON message (control_id);
CREATE INDEX message_patient ON message (patient);
CREATE INDEX message_open ON message (id) WHERE status = 'received';
"""


class Committer(threading.Thread):
    """Writes whatever has arrived since the last commit in one transaction."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(daemon=True)
        self._loop, self._queue, self._pack = loop, queue.SimpleQueue(), zstandard.ZstdCompressor(1).compress
        self._db = apsw.Connection(str(path))
        self._db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;" + SQL).fetchall()
        self._next = 0

    def write(self, kind: str, row: tuple) -> asyncio.Future:
        """A future that is done when the row is durable; for a receipt its result is the message's id."""
        done = self._loop.create_future()
        self._queue.put((kind, row, done))
        return done

    def run(self) -> None:
        while True:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            self._commit(batch)

    def _commit(self, batch: list) -> None:
        received, settled, results = [], [], []
        for kind, row, done in batch:
            if kind == "receive":
                self._next += 1
                received.append((self._next, *row))
                results.append((done, self._next))
            else:
                settled.append(row)
                results.append((done, None))
        self._db.execute("BEGIN IMMEDIATE")
        if received:
            self._db.executemany("INSERT INTO message (id, received, content, status) VALUES (?, ?, ?, 'received')", received)
        if settled:
            self._db.executemany(
                "UPDATE message SET status = 'sent', answer = ?, control_id = ?, patient = ? WHERE id = ?",
                [(answer, control, patient, id_) for id_, answer, control, patient, _, _ in settled],
            )
            self._db.executemany(
                "INSERT INTO delivery VALUES (?, '200', ?, ?)", [(row[0], row[4], self._pack(row[5])) for row in settled]
            )
        self._db.execute("COMMIT")
        self._loop.call_soon_threadsafe(_finish, results)


def _finish(results: list) -> None:
    for done, result in results:
        if not done.done():
            done.set_result(result)


def acknowledgment(msh: list[str], number: int) -> bytes:
    """An AA by hand."""
    return (
        f"MSH|^~\\&|{msh[4]}|{msh[5]}|{msh[2]}|{msh[3]}|{time.strftime('%Y%m%d%H%M%S')}||ACK^R01^ACK|F{number}|{msh[10]}|{msh[11]}\r"
        f"MSA|AA|{msh[9]}\r"
    ).encode()


def main(port: int, url: str) -> None:
    """Serve until killed."""
    import uvloop
    from twisted.internet import asyncioreactor

    sys.setswitchinterval(0.0002)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
    from twisted.internet import reactor
    from twisted.internet.protocol import Factory, Protocol

    folder = tempfile.TemporaryDirectory(prefix="floor-")
    committer = Committer(Path(folder.name) / "floor.db", loop)
    committer.start()
    shared: dict = {}

    async def handle(content: bytes, protocol: Protocol) -> None:
        number = await committer.write("receive", (time.time(), content))
        msh, bundle, patient = convert(content)
        answer = acknowledgment(msh, number)
        protocol.transport.write(b"\x0b" + answer + b"\x1c\r")
        body = encode(bundle)
        async with shared["limit"], shared["session"].post(url, data=body, headers={"Content-Type": "application/fhir+json"}) as response:
            said = await response.read()
        await committer.write("settle", (number, answer, msh[9], patient, said, body))

    class Mllp(Protocol):
        buffer = b""

        def dataReceived(self, data: bytes) -> None:
            data = self.buffer + data
            while (end := data.find(b"\x1c\r")) >= 0:
                frame, data = data[data.find(b"\x0b") + 1 : end], data[end + 2 :]
                loop.create_task(handle(frame, self))
            self.buffer = data

    async def start() -> None:
        import aiohttp

        shared["limit"] = asyncio.Semaphore(16)
        shared["session"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16))
        reactor.listenTCP(port, Factory.forProtocol(Mllp), backlog=1024, interface="127.0.0.1")
        print("ready", flush=True)

    reactor.callLater(0, lambda: loop.create_task(start()))
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])

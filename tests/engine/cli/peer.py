"""An MLLP receiver in a thread, which answers as it is told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable

Answer = Callable[[bytes], list[bytes]]
"""What a message is answered: frames' contents; none: nothing is said."""


def accept(message: bytes) -> list[bytes]:
    """AA, whatever comes."""
    return [acknowledge(message, "AA")]


def acknowledge(message: bytes, code: str, more: str = "") -> bytes:
    """An acknowledgment with a code, in reply to a message."""
    control_id = message.split(b"\r")[0].split(b"|")[9].decode()
    return f"MSH|^~\\&|||||20260314103000||ACK|X|P|2.5.1\rMSA|{code}|{control_id}{more}\r".encode()


class Peer:
    """Takes one connection after the other, for as long as the block runs."""

    def __init__(self, answer: Answer = accept, tls: ssl.SSLContext | None = None) -> None:
        self._answer, self._tls = answer, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.received: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """Where `flue send` finds it."""
        return f"{'mllps' if self._tls else 'mllp'}://localhost:{self.port}"

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                with self._tls.wrap_socket(connection, server_side=True) if self._tls else connection as talking:
                    self._talk(talking)
            except ssl.SSLError:
                continue
            except OSError:
                return

    def _talk(self, talking: socket.socket) -> None:
        pending = b""
        while data := talking.recv(65536):
            pending += data
            while b"\x1c\r" in pending:
                message, _, pending = pending.partition(b"\x1c\r")
                self.received.append(message.lstrip(b"\x0b"))
                for answer in self._answer(self.received[-1]):
                    talking.sendall(b"\x0b" + answer + b"\x1c\r")

"""`flue send`: HL7 files over MLLP, each acknowledgment printed as `CONTROL-ID CODE`."""

from __future__ import annotations

import socket
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from channels.mllp.framing import Deframer, Message, frame
from engine.cli.output import fail, progress, say
from transforms.hl7.acknowledgment import read_acknowledgment
from transforms.hl7.batch import split_messages

LIMIT = 64 * 2**20


class Line:
    """One MLLP connection, used by one sender at a time."""

    def __init__(self, host: str, port: int, timeout: float, context: ssl.SSLContext | None) -> None:
        plain = socket.create_connection((host, port), timeout)
        self._socket = context.wrap_socket(plain, server_hostname=host) if context else plain
        self._deframer, self._waiting = Deframer(LIMIT), []

    def exchange(self, content: bytes) -> bytes:
        """Send one message and wait for the frame that answers it; raises OSError when none comes."""
        self._socket.sendall(frame(content))
        while not self._waiting:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the receiver hung up without an answer")
            self._waiting += [event.content for event in self._deframer.receive(data) if isinstance(event, Message)]
        return self._waiting.pop(0)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def open_line(url: str, timeout: float, ca: Path | None) -> Line:
    """A connection to `mllp://HOST:PORT` or, with TLS, `mllps://HOST:PORT`."""
    asked = urlsplit(url)
    if asked.scheme not in ("mllp", "mllps") or not asked.hostname:
        raise click.BadParameter(f"{url} is no mllp://HOST:PORT", param_hint="URL")
    context = ssl.create_default_context(cafile=ca) if asked.scheme == "mllps" else None
    return Line(asked.hostname, asked.port or 2575, timeout, context)


def messages_of(files: tuple[Path, ...]) -> list[bytes]:
    """Every message of every file; a file may hold several, with or without MLLP frames."""
    return [message for file in files for message in split_messages(file.read_bytes())]


@click.command(epilog="Example: flue send mllp://127.0.0.1:2575 results/*.hl7")
@click.argument("url")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for an acknowledgment.")
@click.option("--ca", type=click.Path(exists=True, path_type=Path), help="CA certificate to trust, for mllps://.")
def command(url: str, files: tuple[Path, ...], timeout: float, ca: Path | None) -> None:
    """Send FILES to URL, one message after the other, and print each control id with the code it was answered with."""
    refused = 0
    try:
        line = open_line(url, timeout, ca)
        for content in progress(messages_of(files), "sending"):
            answer = read_acknowledgment(line.exchange(content))
            print(answer.control_id or "-", answer.code or "-", flush=True)
            if answer.code not in ("AA", "CA"):
                refused += 1
                say(f"  {answer.text or 'no reason given'}")
        line.close()
    except OSError as error:
        fail(f"{url}: {error}")
    sys.exit(1 if refused else 0)

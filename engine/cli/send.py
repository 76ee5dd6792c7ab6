"""`flue send`: HL7 files over MLLP, each acknowledgment printed as `CONTROL-ID CODE`."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import click

from channels.mllp.framing import END, START, Deframer, Message, frame
from engine.cli.files import NAMED, content, messages
from engine.cli.output import fail, legible, progress, say, spoken
from transforms.errors import MessageError
from transforms.hl7.acknowledgment import Acknowledgment, read_acknowledgment
from transforms.hl7.batch import is_batch, read_envelope, split_messages
from transforms.hl7.message import parse

LIMIT = 64 * 2**20
ACCEPTED = ("AA", "CA")
GRACE = 2.0  # seconds for an answer that is asked for only where something goes well, or goes wrong


class Wanted(NamedTuple):
    """Which acknowledgments a message asks for (MSH-15 and MSH-16)."""

    control_id: str = ""
    accept: str = ""
    application: str = ""

    @property
    def nothing(self) -> bool:
        """It asks not to be answered."""
        return self.accept == self.application == "NE"

    @property
    def perhaps(self) -> bool:
        """It asks to be answered in case of errors, or of success, only."""
        return "AL" not in (self.accept, self.application) and bool({"ER", "SU"} & {self.accept, self.application})

    def more(self, code: str) -> bool:
        """Whether an application acknowledgment follows one with this code."""
        return code == "CA" and self.application == "AL"


def wanted(content: bytes) -> Wanted:
    """What a message asks for; of what cannot be read, one answer."""
    try:
        message = parse(content)
    except MessageError:
        return Wanted()
    return Wanted(*((message.get(path) or "").strip() for path in ("MSH-10", "MSH-15", "MSH-16")))


class Line:
    """One MLLP connection, used by one sender at a time."""

    def __init__(self, host: str, port: int, timeout: float, context: ssl.SSLContext | None) -> None:
        plain = socket.create_connection((host, port), timeout)
        self._socket = context.wrap_socket(plain, server_hostname=host) if context else plain
        self._timeout, self._deframer = timeout, Deframer(LIMIT)
        self._waiting: list[bytes] = []
        self._earlier: set[str] = set()  # control ids sent before: what comes late for those answers nothing else

    def send(self, content: bytes) -> Iterator[Acknowledgment]:
        """Send one message; gives the acknowledgments that come, until all it asks for are there.  OSError where they do not come."""
        asked = wanted(content)
        self._socket.sendall(frame(content))
        until, owed = time.monotonic() + (min(GRACE, self._timeout) if asked.perhaps else self._timeout), not asked.nothing
        while owed:
            try:
                answer = read_acknowledgment(self._next(until))
            except TimeoutError:
                if asked.perhaps:
                    break
                raise
            yield answer
            late = bool(asked.control_id) and answer.control_id != asked.control_id and answer.control_id in self._earlier
            owed = late or asked.more(answer.code)
        self._earlier.add(asked.control_id)

    def send_batch(self, batch: bytes) -> Iterator[Acknowledgment]:
        """Send a batch as it is, in one frame; gives the acknowledgments of its messages.  OSError where they do not come."""
        asked = {each.control_id: each for each in map(wanted, read_envelope(batch).messages)}
        self._socket.sendall(frame(batch))
        until = time.monotonic() + self._timeout
        if asked and all(each.nothing for each in asked.values()):
            return
        following: set[str] = set()  # application acknowledgments to come
        for number in count():
            for answer in map(read_acknowledgment, split_messages(self._next(until))):
                yield answer
                following.discard(answer.control_id)
                if not number and answer.control_id in asked and asked[answer.control_id].more(answer.code):
                    following.add(answer.control_id)
            if not following:
                return

    def _next(self, until: float) -> bytes:
        while not self._waiting:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no answer within {self._timeout:g} seconds")
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                continue
            if not data:
                raise ConnectionError("the receiver hung up without an answer")
            self._waiting += [event.content for event in self._deframer.receive(data) if isinstance(event, Message)]
        return self._waiting.pop(0)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def open_line(url: str, timeout: float, tls: ssl.SSLContext | None = None) -> Line:
    """A connection to `mllp://HOST:PORT` or, with TLS, `mllps://HOST:PORT`."""
    try:
        asked = urlsplit(url)
        port = asked.port or 2575
    except ValueError:
        asked, port = urlsplit(""), 0
    if asked.scheme not in ("mllp", "mllps") or not asked.hostname:
        raise click.BadParameter(f"{url} is no mllp://HOST:PORT", param_hint="URL")
    secured = (tls or ssl.create_default_context()) if asked.scheme == "mllps" else None
    return Line(asked.hostname, port, timeout, secured)


def _credentials(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    if key and not certificate:
        raise click.UsageError("--key goes with --certificate")
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        fail(f"{ca}: no certificate stands in it", 2)
    if certificate:
        try:
            context.load_cert_chain(certificate, key)
        except ssl.SSLError:
            fail(f"{certificate}: no certificate with its key stands in it, or the key is another's", 2)
    return context


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(epilog="Example: flue send mllp://127.0.0.1:2575 results/*.hl7")
@click.argument("url")
@click.argument("files", nargs=-1, required=True, type=NAMED)
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds to wait for an acknowledgment.")
@click.option("--batch", is_flag=True, help="Send a file that begins with FHS or BHS as it is, in one frame.")
@click.option("--ca", type=_FILE, help="With mllps://, the CA certificate to trust (PEM).")
@click.option("--certificate", type=_FILE, help="With mllps://, our own certificate (PEM), where the receiver asks for one.")
@click.option("--key", type=_FILE, help="The certificate's key, where it stands in a file of its own.")
def command(
    url: str, files: tuple[Path, ...], timeout: float, batch: bool, ca: Path | None, certificate: Path | None, key: Path | None
) -> None:
    """Send FILES (- is standard input) to URL, one message after the other, and print each control id with its answer's code."""
    refused = 0

    def at_fault(file: Path, fault: str) -> None:
        nonlocal refused
        refused += 1
        say(f"{file}: {fault}")

    try:
        line = open_line(url, timeout, _credentials(ca, certificate, key))
        for file in progress(files, "sending"):
            whole = content(file) if batch else b""
            if is_batch(whole):
                refused += not _told(line.send_batch(whole), "-")
                continue
            for message in split_messages(whole) if batch else (each for _, each in messages([file], at_fault)):
                refused += not _sent(line, message, file)
        line.close()
    except OSError as error:
        fail(f"{url}: {spoken(error)}")
    sys.exit(1 if refused else 0)


def _sent(line: Line, content: bytes, file: Path) -> bool:
    """Send a message and print what it is answered; whether it was taken."""
    if not content.strip():
        say(f"{file}: it is empty, nothing was sent")
        return False
    if START in content or END in content:
        say(f"{file}: bytes that begin or end an MLLP frame stand inside it (is it UTF-16?), nothing was sent")
        return False
    return _told(line.send(content), wanted(content).control_id or "-")


def _told(given: Iterable[Acknowledgment], nothing: str) -> bool:
    """Print acknowledgments, where there is `nothing` that; whether all that was answered was taken."""
    taken = True
    answers = list(given)
    if not answers:
        print(legible(f"{nothing} -"), flush=True)
    for answer in answers:
        print(legible(f"{answer.control_id or '-'} {answer.code or '-'}"), flush=True)
        if answer.code not in ACCEPTED:
            taken = False
            said = [answer.text or "no reason given", f"({answer.error_code})" if answer.error_code else "", answer.error_place]
            say(legible("  " + " ".join(each for each in said if each)))
    return taken

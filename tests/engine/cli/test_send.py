"""`flue send`: each acknowledgment as `CONTROL-ID CODE`, and what is wrong in a sentence."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import trustme

from tests.engine.cli.conftest import Flue
from tests.engine.cli.peer import Peer, acknowledge
from tests.engine.laboratory import RESULT

SECOND = RESULT.replace(b"|C1|", b"|C2|")


def asking(accept: str, application: str, control_id: bytes = b"C1") -> bytes:
    """A result that says which acknowledgments it wants (MSH-15, MSH-16)."""
    return RESULT.replace(b"|C1|P|2.5.1", b"|" + control_id + b"|P|2.5.1|||" + f"{accept}|{application}".encode())


def test_every_message_of_every_file(flue: Flue, tmp_path: Path) -> None:
    """In order, over one connection; a batch and MLLP frames are taken apart; status 0."""
    (tmp_path / "one.hl7").write_bytes(RESULT)
    (tmp_path / "batch.hl7").write_bytes(b"BHS|^~\\&|LAB\r" + SECOND + RESULT.replace(b"|C1|", b"|C3|") + b"BTS|2\r")
    with Peer() as peer:
        done = flue("send", peer.url, "one.hl7", "batch.hl7", "-", stdin=b"\x0b" + RESULT.replace(b"|C1|", b"|C4|") + b"\x1c\r")
        assert (done.exit_code, done.stdout, done.stderr) == (0, "C1 AA\nC2 AA\nC3 AA\nC4 AA\n", "")
        assert peer.received[0] == RESULT and len(peer.received) == 4


def test_what_is_refused_is_said(flue: Flue) -> None:
    """The code on stdout, the reason on stderr, status 1; the others are sent all the same."""

    def answer(message: bytes) -> list[bytes]:
        return (
            [acknowledge(message, "AE", "\rERR||PID^1^3|101^Required field missing^HL70357|E||||a patient number is missing")]
            if b"|C1|" in message
            else [acknowledge(message, "AA")]
        )

    with Peer(answer) as peer:
        done = flue("send", peer.url, "-", stdin=RESULT + SECOND)
    assert (done.exit_code, done.stdout) == (1, "C1 AE\nC2 AA\n")
    assert done.stderr == "  a patient number is missing (101) PID-3\n"


def test_the_acknowledgments_a_message_asks_for(flue: Flue) -> None:
    """Accept and application acknowledgment, one of them, none, or one in case of errors only."""

    def answer(message: bytes) -> list[bytes]:
        codes = {b"C1": ["CA", "AA"], b"C2": ["CA"], b"C3": ["AA"], b"C4": [], b"C5": []}
        return [acknowledge(message, code) for code in codes[message.split(b"|")[9]]]

    wanted = [("AL", "AL"), ("AL", "NE"), ("NE", "AL"), ("NE", "NE"), ("ER", "NE")]
    messages = b"".join(asking(*each, f"C{number}".encode()) for number, each in enumerate(wanted, 1))
    with Peer(answer) as peer:
        done = flue("send", "--timeout", "0.3", peer.url, "-", stdin=messages)
    assert (done.exit_code, done.stdout) == (0, "C1 CA\nC1 AA\nC2 CA\nC3 AA\nC4 -\nC5 -\n")


def test_a_late_answer_answers_nothing_else(flue: Flue) -> None:
    """An application acknowledgment that nobody waited for is not taken for the next message's."""

    def answer(message: bytes) -> list[bytes]:
        first, own = RESULT, acknowledge(message, "AA")
        return [own, acknowledge(first, "AE")] if b"|C1|" in message else [own]

    with Peer(answer) as peer:
        done = flue("send", peer.url, "-", stdin=RESULT + SECOND)
    assert done.stdout.splitlines()[0] == "C1 AA" and done.stdout.splitlines()[-1] == "C2 AA"


def test_empty_files_and_wide_characters_are_not_sent(flue: Flue, tmp_path: Path) -> None:
    """Nothing of them could arrive as it is."""
    (tmp_path / "empty.hl7").write_bytes(b"\n")
    (tmp_path / "wide.hl7").write_bytes(b"\xff\xfe" + (RESULT.decode() + "\u0d1c").encode("utf-16-le"))
    with Peer() as peer:
        done = flue("send", peer.url, "empty.hl7", "wide.hl7")
        assert peer.received == []
    assert (done.exit_code, done.stdout) == (1, "")
    assert "empty.hl7: it is empty, nothing was sent" in done.stderr and "is it UTF-16?" in done.stderr


def test_over_tls(flue: Flue, tmp_path: Path) -> None:
    """The receiver is checked against --ca; where it asks for a certificate, ours is shown; who is not trusted is not talked to."""
    ours, strangers = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(tmp_path / "ca.pem")
    strangers.cert_pem.write_to_path(tmp_path / "strangers.pem")
    ours.issue_cert("flue.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "flue.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.issue_cert("localhost").configure_cert(context)
    ours.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with Peer(tls=context) as peer:
        done = flue("send", "--ca", "ca.pem", "--certificate", "flue.pem", peer.url, "-", stdin=RESULT)
        assert (done.exit_code, done.stdout) == (0, "C1 AA\n"), done.stderr
        done = flue("send", "--ca", "strangers.pem", "--certificate", "flue.pem", peer.url, "-", stdin=RESULT)
        assert done.exit_code == 1 and "the certificate is not trusted" in done.stderr
        assert flue("send", "--ca", "ca.pem", peer.url, "-", stdin=RESULT).exit_code == 1
        assert len(peer.received) == 1


def test_nobody_or_nothing_answers(flue: Flue) -> None:
    """Refused, silent, hung up: each in a sentence, status 1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = flue("send", "--timeout", "0.2", f"mllp://127.0.0.1:{port}", "-", stdin=RESULT)
        assert (done.exit_code, done.stderr) == (1, f"mllp://127.0.0.1:{port}: no answer within 0.2 seconds\n")
    done = flue("send", f"mllp://127.0.0.1:{port}", "-", stdin=RESULT)
    assert (done.exit_code, done.stderr) == (1, f"mllp://127.0.0.1:{port}: Connection refused\n")
    with Peer() as peer:
        url = peer.url.replace("mllp", "mllps")
        done = flue("send", "--timeout", "0.2", url, "-", stdin=RESULT)
        assert (done.exit_code, done.stderr) == (1, f"{url}: no answer in time\n")


@pytest.mark.parametrize("url", ["http://127.0.0.1:2575", "127.0.0.1:2575", "mllp://", "mllp://host:port", "mllp://host:99999"])
def test_an_address_that_is_none(flue: Flue, url: str) -> None:
    """The command line is at fault."""
    done = flue("send", url, "-", stdin=RESULT)
    assert done.exit_code == 2 and f"{url} is no mllp://HOST:PORT" in done.stderr


def test_certificates_that_are_none(flue: Flue, tmp_path: Path) -> None:
    """The command line is at fault."""
    (tmp_path / "noise").write_text("noise")
    for option in ("--ca", "--certificate"):
        assert flue("send", option, "noise", "mllps://localhost:1", "-", stdin=RESULT).exit_code == 2
    assert flue("send", "--key", "noise", "mllps://localhost:1", "-", stdin=RESULT).exit_code == 2


def test_a_batch_whose_count_is_wrong(flue: Flue) -> None:
    """Its messages are sent all the same, and status 1 says that something is wrong."""
    with Peer() as peer:
        done = flue("send", peer.url, "-", stdin=b"BHS|^~\\&|LAB\r" + RESULT + SECOND + b"BTS|3\r")
    assert (done.exit_code, done.stdout) == (1, "C1 AA\nC2 AA\n")
    assert done.stderr == "-: batch 1: BTS-1 says 3, 2 messages came\n"


def test_a_batch_as_it_is(flue: Flue) -> None:
    """One frame goes, one batch answers, and each acknowledgment in it is printed."""

    def answer(batch: bytes) -> list[bytes]:
        return [b"BHS|^~\\&|EHR\r" + acknowledge(RESULT, "AA") + acknowledge(SECOND, "AE") + b"BTS|2\r"]

    batch = b"BHS|^~\\&|LAB\r" + RESULT + SECOND + b"BTS|2\r"
    with Peer(answer) as peer:
        done = flue("send", "--batch", peer.url, "-", stdin=batch)
        assert peer.received == [batch]
    assert (done.exit_code, done.stdout) == (1, "C1 AA\nC2 AE\n")


def test_a_batch_with_application_acknowledgments(flue: Flue) -> None:
    """Those that follow the batch are waited for."""

    def answer(batch: bytes) -> list[bytes]:
        return [b"BHS|^~\\&|EHR\r" + acknowledge(RESULT, "CA") + b"BTS|1\r", acknowledge(RESULT, "AA")]

    with Peer(answer) as peer:
        done = flue("send", "--batch", peer.url, "-", stdin=b"BHS|^~\\&|LAB\r" + asking("AL", "AL") + b"BTS|1\r")
    assert (done.exit_code, done.stdout) == (0, "C1 CA\nC1 AA\n")

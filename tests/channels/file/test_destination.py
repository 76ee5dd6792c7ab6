"""The `file` destination: names, whole files, and what the system refuses."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import text
from pydantic import ValidationError

from channels.connector import Surroundings
from channels.errors import ConnectorError
from channels.file.destination import FileDestination
from channels.message import Outcome, Outgoing, Verdict
from transforms.document import FHIR_JSON, HL7, Context, Document
from transforms.hl7.message import parse

RECEIVED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
ORU = b"MSH|^~\\&|LAB|HOSP|||20260304||ORU^R01|17|P|2.5\rPID|1\r"


def outgoing(body: Any = None, media_type: str = FHIR_JSON, **more: Any) -> Outgoing:
    document = Document(media_type, {"resourceType": "Bundle"} if body is None else body, Context(RECEIVED, "lab_results"))
    return Outgoing(**{"document": document, "message_id": 42, "control_id": "MSG/17", "attempt": 1, "destination": "files", **more})


def send(folder: Path, *deliveries: Outgoing, **options: Any) -> list[Outcome]:
    async def sending() -> list[Outcome]:
        surroundings = Surroundings(asyncio.get_running_loop(), None, folder, None)  # type: ignore[arg-type]
        opened = await FileDestination(**{"folder": "out", **options}).open(surroundings)
        outcomes = [await opened.send(each) for each in deliveries]
        await opened.close()
        return outcomes

    return asyncio.run(sending())


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


def test_what_is_written(tmp_path: Path) -> None:
    """FHIR as JSON with decimals as they were spelt, HL7 byte for byte, text as UTF-8; `sent` is what went out."""
    value = {"resourceType": "Observation", "valueQuantity": {"value": Decimal("7.0")}}
    outcomes = send(
        tmp_path,
        outgoing(value),
        outgoing(parse(ORU), HL7, message_id=43),
        outgoing(ORU, HL7, message_id=44),
        outgoing("Größe", "text/plain", message_id=45),
    )
    assert files(tmp_path / "out") == {
        "42.json": b'{"resourceType":"Observation","valueQuantity":{"value":7.0}}',
        "43.hl7": ORU,
        "44.hl7": ORU,
        "45.dat": "Größe".encode(),
    }
    assert {each.verdict for each in outcomes} == {Verdict.SENT}
    assert outcomes[1].sent == ORU


def test_the_same_delivery_again_is_the_same_file(tmp_path: Path) -> None:
    """Idempotent: an attempt whose outcome was lost costs nothing; another part of the message is another file."""
    send(tmp_path, outgoing(), outgoing(attempt=2), outgoing(part=1))
    assert list(files(tmp_path / "out")) == ["42-1.json", "42.json"]
    assert FileDestination.idempotent


def test_names_from_a_template(tmp_path: Path) -> None:
    """Everything a site sorts by, folders included; what the sender wrote is made harmless."""
    name = "{{ received.strftime('%Y/%m-%d') }}/{{ channel }}-{{ destination }}-{{ control_id }}.{{ extension }}"
    send(tmp_path, outgoing(), name=name)
    assert list(files(tmp_path / "out")) == ["2026/03-04/lab_results-files-MSG_17.json"]


@pytest.mark.parametrize(
    "name",
    [
        "../{{ message_id }}",
        "/etc/{{ message_id }}",
        "a/../../{{ message_id }}",
        "{{ '..' }}/x",
        "",
        "a//b",
        ".hidden",
        "a\\b",
        "{{ message_id",
        "{{ nothing_known }}",
        "{{ message_id.__class__ }}",
        "{{ 1 / 0 }}",
        "{{ received.strftime(5) }}",
    ],
)
def test_templates_that_are_refused(name: str) -> None:
    """Found by `flue check`: what leads out of the folder, does not render, or reaches for more than it is given."""
    with pytest.raises(ValidationError):
        FileDestination(folder="out", name=name)


@given(control_id=text(max_size=300))
def test_no_control_id_leads_out_of_the_folder(control_id: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever a sender puts into MSH-10."""
    folder = tmp_path_factory.mktemp("any")
    (outcome,) = send(folder, outgoing(control_id=control_id), name="{{ control_id }}.json")
    assert [each.parent.name for each in folder.rglob("*") if each.is_file()] == ["out"] * (outcome.verdict is Verdict.SENT)
    assert outcome.verdict in (Verdict.SENT, Verdict.REFUSED)


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    """Neither a folder that is a link, nor a file: the link is replaced, what it points at stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(outside)
    (tmp_path / "out" / "42.json").symlink_to(outside / "precious")
    (refused,) = send(tmp_path, outgoing(), name="link/{{ message_id }}")
    (sent,) = send(tmp_path, outgoing())
    assert (refused.verdict, refused.code, sent.verdict) == (Verdict.REFUSED, "file_name", Verdict.SENT)
    assert files(outside) == {"precious": b"precious"}


def test_a_name_that_cannot_be_is_the_messages_fault(tmp_path: Path) -> None:
    """Too long, or a folder's: others may still be written."""
    (tmp_path / "out" / "42.json").mkdir(parents=True)
    (too_long,) = send(tmp_path, outgoing(), name="{{ control_id * 60 }}")
    (is_folder,) = send(tmp_path, outgoing())
    assert [(each.verdict, each.code) for each in (too_long, is_folder)] == [(Verdict.REFUSED, "ENAMETOOLONG"), (Verdict.REFUSED, "EISDIR")]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["open", "fsync", "rename"])
def test_a_place_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    """A full or broken disk pauses the destination, costs no attempt, and leaves neither half a file nor rubbish."""

    def failing(*arguments: Any, **named: Any) -> Any:
        raise OSError(number, os.strerror(number))

    send(tmp_path, outgoing({"old": 1}))
    monkeypatch.setattr(f"channels.file.destination.os.{call}", failing)
    (outcome,) = send(tmp_path, outgoing({"new": 1}))
    monkeypatch.undo()
    assert (outcome.verdict, outcome.code) == (Verdict.FAILING, errno.errorcode[number])
    assert files(tmp_path / "out") == {"42.json": b'{"old":1}'}


def test_what_a_crash_left_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unfinished file is never taken for the file, and does not stay."""

    class Crash(BaseException):
        """Stands for the power failing."""

    def crash(*arguments: Any) -> None:
        raise Crash

    monkeypatch.setattr("channels.file.destination.os.rename", crash)
    with pytest.raises(Crash):
        send(tmp_path, outgoing())
    assert "42.json" not in files(tmp_path / "out") and len(files(tmp_path / "out")) == 1
    monkeypatch.undo()
    send(tmp_path, outgoing())
    assert list(files(tmp_path / "out")) == ["42.json"]


@pytest.mark.parametrize("permissions", ["0600", "0644"])
def test_permissions(tmp_path: Path, permissions: str) -> None:
    """They are what the site says, whatever the umask."""
    send(tmp_path, outgoing(), permissions=permissions)
    assert stat.S_IMODE((tmp_path / "out" / "42.json").stat().st_mode) == int(permissions, 8)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The channel does not open, and says why."""
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ConnectorError, match="cannot be made: File exists"):
        send(tmp_path, outgoing())

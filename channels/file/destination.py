"""The `file` destination: each delivery a file of its own, there whole or not at all.

Written beside its place, flushed to the disk, then renamed over it, and the folder flushed too: after SENT it survives a loss of
power, and no reader sees half of it.  The same delivery again writes the same name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from asyncio import AbstractEventLoop
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, ClassVar

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from channels.connector import Surroundings
from channels.errors import ConnectorError
from channels.message import Outcome, Outgoing, Verdict
from transforms.component import destination, option
from transforms.document import FHIR_JSON, HL7, Context, Document

NAME = "{{ message_id }}{% if part %}-{{ part }}{% endif %}.{{ extension }}"
EXTENSIONS = {FHIR_JSON: "json", HL7: "hl7"}

_templates = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
_NAMES_FAULT = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.ELOOP}  # this message's file cannot be; others can


class _Refused(Exception):
    """The file may not have the name that the template gives it."""


def _template(text: str) -> str:
    if "${" in text:
        return text
    sample = Document(FHIR_JSON, {}, Context(datetime.now(timezone.utc), "channel"))
    try:
        _name(_templates.from_string(text), Outgoing(sample, 1, "control-id", 1, 0, "destination"))
    except _Refused as refused:
        raise ValueError(str(refused)) from None
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"is no template that gives a name: {error}") from None
    return text


@destination("file")
@dataclass(frozen=True)
class FileDestination:
    """Writes each delivery to a file: FHIR as JSON, HL7 as its bytes."""

    folder: str = option("Where files go; made when it is not there.", min_length=1)
    name: Annotated[str, AfterValidator(_template)] = option(
        "Its name, a Jinja2 template over message_id, control_id, part, received (a time, UTC), channel, destination, extension.",
        default=NAME,
    )
    permissions: str = option("Who may read and write the files, as chmod takes it.", default="0640", pattern=r"^0[0-7]{3}$")
    in_flight: int = option("How many lanes may be written at once.", default=8, ge=1, le=64)

    idempotent: ClassVar[bool] = True

    async def open(self, surroundings: Surroundings) -> FileSending:
        """Make the folder; ConnectorError where that fails."""
        folder = surroundings.folder / self.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConnectorError(f"file: {folder} cannot be made: {error.strerror}") from None
        return FileSending(self, folder.resolve(), surroundings.loop)


class FileSending:
    """The destination as it runs."""

    def __init__(self, declaration: FileDestination, folder: Path, loop: AbstractEventLoop) -> None:
        self._folder, self._loop = folder, loop
        self._name = _templates.from_string(declaration.name)
        self._permissions = int(declaration.permissions, 8)

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Write one file, on a thread."""
        content = outgoing.content
        try:
            file = self._place(_name(self._name, outgoing))
            await self._loop.run_in_executor(None, write, file, content, self._permissions)
        except _Refused as refused:
            return Outcome(Verdict.REFUSED, "file_name", str(refused))
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            return Outcome(Verdict.REFUSED, "file_name", f"the template gives no name: {type(error).__name__}")
        except OSError as error:
            return _failed(error)
        return Outcome(Verdict.SENT, "written", sent=content)

    async def close(self) -> None:
        """Nothing is kept open."""

    def reload(self) -> None:
        """There are no certificates."""

    def _place(self, name: str) -> Path:
        """Where a file of this name lies; links inside the folder may not lead out of it."""
        file = self._folder / name
        if not file.parent.resolve().is_relative_to(self._folder):
            raise _Refused("leads out of the folder")
        return file


def write(file: Path, content: bytes, permissions: int = 0o640) -> None:
    """`content` as `file`, whole or not at all, on the disk when this returns.

    What a crash leaves of the unfinished file is written over by the next attempt.
    """
    _make_folder(file.parent)
    unfinished = file.with_name(f".{hashlib.sha256(file.name.encode()).hexdigest()[:24]}.part")
    number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, permissions)
    try:
        with open(number, "wb") as handle:
            os.fchmod(number, permissions)
            handle.write(content)
            handle.flush()
            os.fsync(number)
        os.rename(unfinished, file)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    _flush_folder(file.parent)


def _make_folder(folder: Path) -> None:
    """The folder and those above it, on the disk too."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _name(template: Any, outgoing: Outgoing) -> str:
    """The file's name, possibly with folders before it; _Refused where it could lie elsewhere."""
    document = outgoing.document
    name = template.render(
        message_id=outgoing.message_id,
        control_id=_harmless(outgoing.control_id),
        part=outgoing.part,
        received=document.context.received,
        channel=document.context.channel,
        destination=outgoing.destination,
        extension=EXTENSIONS.get(document.media_type, "dat"),
    )
    parts = name.split("/")
    if not all(parts) or any(part.startswith(".") for part in parts) or "\0" in name or "\\" in name:
        raise _Refused("gives a name that is empty, hidden, or leads out of the folder")
    return name


def _harmless(text: str) -> str:
    """The sender's text as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[:100]


def _failed(error: OSError) -> Outcome:
    """What the system would not do: the place is at fault, unless it is this one name."""
    code = errno.errorcode.get(error.errno or 0, "EIO")
    verdict = Verdict.REFUSED if error.errno in _NAMES_FAULT else Verdict.FAILING
    return Outcome(verdict, code, f"the file could not be written: {os.strerror(error.errno or errno.EIO)}")

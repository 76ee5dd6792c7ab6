"""What holds for every message of every structure: valid FHIR or a refusal with a place, the same every time, and no text without a fate."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from transforms.document import Context, Identity
from transforms.errors import ErrorCode, MessageError
from transforms.fhir.serialization import dumps
from transforms.fhir.validation import validate
from transforms.hl7.message import parse
from transforms.mapping.accounting import FATES, LEFT_OVER
from transforms.mapping.atoms import atoms
from transforms.mapping.library import Library

CONTEXT = Context(datetime(2024, 1, 15, 10, 30, tzinfo=timezone.utc), identity=Identity(base="https://site.example/ids", secret="secret"))


def _grammar() -> ModuleType:
    """The strategy beside this file; tests are no package."""
    spec = importlib.util.spec_from_file_location("messages_of", Path(__file__).with_name("messages_of.py"))
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GRAMMAR = _grammar()
LIBRARY = Library.load()


ACCOUNTED = ("ADT_A01", "ADT_A39", "MDM_T02", "OML_O21", "ORU_R01", "OUL_R22", "SIU_S12", "VXU_V04")
"""Structures whose messages are accounted for with every `make test`; of all others by `make journeys`: what traces is compiled for each map."""


@pytest.mark.parametrize("structure", GRAMMAR.structures_of())
def test_every_structure(structure: str) -> None:
    """Valid R4, or an error that names a place; the same bytes when asked again."""
    _hold(structure, _lawful, 3)


@pytest.mark.parametrize("structure", ACCOUNTED)
def test_each_text_has_a_fate(structure: str) -> None:
    """Mapped, dropped or left over: one of them, and the ledger says the same."""
    _hold(structure, _conserving, 3)


@pytest.mark.journey
@pytest.mark.parametrize("structure", GRAMMAR.structures_of())
def test_more_of_every_structure(structure: str) -> None:
    """The same of more messages."""
    _hold(structure, _lawful, 12)
    _hold(structure, _conserving, 6)


def _hold(structure: str, law: Callable[[bytes], None], examples: int) -> None:
    """Whether a law holds of messages of a structure."""

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(raw=GRAMMAR.messages_of(structure))
    def holds(raw: bytes) -> None:
        law(raw)

    holds()


def _lawful(raw: bytes) -> None:
    try:
        converted = LIBRARY.converter()(parse(raw), CONTEXT)
    except MessageError as error:
        assert error.place and error.code is not ErrorCode.INTERNAL, f"{error} {error.origin}"
        return
    assert not [f"{issue.place}: {issue.text}" for issue in validate(converted.bundle)]
    again = LIBRARY.converter()(parse(raw), CONTEXT)
    assert (dumps(again.bundle), again.leftover, again.notes) == (dumps(converted.bundle), converted.leftover, converted.notes)


def _conserving(raw: bytes) -> None:
    message = parse(raw)
    try:
        converted = LIBRARY.converter()(message, CONTEXT)
    except MessageError:
        return
    account = LIBRARY.explain().account(message, CONTEXT)
    assert [each.atom for each in account.fates] == atoms(message, _places(message.lines[0]))
    assert {each.fate for each in account.fates} <= set(FATES) and sum(account.counts.values()) == len(account.fates)
    assert account.leftover == converted.leftover  # the code that traces and the plain one agree
    left = [each.atom.path for each in account.fates if each.fate == LEFT_OVER]
    assert not [path for path in left if not any(_inside(path, other) for other in converted.leftover)]
    assert not [path for path in converted.leftover if not any(_inside(other, path) for other in left) and _says(message, path)]


def _places(names: list[str]) -> tuple[str, ...]:
    """How paths call the segments of a message."""
    return tuple(name if names.count(name) == 1 else f"{name}[{names[: index + 1].count(name)}]" for index, name in enumerate(names))


def _inside(path: str, whole: str) -> bool:
    """Whether an atom lies in what the ledger names: `PID-3[2].4.1` in `PID-3`, `PID-3.4`, `PID-3[2]`."""
    return any(form == whole or form.startswith((f"{whole}.", f"{whole}[")) for form in _forms(path))


def _forms(path: str) -> Iterator[str]:
    """The path as it is, without its repetition, and with components that need not be said."""
    segment, _, rest = path.partition("-")
    bare = rest.partition("[")[0] + rest.partition("]")[2] if "[" in rest else rest
    for said in (rest, bare):
        yield f"{segment}-{said}"
        yield f"{segment}-{said}.1"
        yield f"{segment}-{said}.1.1"


def _says(message: object, path: str) -> bool:
    """Whether what stands at a path of the ledger is more than blanks."""
    text = message.get(path) or ""  # type: ignore[attr-defined]
    return bool(text.strip().strip('"^&~ '))

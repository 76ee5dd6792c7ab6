"""The tests a channel carries: a message given, and what must come of it.  No network, no store, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path as File
from typing import Any, Literal

from pydantic import dataclasses as declarations

from channels.definition import Channel, Test
from channels.routing import Route, Routed
from transforms.component import option
from transforms.declaration.building import FAILED, Builder
from transforms.declaration.reading import Located, Path, spelled
from transforms.declaration.suggestions import did_you_mean
from transforms.document import HL7, Document
from transforms.errors import MessageError, Problem
from transforms.pipeline import Filtered

RESERVED = ("answer", "error")
_MOMENT = datetime(2020, 1, 1, tzinfo=UTC)  # when every test's message is received
_KINDS = ("fhirpath", "path", "contains", "held")


@declarations.dataclass(frozen=True)
class Expectation:
    """One thing that must be so about what a destination gets."""

    fhirpath: str = option("A FHIRPath over the FHIR output.", default="")
    path: str = option("A place in the HL7 output, such as PID-5.1; all that stands there.", default="")
    contains: str = option("A text that the output must contain.", default="")
    held: str = option("Why the output, or a part of it, must be held: `invalid`, `no_patient_id`.", default="")
    equals: tuple[Any, ...] = option("What the path must give, in order.", default=())


@declarations.dataclass(frozen=True)
class ExpectedError:
    """The refusal that must come: any of code and place may be left out."""

    code: str = option("Code of table 0357, such as 101.", default="")
    place: str = option("Where in the message, such as PID-3.", default="")


Answer = Literal["AA", "AE", "AR"]
Expected = Literal["filtered"] | tuple[Expectation, ...] | ExpectedError | Answer


@dataclass(frozen=True)
class Result:
    """What came of one test: passed where `failures` is empty."""

    channel: str
    name: str
    file: str
    line: int
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return not self.failures


@dataclass(frozen=True)
class _Outcome:
    """What a channel made of a test's message."""

    answer: str
    routed: Filtered | Routed | None = None
    error: MessageError | None = None


def problems(channel: Channel, located: Located, folder: File | None) -> Iterator[Problem]:
    """What is wrong with the tests themselves: files that are missing, destinations that are none, paths that do not parse."""
    builder = Builder(located, {})
    known = len(builder.problems)
    for index, test in enumerate(channel.tests):
        path: Path = ("tests", index)
        if folder and not _is_message(test.given) and not _beside(located, test).is_file():
            builder.report((*path, "given"), "no_file", f"There is no file `{test.given}` beside the channel.")
        for key, value in test.expect.items():
            _expected(builder, channel, key, value, (*path, "expect", key))
    yield from builder.problems[known:]


def run(channel: Channel, route: Route, located: Located) -> list[Result]:
    """Run every test of a channel."""
    return [_run(test, index, channel, route, located) for index, test in enumerate(channel.tests)]


def _run(test: Test, index: int, channel: Channel, route: Route, located: Located) -> Result:
    builder = Builder(located, {})
    outcome = _outcome(_content(located, test), route)
    failures: list[str] = []
    for key, value in test.expect.items():
        expected = _expected(builder, channel, key, value, ("tests", index, "expect", key))
        failures += [f"{key}: {each}" for each in _compare(key, expected, outcome)]
    return Result(channel.channel, test.name, located.file, located.place(("tests", index))[0], tuple(failures))


def _is_message(given: str) -> bool:
    return given.startswith("MSH")


def _beside(located: Located, test: Test) -> File:
    return File(located.file).parent / test.given


def _content(located: Located, test: Test) -> bytes:
    if _is_message(test.given):
        return test.given.replace("\n", "\r").encode()
    return _beside(located, test).read_bytes()


def _outcome(content: bytes, route: Route) -> _Outcome:
    try:
        return _Outcome("AA", route(route.document(content, _MOMENT)))
    except MessageError as error:
        return _Outcome("AR" if error.fatal else "AE", error=error)


def _expected(builder: Builder, channel: Channel, key: str, value: Any, path: Path) -> Any:
    """One entry of `expect`, typed; FAILED where it is wrong."""
    if key == "answer":
        return builder.build(Answer, value, path)
    if key == "error":
        return builder.build(ExpectedError, value, path)
    names = [each.name for each in channel.destinations]
    if key not in names:
        meant = did_you_mean(key, (*names, *RESERVED))
        builder.report(path, "unknown_key", f"`{key}` is neither a destination nor `answer` nor `error`{meant}.", key=True)
        return FAILED
    if isinstance(value, str):
        return builder.build(Literal["filtered"], value, path)
    expected = builder.build(tuple[Expectation, ...], value, path)
    for index, each in enumerate(expected if expected is not FAILED else ()):
        _one_kind(builder, each, (*path, index))
    return expected


def _one_kind(builder: Builder, expectation: Expectation, path: Path) -> None:
    if sum(bool(getattr(expectation, kind)) for kind in _KINDS) != 1:
        builder.report(path, "wrong_type", "An expectation has one of `fhirpath`, `path`, `contains` and `held`.")
    elif expectation.fhirpath:
        column = _misspelled(expectation.fhirpath)
        if column is not None:
            builder.report((*path, "fhirpath"), "fhirpath", f"This is no FHIRPath, from its character {column} on.")


def _compare(key: str, expected: Any, outcome: _Outcome) -> Iterator[str]:
    if expected is FAILED:
        yield "the expectation itself is wrong; flue check says how"
    elif key == "answer":
        if outcome.answer != expected:
            yield f"expected {expected}, the answer was {outcome.answer}{_because(outcome)}"
    elif key == "error":
        yield from _compare_error(expected, outcome)
    elif outcome.routed is None:
        yield f"nothing came{_because(outcome)}"
    else:
        reached = outcome.routed if isinstance(outcome.routed, Filtered) else outcome.routed[key]
        yield from _compare_reached(expected, reached)


def _because(outcome: _Outcome) -> str:
    return f": {outcome.error} at {outcome.error.origin or 'reading'}" if outcome.error else ""


def _compare_error(expected: ExpectedError, outcome: _Outcome) -> Iterator[str]:
    if outcome.error is None:
        yield "expected an error, there was none"
        return
    if expected.code and expected.code not in (outcome.error.code.code, outcome.error.code.name.lower()):
        yield f"expected code {expected.code}, it was {outcome.error.code.code}{_because(outcome)}"
    if expected.place and expected.place != outcome.error.place:
        yield f"expected it at {expected.place}, it was at {outcome.error.place}{_because(outcome)}"


def _compare_reached(expected: Any, reached: Document | Filtered) -> Iterator[str]:
    if isinstance(reached, Filtered):
        if expected != "filtered":
            yield f"it was filtered by {reached.rule} ({reached.origin})"
    elif expected == "filtered":
        yield "expected it to be filtered, and it was not"
    else:
        for each in expected:
            yield from _compare_one(each, reached)


def _compare_one(expected: Expectation, document: Document) -> Iterator[str]:
    if expected.held:
        holds = sorted({part.hold for part in document.parts if part.hold})
        if expected.held not in holds:
            yield f"expected it to be held as {expected.held}, it was {'held as ' + ', '.join(holds) if holds else 'not held'}"
    elif expected.contains:
        if expected.contains not in _text(document):
            yield f"the output does not contain {expected.contains!r}"
    else:
        try:
            found = _found(expected, document)
        except Exception as error:  # fhirpathpy raises plain Exceptions
            yield f"{expected.fhirpath} cannot be evaluated: {error}"
            return
        if not _same(expected.equals, found):
            yield f"{expected.fhirpath or expected.path} gave {_shown(found)}, expected {_shown(expected.equals)}"


def _found(expected: Expectation, document: Document) -> list[Any]:
    if expected.path:
        return document.body.all(expected.path) if document.media_type == HL7 else []
    return list(_compiled(expected.fhirpath)(deepcopy(document.body)))


def _text(document: Document) -> str:
    body = document.body
    if document.media_type == HL7:
        return body.text
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)


@lru_cache(maxsize=1000)
def _misspelled(expression: str) -> int | None:
    """Where an expression stops being FHIRPath (counted from 1); None: it is.  fhirpathpy itself passes over what it cannot parse."""
    from antlr4 import CommonTokenStream, InputStream
    from antlr4.error.ErrorListener import ErrorListener
    from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
    from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

    columns: list[int] = []

    class Listener(ErrorListener):
        def syntaxError(self, recognizer: Any, symbol: Any, line: int, column: int, msg: str, e: Any) -> None:  # noqa: N802 - antlr4's
            columns.append(column + 1)

    lexer = FHIRPathLexer(InputStream(expression))
    parser = FHIRPathParser(CommonTokenStream(lexer))
    for recognizer in (lexer, parser):
        recognizer.removeErrorListeners()
        recognizer.addErrorListener(Listener())
    parser.entireExpression()
    return min(columns, default=None)


@lru_cache(maxsize=1000)
def _compiled(expression: str) -> Any:
    from fhirpathpy import compile as compiled
    from fhirpathpy.models import models

    return compiled(expression, models["r4"])


def _same(expected: tuple[Any, ...], found: list[Any]) -> bool:
    return len(expected) == len(found) and all(map(_equal, expected, found))


def _equal(expected: Any, found: Any) -> bool:
    if isinstance(expected, bool) or isinstance(found, bool) or isinstance(expected, (dict, list)):
        return expected is found or (isinstance(expected, (dict, list)) and expected == found)
    if isinstance(found, (int, float, Decimal)):
        return not isinstance(expected, str) and Decimal(str(found)) == expected
    return spelled(expected) == str(found)


def _shown(values: Any) -> str:
    return "[" + ", ".join(spelled(each) if isinstance(each, (str, int, bool, Decimal)) else str(each) for each in values) + "]"

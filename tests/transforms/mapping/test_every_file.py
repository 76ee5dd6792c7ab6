"""Every message of the corpus, of every folder, the broken ones too: a valid bundle, or a refusal that names its place.

Never a traceback, never silence; and the models of fhir.resources, which nobody here wrote, find nothing wrong with a bundle either.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from transforms.document import Context, Identity
from transforms.errors import ErrorCode, MessageError
from transforms.fhir.serialization import dumps
from transforms.fhir.validation import is_valid, validate
from transforms.hl7.batch import split_messages
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.to_fhir import Converted

pytestmark = pytest.mark.shared

CONTEXT = Context(datetime(2026, 1, 1, tzinfo=timezone.utc), identity=Identity("https://site.example/ids", "every"))
PLACE = re.compile(r"[A-Z][A-Z0-9]{2}(\[\d+\])?(-\d+(\[\d+\])?(\.\d+){0,2})?")
REFUSED = 25  # messages of the corpus that are none: noise, delimiters that are none, more than one message in one


def messages(shared: Path) -> Iterator[tuple[str, bytes]]:
    """Every message of every file, and what it is called."""
    for file in sorted(each for each in (shared / "corpus").rglob("*") if each.suffix in (".hl7", ".bin")):
        for number, content in enumerate(split_messages(file.read_bytes())):
            yield f"{file.relative_to(shared / 'corpus')}#{number}", content


def outcomes(shared: Path) -> Iterator[tuple[str, Converted | MessageError]]:
    """What becomes of each."""
    convert = Library.load().converter()
    for name, content in messages(shared):
        try:
            yield name, convert(parse(content), CONTEXT)
        except MessageError as error:
            yield name, error


def test_every_message_gives_a_valid_bundle_or_a_refusal_with_a_place(shared: Path) -> None:
    """A refusal is the message's fault: it names segment and field, and no rule of ours failed."""
    refused: Counter[str] = Counter()
    for name, outcome in outcomes(shared):
        if isinstance(outcome, MessageError):
            assert outcome.code is not ErrorCode.INTERNAL, (name, str(outcome))
            assert PLACE.fullmatch(outcome.place), (name, outcome.place)
            refused[name.partition("/")[0]] += 1
        else:
            assert outcome.bundle["entry"], name
            assert validate(outcome.bundle) == [], name
            assert is_valid(outcome.bundle), name
    assert refused.total() <= REFUSED, refused


def test_the_same_message_gives_the_same_bytes(shared: Path) -> None:
    """Whatever was converted before it, and by a converter made anew."""
    first = {name: dumps(each.bundle) for name, each in outcomes(shared) if isinstance(each, Converted)}
    convert = Library.load().converter()
    for name, content in reversed([*messages(shared)]):
        if name in first:
            assert dumps(convert(parse(content), CONTEXT).bundle) == first[name], name


def test_others_find_nothing_wrong_either(shared: Path) -> None:
    """The models of fhir.resources: structure, cardinality, choices, forms of primitives."""
    wrong = [
        f"{name}: {each}" for name, outcome in outcomes(shared) if isinstance(outcome, Converted) for each in second_opinion(outcome.bundle)
    ]
    assert wrong == []


def second_opinion(bundle: dict[str, Any]) -> Iterator[str]:
    """What they say of each resource, those contained too.  Decimals are numbers to them, and a null in a list is allowed."""
    for entry in bundle["entry"]:
        kind = entry["resource"]["resourceType"]
        try:
            get_fhir_model_class(kind).model_validate(entry["resource"])
        except ValidationError as error:
            yield from (f"{kind} {each['loc']} {each['type']}" for each in error.errors(include_input=False))

"""References to the environment and to secrets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from transforms.declaration.references import malformed, references, resolve, resolve_text

SET = {("env", "HOST"): "h", ("env", "PORT"): "2575", ("env", "EMPTY"): "", ("secret", "key"): "012", ("env", "RATE"): "1.50"}


def lookup(kind: str, name: str) -> str | None:
    return SET.get((kind, name))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${env:HOST}", "h"),
        ("http://${env:HOST}:${env:PORT}/fhir", "http://h:2575/fhir"),
        ("${env:PORT}", 2575),
        ("x${env:PORT}", "x2575"),
        ("${env:RATE}", Decimal("1.50")),
        ("${secret:key}", "012"),
        ("${env:NOT_SET:-default}", "default"),
        ("${env:NOT_SET:-}", ""),
        ("${env:EMPTY:-default}", "default"),
        ("${env:EMPTY}", ""),
        ("${env:HOST:-default}", "h"),
        ("${env:NOT_SET}", None),
        ("http://${env:HOST}/${env:NOT_SET}", None),
        ("nothing", "nothing"),
    ],
)
def test_a_reference_stands_for_a_value(text: str, value: Any) -> None:
    found = resolve_text(text, lookup)
    assert (found, type(found)) == (value, type(value))


def test_what_is_unset_stays_what_it_is() -> None:
    value = {"a": ["${env:HOST}", "${env:NOT_SET}"], "b": 1}
    assert resolve(value, lookup) == {"a": ["h", "${env:NOT_SET}"], "b": 1}


def test_references_are_found_with_their_places() -> None:
    found = references({"a": [1, "x${env:A}y${secret:b:-c}"]})
    assert [(each.path, str(each), each.default) for each in found] == [(("a", 1), "${env:A}", None), (("a", 1), "${secret:b}", "c")]


@pytest.mark.parametrize("text", ["${HOST}", "${env:}", "${env HOST}", "${env:A", "${file:x}", "${env:A-B}${}"])
def test_what_only_looks_like_one_is_told(text: str) -> None:
    assert malformed({"a": text})


def test_a_dollar_is_a_dollar() -> None:
    assert malformed({"a": "$5 $HOST ${env:A}"}) == []

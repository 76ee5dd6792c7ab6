"""YAML text into plain values, each with its place."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.declaration import reading
from transforms.declaration.reading import read, scalar, spelled

PLAIN = st.recursive(
    st.booleans() | st.integers(-(10**17), 10**17) | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("abcxyz-_ ", min_size=1), inner, max_size=5),
    max_leaves=20,
)


def codes(text: str) -> list[tuple[int, int, str]]:
    return [(each.line, each.column, each.code) for each in read(text, "f.yaml").problems]


@pytest.mark.parametrize(
    "text",
    "NO no ON Yes 10:20 012 007 ~ null Null 2024-01-01 1e3 .5 5. +5 0x1F 0o7 1_000 -0 True FALSE .inf .nan 1.2.3 "
    "1234567890123456789 = <<".split(),
)
def test_codes_of_our_field_stay_text(text: str) -> None:
    """Result codes, times, record numbers and dates are what they look like."""
    assert read(f"x: {text}", "f").value == {"x": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("false", False), ("0", 0), ("-12", -12), ("7", 7), ("7.0", Decimal("7.0")), ("-0.50", Decimal("-0.50"))],
)
def test_what_is_typed(text: str, value: Any) -> None:
    """Booleans, integers and decimals, the latter with their spelling."""
    found = read(f"- {text}", "f").value[0]
    assert (found, type(found), spelled(found)) == (value, type(value), text)


@given(st.text(st.characters(codec="utf-8")))
def test_a_scalar_is_spelled_as_it_was(text: str) -> None:
    assert spelled(scalar(text)) == text


@pytest.mark.parametrize("text", ['"7"', "'true'", "|\n  7", ">-\n  7.0"])
def test_quoted_is_text(text: str) -> None:
    assert isinstance(read(f"x: {text}\n", "f").value["x"], str)


@given(PLAIN)
def test_json_is_read_as_it_is(value: Any) -> None:
    """JSON is YAML, and comes out as any JSON reader has it."""
    located = read(json.dumps(value, ensure_ascii=False), "f")
    assert located.problems == ()
    assert located.value == value


def test_every_value_and_key_knows_its_place() -> None:
    located = read("channel: a\nsource:\n  mllp: { listen: 'x' }\nlist:\n  - one\n  -  two\n", "f")
    assert located.place(("channel",)) == (1, 10)
    assert located.place(("channel",), key=True) == (1, 1)
    assert located.place(("source", "mllp", "listen")) == (3, 19)
    assert located.place(("source", "mllp", "listen"), key=True) == (3, 11)
    assert located.place(("list", 1)) == (6, 6)


def test_a_path_may_say_more_than_the_text() -> None:
    """What a checker adds to a path (the name of a branch, an option left out) does not lose the place."""
    located = read("a:\n  b: 1\n", "f")
    assert located.place(("a", "branch", "b")) == (2, 6)
    assert located.place(("a", "missing")) == (2, 3)
    assert located.place(("nothing",)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", [(1, 1, "empty")]),
        ("# only this\n", [(1, 1, "empty")]),
        ("a:\nb: 1", [(1, 3, "empty")]),
        ("- a\n-\n- c", [(2, 2, "empty")]),
        ("a: 1\nb: 2\na: 3", [(3, 1, "duplicate_key")]),
        ("a: 1\na: {b: 1}\na: [1, [2]]", [(2, 1, "duplicate_key"), (3, 1, "duplicate_key")]),
        ("? [a]\n: 1\nb: 2", [(1, 3, "key")]),
        ("a: !!int 5", [(1, 4, "tag")]),
        ("a: !secret x", [(1, 4, "tag")]),
        ("a: *b", [(1, 4, "alias")]),
        ("a: &a [*a]", [(1, 8, "alias")]),
        ("a: 1\n---\nb: 2", [(2, 1, "syntax")]),
        ("a: [1, 2", [(1, 9, "syntax")]),
        ("a: 'x\n", [(2, 1, "syntax")]),
        ("a: b: c", [(1, 5, "syntax")]),
        ("\ta: 1", [(1, 1, "syntax")]),
        ("a: 1\nb: \x00", [(2, 4, "syntax")]),
        ("a: \ud800", [(1, 4, "syntax")]),
    ],
)
def test_mistakes_are_told_at_their_place(text: str, problems: list[tuple[int, int, str]]) -> None:
    assert codes(text) == problems


def test_reading_goes_on_after_a_mistake() -> None:
    located = read("a:\nb: 1\nb: 2\nc: 3", "f")
    assert located.value == {"a": "", "b": 1, "c": 3}
    assert [each.code for each in located.problems] == ["empty", "duplicate_key"]


def test_an_alias_is_its_anchor_and_its_parts_stand_where_they_are_written() -> None:
    located = read("a: &x { b: [1, 2] }\nc: *x\n", "f")
    assert located.value == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}
    assert located.place(("c",)) == (2, 4)
    assert located.place(("c", "b", 1)) == (1, 16)
    assert located.place(("c", "b"), key=True) == (1, 9)


def test_aliases_of_aliases_end() -> None:
    """A few lines may not become a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert [each.code for each in read("\n".join(lines), "f").problems] == ["too_much"]


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 10_000 + "x", "? " * 10_000 + "x"])
def test_depth_ends(text: str) -> None:
    assert read(text, "f").problems


def test_length_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST", 100)
    assert [each.code for each in read("x" * 101, "f").problems] == ["too_long"]


@given(st.text(st.sampled_from("abx:-?,[]{}#&*!|>'\"%@`\\ \t\n\r~0129.\u0085\u2028\ufeff\x00é")) | st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever stands in a file: a value, or a problem at a place in it."""
    located = read(text, "f")
    assert located.value is not None or located.problems
    for each in located.problems:
        assert each.line >= 1 and each.column >= 1

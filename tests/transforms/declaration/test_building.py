"""Declarations out of plain values: every problem, at its place, with what was probably meant."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from transforms.component import option
from transforms.declaration.building import FAILED, Builder, OneOf
from transforms.declaration.lists import OneOrMore
from transforms.declaration.patterns import Pattern
from transforms.declaration.quantities import Duration, Size
from transforms.declaration.reading import read


@dataclass(frozen=True)
class Equals:
    field: str = option("f")
    to: str = option("t")


@dataclass(frozen=True)
class AllOf:
    shorthand = "rules"
    rules: tuple[Annotated[Any, OneOf("rule")], ...] = option("r", min_length=1)


@dataclass(frozen=True)
class Not:
    shorthand = "rule"
    rule: Annotated[Any, OneOf("rule")] = option("r")


@dataclass(frozen=True)
class Always:
    pass


@dataclass(frozen=True)
class Tls:
    key: str
    verify: bool = True


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Sink:
    url: str = option("u", pattern="^https?://")
    timeout: Duration = option("t", default=5.0, gt=0)
    limit: Size = option("l", default=5)
    tls: Tls | None = None
    names: OneOrMore = ()
    pattern: Pattern = ""


@dataclass(frozen=True)
class Target:
    name: str = option("n", min_length=1)
    connector: Annotated[Any, OneOf("sink", inline=True)] = option("c")
    strict: bool = False


@dataclass(frozen=True)
class Root:
    title: str
    mode: Literal["as_asked", "original"] = "original"
    count: int = option("c", default=1, ge=0, le=9)
    either: str | Tls | None = None
    codes: dict[str, str] = option("x", default_factory=dict)
    filter: tuple[Annotated[Any, OneOf("rule")], ...] = ()
    targets: tuple[Target, ...] = ()
    pair: tuple[str, int] = ("", 0)
    last: str = option("an option whose key is a word of Python", alias="from", default="")


REGISTRY = {"rule": {"equals": Equals, "all": AllOf, "not": Not, "always": Always}, "sink": {"http": Sink}}


def build(text: str) -> tuple[Any, list[str]]:
    located = read(text, "f")
    builder = Builder(located, REGISTRY)
    built = builder.build(Root, located.value)
    return built, [str(each).removeprefix("f:") for each in sorted(builder.problems)]


def one_problem(text: str) -> str:
    built, problems = build("title: x\n" + text)
    assert built is FAILED
    (problem,) = problems
    return problem


def test_a_whole_declaration() -> None:
    built, problems = build(
        """
title: 012
count: 3
codes: { 1: 2, NO: 7.0, a: true, b: [] }
""".replace(", b: []", "")
        + """
from: here
pair: [1, 2]
filter:
  - always
  - equals: { field: A, to: 1 }
  - all:
      - not: { equals: { field: B, to: 1.50 } }
      - not: always
targets:
  - name: 7
    http: { url: "http://x", timeout: 1.5m, limit: 2KiB, tls: { key: 5 }, names: one }
"""
    )
    assert problems == []
    assert (built.title, built.codes, built.last, built.pair) == ("012", {"1": "2", "NO": "7.0", "a": "true"}, "here", ("1", 2))
    assert [each.name for each in built.filter] == ["always", "equals", "all"]
    assert built.filter[1].declaration == Equals("A", "1")
    inner = built.filter[2].declaration.rules
    assert inner[0].declaration.rule.declaration == Equals("B", "1.50")
    assert (inner[0].origin, built.filter[2].origin) == ("f:12", "f:11")
    assert built.targets[0].name == "7"
    assert built.targets[0].connector.declaration == Sink("http://x", 90.0, 2048, Tls("5"), ("one",))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cout: 1", "2:1: unknown_key: `cout` is not known here (did you mean `count`?)."),
        ("zzz: 1", "2:1: unknown_key: `zzz` is not known here."),
        ("count: x", "2:8: wrong_type: `count` should be a whole number."),
        ("count: 1.5", "2:8: wrong_type: `count` should be a whole number."),
        ("count: 10", "2:8: out_of_range: `count` should be 9 or less."),
        ("mode: orignal", "2:7: not_one_of: `mode` should be as_asked or original (did you mean `original`?)."),
        ("codes: []", "2:8: wrong_type: `codes` should be a mapping of keys to values."),
        ("codes: { a: [1] }", "2:13: wrong_type: `a` should be text."),
        ("filter: always", "2:9: wrong_type: `filter` should be a list."),
        ("filter: [ alway ]", "2:11: unknown_rule: No rule is called `alway` (did you mean `always`?)."),
        ("filter: [ { equals: {}, all: [] } ]", "2:11: wrong_type: A rule is one name, or one name with its options: `- name: {…}`."),
        ("filter: [ { equals: { field: A } } ]", "2:13: missing: `to` is missing."),
        ("filter: [ equals: { field: A, too: 1 } ]", "2:31: unknown_key: `too` is not known here (did you mean `to`?)."),
        ("filter: [ all: [ equals: { field: A } ] ]", "2:18: missing: `to` is missing."),
        ("filter: [ all: [] ]", "2:16: out_of_range: `rules` should hold at least 1, not 0."),
        ("targets: [ { name: a } ]", "2:12: missing: A sink is missing: http."),
        ("targets: [ { name: '', http: { url: 'http://x' } } ]", "2:20: out_of_range: `name` should have 1 or more characters."),
        ("targets: [ { name: a, htp: { url: x } } ]", "2:23: unknown_key: `htp` is not known here (did you mean `http`?)."),
        ("targets: [ { name: a, strict: yes, http: { url: 'http://x' } } ]", "2:31: wrong_type: `strict` should be true or false."),
        ("targets: [ { name: a, http: { url: x } } ]", "2:36: out_of_range: `url` does not have the form ^https?://."),
        (
            "targets: [ { name: a, http: { url: 'http://x', timeout: 5 } } ]",
            "2:57: duration: `timeout` should be a duration such as 30s, 5m or 24h.",
        ),
        ("targets: [ { name: a, http: { url: 'http://x', timeout: 0s } } ]", "2:57: out_of_range: `timeout` should be more than 0.0."),
        (
            "targets: [ { name: a, http: { url: 'http://x', limit: 5MBit } } ]",
            "2:55: size: `limit` should be a size such as 64KiB or 16MiB.",
        ),
        ("targets: [ { name: a, http: { url: 'http://x', tls: { key: k, verify: no } } } ]",
         "2:71: wrong_type: `verify` should be true or false."),
        ("targets: [ { name: a, http: { url: 'http://x', tls: { key: k, verfy: true } } } ]",
         "2:63: unknown_key: `verfy` is not known here (did you mean `verify`?)."),
        ("either: [1]", "2:9: wrong_type: `either` should be text."),
        ("either: { key: [] }", "2:16: wrong_type: `key` should be text."),
        ("pair: [1]", "2:7: wrong_type: `pair` should hold more values."),
        ("count:", '2:7: empty: A value is missing here (write "" for an empty text).'),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_at_its_place(text: str, problem: str) -> None:
    assert one_problem(text) == problem


def test_a_bare_name_says_what_it_lacks() -> None:
    assert build("title: x\nfilter: [ equals ]")[1] == ["2:11: missing: `field` is missing.", "2:11: missing: `to` is missing."]


def test_all_mistakes_come_at_once() -> None:
    _, problems = build("titel: x\ncount: x\nmode: z\nfilter: [ nothing, equals: {} ]\ntargets: [ {} ]")
    assert [each.split(": ")[1] for each in problems] == [
        "unknown_key", "wrong_type", "not_one_of", "unknown_rule", "missing", "missing", "missing", "missing",
    ]  # fmt: skip


def test_two_components_in_one_place() -> None:
    registry = {**REGISTRY, "sink": {"http": Sink, "https": Sink}}
    located = read("{ name: a, http: { url: 'http://x' }, https: { url: 'http://x' } }", "f")
    builder = Builder(located, registry)
    assert builder.build(Target, located.value) is FAILED
    assert [(each.column, each.code) for each in builder.problems] == [(39, "too_many")]


def test_a_wrong_pattern_is_told() -> None:
    assert "is no regular expression" in one_problem("targets: [ { name: a, http: { url: 'http://x', pattern: '[' } } ]")


KEYS = "title mode filter targets name http url equals all not rules rule codes either key".split()


@given(
    st.recursive(
        st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
        max_leaves=12,
    )
)
def test_no_value_breaks_the_builder(value: Any) -> None:
    """Whatever a file's values are: a declaration, or problems."""
    import json

    built, problems = build(json.dumps(value))
    assert (built is FAILED) == bool(problems)

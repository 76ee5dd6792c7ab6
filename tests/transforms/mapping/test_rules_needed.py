"""No rule of a segment map can be deleted, and no case of one, without one of the map's own tests failing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from transforms.mapping.library import Library


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.load()


def test_the_tests_of_every_map_pass(library: Library) -> None:
    """As they stand."""
    failed = [each for each in library.test_map() if each.failures]
    assert [f"{each.file}:{each.line}: {each.name}: {'; '.join(map(str, each.failures))}" for each in failed] == []


def test_every_map_has_tests(library: Library) -> None:
    """At least one, beside its rules."""
    assert [each.name for each in library.segment_maps.values() if not each.tests] == []


def test_without_a_rule_a_test_of_its_map_fails(library: Library) -> None:
    """Each rule writes, drops or decides something a test looks at."""
    needless = [name for name, _ in library.rules() if passes(library.without(name), name.partition("/")[0])]
    assert needless == []


def test_without_a_case_a_test_of_its_map_fails(library: Library) -> None:
    """Each type of value is one that a test sends."""
    assert [name for name, smaller in without_one_case(library) if passes(smaller, name.partition("/")[0])] == []


def passes(library: Library, name: str) -> bool:
    return not any(each.failures for each in library.test_map(name))


def without_one_case(library: Library) -> Iterator[tuple[str, Library]]:
    """The library without one case of one rule, for each of them."""
    for found in library.segment_maps.values():
        for place, rule in enumerate(found.rules):
            for index in range(len(rule.cases)) if rule.choose else ():
                smaller = replace(rule, cases=rule.cases[:index] + rule.cases[index + 1 :])
                changed = replace(found, rules=(*found.rules[:place], smaller, *found.rules[place + 1 :]))
                maps = {**library.segment_maps, found.name: changed}
                yield f"{found.name}/{rule.name} case {index + 1}", replace(library, segment_maps=maps, _converters={})

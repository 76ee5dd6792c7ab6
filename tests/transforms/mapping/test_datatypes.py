"""What `maps/datatypes` says functions do, proved by its own examples."""

from __future__ import annotations

import pytest

from transforms.mapping.datatypes import Demonstration, datatype_maps
from transforms.mapping.leaves import leaves
from transforms.mapping.library import Library

NAMES = [*datatype_maps()]


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.load()


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_give_what_they_expect(name: str, library: Library) -> None:
    """As they stand."""
    assert [*Demonstration(datatype_maps()[name], library.tables).failures()] == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("blank", ["  ", " & ", "\\.br\\"])
def test_a_blank_component_says_nothing(name: str, blank: str, library: Library) -> None:
    """No text of FHIR's is empty."""
    shown = Demonstration(datatype_maps()[name], library.tables)
    for test in shown.map.tests:
        parts = test.given.split("^")
        for place in range(len(parts)):
            value = shown.value(test, "^".join([*parts[:place], blank, *parts[place + 1 :]]))
            assert [path for path, said in leaves(value) if not said.strip()] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_row_is_proved(name: str, library: Library) -> None:
    """Without the component, what stood at the element is gone."""
    assert [*Demonstration(datatype_maps()[name], library.tables).unproved()] == []

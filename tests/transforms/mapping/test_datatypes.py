"""What `maps/datatypes` says functions do, proved by its own examples."""

from __future__ import annotations

import pytest

from transforms.mapping.datatypes import Demonstration, datatype_maps
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
def test_each_row_is_proved(name: str, library: Library) -> None:
    """Without the component, what stood at the element is gone."""
    assert [*Demonstration(datatype_maps()[name], library.tables).unproved()] == []

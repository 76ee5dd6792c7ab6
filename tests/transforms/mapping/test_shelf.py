"""Definitions are read when they are asked for, and every packaged one can be."""

from __future__ import annotations

import pytest

from transforms.mapping.definition import MessageMap, SegmentMap, Table
from transforms.mapping.library import Library
from transforms.mapping.shelf import Shelf, packaged


def test_things_are_made_once_and_when_asked_for() -> None:
    """Names are known without making anything; what is not there is a KeyError."""
    made: list[str] = []
    shelf = Shelf(["b", "a"], lambda name: made.append(name) or name.upper())
    assert list(shelf) == ["a", "b"] and len(shelf) == 2 and "b" in shelf and not made
    assert shelf["a"] == shelf["a"] == "A" and made == ["a"]
    assert shelf.get("c") is None
    with pytest.raises(KeyError):
        shelf["c"]


@pytest.mark.parametrize(("kind", "type_"), [("segments", SegmentMap), ("messages", MessageMap), ("tables", Table)])
def test_every_packaged_file_is_what_its_folder_says(kind: str, type_: type) -> None:
    """And is called as it calls itself."""
    for name, found in packaged(kind).items():
        assert isinstance(found, type_) and found.name == name


def test_nothing_is_wrong_with_the_package() -> None:
    """What a site's maps are checked for holds of the package's too."""
    library = Library.load()
    assert library.problems() == []
    assert all(library.tables.values()) and all(library.segment_maps.values())

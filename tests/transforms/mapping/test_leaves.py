"""The leaves of values, and how those of two differ."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis.strategies import dictionaries, integers, lists, recursive, sampled_from, text

from transforms.mapping.leaves import SELF, below, changed, displaced, leaves

VALUES = recursive(
    integers() | text(max_size=3),
    lambda inner: lists(inner, max_size=3) | dictionaries(sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def test_leaves_have_names_and_places() -> None:
    """Elements of lists are counted, extensions called by their url, what stands beside a primitive below it."""
    value = {"name": [{"given": ["A", "B"]}], "_birthDate": {"extension": [{"url": "u", "valueCode": "x"}]}, "active": True}
    assert dict(leaves(value)) == {
        (("name", 1), ("given", 1)): "A",
        (("name", 1), ("given", 2)): "B",
        (("birthDate", 0), ("extension=u", 1), ("url", 0)): "u",
        (("birthDate", 0), ("extension=u", 1), ("valueCode", 0)): "x",
        (("active", 0),): "true",
    }
    assert list(leaves(Decimal("7.0"))) == [(SELF, "7.0")]


@given(VALUES)
def test_nothing_changes_between_a_value_and_itself(value: object) -> None:
    """Neither where it stands, nor what it is."""
    assert not changed(value, value) and not displaced(value, value)


def test_what_moves_up_in_its_list_has_not_changed() -> None:
    """But it is displaced."""
    before, after = {"code": ["A", "B"]}, {"code": ["B"]}
    assert changed(before, after) == {((("code", 1),), "A")}
    assert displaced(before, after) == {((("code", 1),), "A"), ((("code", 2),), "B")}


def test_a_leaf_stands_below_what_contains_it() -> None:
    """By names, choices also without their type; by place where both have one."""
    leaf = (("valueQuantity", 0), ("code", 2))
    assert below(leaf, (("valueQuantity", 0),)) and below(leaf, (("value", 0),)) and below(leaf, SELF)
    assert below(leaf, (("valueQuantity", 0), ("code", 2))) and below(leaf, (("valueQuantity", 0), ("code", 0)))
    assert not below(leaf, (("valueQuantity", 0), ("code", 1)))
    assert not below(leaf, (("valueString", 0),)) and not below(leaf, (("val", 0),)) and not below(leaf[:1], leaf)

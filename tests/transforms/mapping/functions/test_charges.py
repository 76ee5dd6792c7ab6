"""Prices, charges, staff, problems: values of segments beside results."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.transforms.mapping.functions.conftest import Field
from transforms.mapping.definition import Coded


@pytest.mark.parametrize(
    ("text", "value", "currency", "left"),
    [
        ("150.00&USD", "150.00", "USD", []), ("150.00^USD", "150.00", "USD", []), ("150", "150", "", []), ("7.50&EUR^UP", "7.50", "EUR", [2]),
        ("7.50&euro", "7.50", "", []),
    ],
)  # fmt: skip
def test_prices(field: Field, text: str, value: str, currency: str, left: list[int]) -> None:
    """CP with its MO, MO sent in its place, a bare number; exact as sent."""
    made = field("price", text)
    assert (made["value"], made.get("currency", "")) == (Decimal(value), currency) and field.left == left


def test_no_price(field: Field) -> None:
    assert field("price", "free") is None


def test_a_charge_and_its_procedure(field: Field) -> None:
    """Two codes of one thing; the same code once."""
    assert [each["code"] for each in field("charged_code", "X1^Thing", also="99213^Visit^C4")["coding"]] == ["X1", "99213"]
    assert [each["code"] for each in field("charged_code", "99213^Visit^C4", also="99213^Visit^C4")["coding"]] == ["99213"]


@pytest.mark.parametrize(("text", "active"), [("MDL", False), ("MDC", False), ("MAC", True), ("MAD", None), ("B05", False), ("B01", None)])
def test_events_of_master_files(field: Field, text: str, active: bool | None) -> None:
    """What is deleted or deactivated is not active; what is added says so itself."""
    assert field("active_event", text) is active
    assert field("location_event", text) == {True: "active", False: "inactive", None: None}[active]


def test_a_provider(field: Field) -> None:
    """A person at an organization; what nobody can be told of without the organization is left over."""
    made: dict[str, Any] = field("provider", "Doe^Jo", number="N1^NPI", organization="Clinic^L", role="RP", start="20260101")
    assert made["practitioner"]["identifier"][0]["value"] == "N1" and made["organization"]["_display"] == "Clinic"
    assert (made["code"][0]["coding"][0]["code"], made["period"]) == ("RP", {"start": "2026-01-01"})
    assert field("provider", "Doe^Jo", organization_telecom="555-1")["practitioner"]["name"] and field.left == ["organization_telecom"]
    assert field("provider", "^^^") is None


def test_words_of_a_table(field: Field) -> None:
    """In whatever case; the sender's own word stays; a word nobody knows gives nothing."""
    codes = {"Active": Coded("active", "http://terminology.hl7.org/CodeSystem/condition-clinical")}
    made = field("word_as_concept", "ACTIVE^Active problem", codes=codes)
    assert [each["code"] for each in made["coding"]] == ["active", "ACTIVE"] and made["text"] == "Active problem"
    assert field("word_as_concept", "smouldering", codes=codes) is None

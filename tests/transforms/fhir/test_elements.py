"""What R4 says of its elements, as maps and schemas ask for it."""

from __future__ import annotations

import pytest

from transforms.fhir.elements import children, element, is_type, primitive_types, properties, resource_types


@pytest.mark.parametrize(
    ("type_name", "path", "types", "least", "many"),
    [
        ("Observation", "status", ("code",), 1, False),
        ("Observation", "category", ("CodeableConcept",), 0, True),
        ("Observation", "referenceRange", ("Observation.referenceRange",), 0, True),
        ("Observation", "referenceRange.low", ("Quantity",), 0, False),
        ("Observation", "component.referenceRange.low.value", ("decimal",), 0, False),
        ("Observation", "valueQuantity.unit", ("string",), 0, False),
        ("Observation", "value.unit", ("string",), 0, False),
        ("Patient", "name.given", ("string",), 0, True),
        ("Patient", "id", ("id",), 0, False),
        ("HumanName", "id", ("string",), 0, False),
        ("Extension", "url", ("uri",), 1, False),
        ("Encounter", "class", ("Coding",), 1, False),
    ],
)
def test_elements_are_found_by_path(type_name: str, path: str, types: tuple[str, ...], least: int, many: bool) -> None:
    """A dotted path leads through backbones, data types and choices."""
    found = element(type_name, path)
    assert found is not None
    assert (found.types, found.min, found.many) == (types, least, many)


@pytest.mark.parametrize("path", ["nothing", "status.nothing", "valueAddress", "value.nothing", "referenceRange.low.nothing"])
def test_what_r4_does_not_know_is_none(path: str) -> None:
    """A misspelt path is told apart from one that exists."""
    assert element("Observation", path) is None


def test_a_choice_has_a_name_for_each_type() -> None:
    """`value[x]` stands once among the children, and as `valueQuantity` and its like among the JSON names."""
    value = children("Observation")["value"]
    assert value.choice and value.property_for("Quantity") == "valueQuantity"
    assert properties("Observation")["valueDateTime"] == (value, "dateTime")
    assert "value" not in properties("Observation")


def test_bindings_and_targets() -> None:
    """Required codes are listed, references know where they may lead."""
    status, subject = children("Observation")["status"], children("Observation")["subject"]
    assert status.codes is not None and "final" in set().union(*status.codes.values())
    assert subject.targets == ("Patient", "Group", "Device", "Location") and subject.codes is None
    assert children("Observation")["interpretation"].strength == "extensible"


def test_all_of_r4_is_there() -> None:
    """The 146 resources of 4.0.1 that can be made, and its primitives; nothing of other releases."""
    assert len(resource_types()) == 146
    assert {"Observation", "Bundle", "Parameters"} <= resource_types() and not {"DomainResource", "SubscriptionStatus"} & resource_types()
    assert {"string", "instant", "base64Binary"} <= primitive_types()
    assert is_type("Observation.component") and is_type("decimal") and not is_type("Quantify")

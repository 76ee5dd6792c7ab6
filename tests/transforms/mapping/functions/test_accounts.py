"""Who insures, which episode and which place: what administrative segments name."""

from __future__ import annotations

from typing import Any


def test_an_insurer_has_name_number_office_and_somebody_to_call(field: Any) -> None:
    """Whatever use the sender says, it is the office's; a name alone is only a name."""
    made = field("insurer", "Insurer Inc^L", number="I1^^^REG", address="1 St^^Town^^^^H", contact="Doe^Ann", telecom="^PRN^PH^^^555^1")
    assert made["name"] == "Insurer Inc" and made["identifier"][0]["value"] == "I1" and made["contact"] == [{"name": {"family": "Doe", "given": ["Ann"]}}]
    assert "use" not in made["address"][0] and "use" not in made["telecom"][0]
    assert field("insurer", "Insurer Inc^L") == {"resourceType": "Organization", "_display": "Insurer Inc"}
    assert field("insurer", "^L") is None


def test_an_insurer_may_be_but_a_number(field: Any) -> None:
    """IN1-3 without IN1-4."""
    assert field("insurer_of_number", "I1^^^REG")["identifier"][0]["value"] == "I1"
    assert field("insurer_of_number", "^^^REG") is None


def test_an_episode_is_a_reference_by_number(field: Any) -> None:
    """What it is called is its display."""
    assert field("episode", "E1^^^HOSP", called="Dialysis")["display"] == "Dialysis"
    assert field("episode", "E1")["identifier"] == {"value": "E1"}
    assert field("episode", "^^^HOSP", called="Dialysis") is None


def test_what_lies_elsewhere_is_referred_to_by_number(field: Any) -> None:
    """Never a reference that a server would have to look for (rule 17)."""
    assert field("numbered_reference", "D0^HOSP", type="Condition")["type"] == "Condition"
    assert field("numbered_reference", "^HOSP", type="Condition") is None


def test_a_facility_is_named_and_identified(field: Any) -> None:
    """HD in all its forms."""
    assert field("location_of_authority", "Ward^1.2.3^ISO") == {
        "type": "Location", "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}, "display": "Ward",
    }  # fmt: skip
    assert field("location_of_authority", "Ward") == {"type": "Location", "display": "Ward"}
    assert field("location_of_authority", "^^ISO") is None


def test_names_as_text(field: Any) -> None:
    """A person, a bed and a plan that are only called something."""
    assert field("case_manager", "Jane Doe") == {"resourceType": "Practitioner", "_display": "Jane Doe"}
    assert field("place_name", "ICU^101^A") == "ICU 101 A"
    assert field("code_or_text", "P1^Plan") == "P1" and field("code_or_text", "^Plan") == "Plan"

"""Who plays a part: ROL's person with all that its other fields say."""

from __future__ import annotations

from typing import Any

KIND = {"address": "1 St^^Town", "location": "ROOM^1", "organization": "Clinic^L"}


def test_a_role_has_its_person_place_and_employer(field: Any) -> None:
    """As PractitionerRole around the Practitioner."""
    made = field("role_holder", "^Doe^Jo", role="PP^Primary^HL70443", start="20240301", end="20240305", telecom="^PRN^PH^^^555^1", **KIND)
    assert made["resourceType"] == "PractitionerRole" and made["code"][0]["coding"][0]["code"] == "PP"
    assert made["period"] == {"start": "2024-03-01", "end": "2024-03-05"}
    assert made["practitioner"]["address"][0]["line"] == ["1 St"] and made["location"][0]["_display"] == "ROOM 1"
    assert made["organization"] == {"resourceType": "Organization", "_display": "Clinic"} and len(made["telecom"]) == 1
    assert field("role_holder", "^^", role="PP") is None


def test_an_office_is_where_the_role_is_played(field: Any) -> None:
    """Its address is a place's, not the person's."""
    made = field("role_holder", "^Doe", address="1 St^^Town^^^^O")
    assert made["location"][0]["address"]["line"] == ["1 St"] and "address" not in made["practitioner"]


def test_a_name_with_an_address_is_a_person(field: Any) -> None:
    """It cannot be only a name any longer."""
    assert field("role_holder", "^Doe", address="1 St^^Town")["practitioner"]["name"] == [{"family": "Doe"}]


def test_a_role_ends_after_it_begins(field: Any) -> None:
    """Else the end is left over."""
    assert field("role_holder", "^Doe", start="20240305", end="20240301")["period"] == {"start": "2024-03-05"}
    assert field.left == ["end"]


def test_an_employer_may_be_but_a_kind_of_unit(field: Any) -> None:
    """R4 wants a name or number of an organization (org-1): that there is none is said."""
    made = field("unit", "2^Physician Clinic^HL70406")
    assert made["type"] and "_name" in made and "name" not in made
    assert field("employer", "Clinic^L", unit="2^Physician Clinic^HL70406")["name"] == "Clinic"
    assert field("role_holder", "^Doe", unit="2^Physician Clinic^HL70406")["organization"]["type"] == made["type"]


def test_who_reported_is_named_by_what_they_are_to_the_patient(field: Any) -> None:
    """IAM-15 decides."""
    found = [field("reporter", "Doe^Jo", relationship=said) for said in ("", "SEL", "SPO")]
    assert found == [{"type": kind, "display": "Jo Doe"} for kind in ("Practitioner", "Patient", "RelatedPerson")]
    assert field("reporter", "^^") is None

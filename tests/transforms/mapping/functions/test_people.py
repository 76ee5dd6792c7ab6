"""People, organizations, places, numbers and addresses, part by part."""

from __future__ import annotations

from typing import Any

V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
CORE = "http://hl7.org/fhir/StructureDefinition/"


def test_an_identifier_has_a_system(field: Any) -> None:
    """By universal id, by the site's table, or under the site's prefix; never a bare namespace."""
    made = field("identifier", "123^^^HOSP&1.2.3&ISO^MR")
    kind = {"coding": [{"system": V2_0203, "code": "MR"}]}
    assert made == {"type": kind, "system": "urn:oid:1.2.3", "value": "123", "assigner": {"display": "HOSP"}}
    assert field("identifier", "9^^^WARD")["system"] == "https://site.example/ids/HOSP/WARD"
    table = {("*", "*", "WARD"): "https://ward.example"}
    assert field("identifier", "9^^^WARD", authorities=table)["system"] == "https://ward.example"
    assert field("identifier", "9") == {"value": "9"}
    assert field("identifier", "^^^HOSP") is None


def test_check_digit_validity_and_facility_of_an_identifier(field: Any) -> None:
    """What has a place is kept, the facility beside an authority goes to the ledger."""
    made = field("identifier", "123^4^M11^HOSP^MR^CLINIC^20200101^20210101")
    assert made["extension"] == [
        {"url": CORE + "identifier-checkDigit", "valueString": "4"},
        {"url": CORE + "namingsystem-checkDigit", "valueString": "M11"},
    ]
    assert made["period"] == {"start": "2020-01-01", "end": "2021-01-01"}
    assert field.left == [6]


def test_numbers_of_orders_and_specimens(field: Any) -> None:
    """EI and EIP with table 0203's types; another field with the same number adds nothing, with another number adds it."""
    made = field("entity_identifier_pair", "P1&LAB^F1&LAB")
    assert [(each["value"], each["type"]["coding"][0]["code"]) for each in made] == [("P1", "PLAC"), ("F1", "FILL")]
    assert len(field("entity_identifiers", "A^LAB", type="PLAC", also="A^LAB")) == 1
    assert [each["value"] for each in field("entity_identifiers", "A^LAB", type="PLAC", also="B^LAB")] == ["A", "B"]
    assert field("order_reference", "P1&LAB")[0]["type"] == "ServiceRequest"
    assert field("licence", "D123^TX^20300101")["period"] == {"end": "2030-01-01"}


def test_a_name_in_full(field: Any) -> None:
    """Surname prefix, degrees as suffixes, use, assembly order, validity."""
    made = field("human_name", "van Eve&van&Eve^Anna^B^Jr^Dr^MD^L^A^^^F^20200101")
    assert made["family"] == "van Eve"
    assert [each["valueString"] for each in made["_family"]["extension"]] == ["van", "Eve"]
    assert (made["given"], made["prefix"], made["suffix"], made["use"]) == (["Anna", "B"], ["Dr"], ["Jr", "MD"], "official")
    assert [each.get("valueCode") for each in made["extension"]] == ["ABC", "F"]
    assert made["period"] == {"start": "2020-01-01"}


def test_a_kind_of_name_fhir_does_not_know_stays_a_code(field: Any) -> None:
    """A pseudonym of table 0200 has no use of FHIR's."""
    made = field("human_name", "X^Y^^^^^S")
    assert "use" not in made
    kept = made["_use"]["extension"][0]["valueCodeableConcept"]["coding"]
    assert kept == [{"system": "http://terminology.hl7.org/CodeSystem/v2-0200", "code": "S"}]


def test_a_practitioner_by_number_or_by_name(field: Any) -> None:
    """XCN; a family name alone is only named."""
    made = field("practitioner", "123^SMITH^JOHN^^^DR^MD^^NPI&2.16.840.1.113883.4.6&ISO^L^^^NPI")
    assert made["identifier"][0]["system"] == "urn:oid:2.16.840.1.113883.4.6"
    assert made["name"] == [{"family": "SMITH", "given": ["JOHN"], "prefix": ["DR"], "use": "official"}]
    assert made["qualification"][0]["code"]["coding"][0]["code"] == "MD"
    assert field("practitioner", "^SMITH^JOHN") == {"resourceType": "Practitioner", "name": [{"family": "SMITH", "given": ["JOHN"]}]}
    assert field("practitioner", "^SMITH") == {"resourceType": "Practitioner", "_display": "SMITH"}
    assert field("practitioner", "^^^^^^^^HOSP") is None


def test_the_person_in_an_ndl(field: Any) -> None:
    """As subcomponents, or as the XCN many send in its place."""
    assert field("named_practitioner", "44&Doe&Jane")["name"] == [{"family": "Doe", "given": ["Jane"]}]
    role = field("named_practitioner", "44&Doe&Jane^20200101^^Ward^^2")
    assert (role["resourceType"], role["period"]) == ("PractitionerRole", {"start": "2020-01-01"})
    assert role["location"] == [{"resourceType": "Location", "_display": "Ward 2"}]
    assert role["practitioner"]["name"] == [{"family": "Doe", "given": ["Jane"]}]
    assert field("named_practitioner", "44^Doe^Jane")["name"] == [{"family": "Doe", "given": ["Jane"]}]


def test_organizations(field: Any) -> None:
    """XON with the address of another field; HD; a coded producer."""
    made = field("organization", "Lab One^L^^^^CLIA&2.16.840.1.113883.4.7&ISO^XX^^^05D1", address="1 St^^Town")
    assert made["identifier"][0]["value"] == "05D1"
    assert made["identifier"][0]["system"] == "urn:oid:2.16.840.1.113883.4.7"
    assert made["address"] == [{"line": ["1 St"], "city": "Town"}]
    assert field("organization", "Lab One") == {"resourceType": "Organization", "_display": "Lab One"}
    assert field("organization_of_code", "05D1^Lab One^CLIA")["identifier"][0]["system"] == "https://site.example/ids/HOSP/CLIA"
    assert field("organization_of_authority", "HOSP^1.2.3^ISO")["identifier"] == [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}]


def test_what_is_left_of_another_field_is_left_there(field: Any) -> None:
    """XAD.8 of OBX-24 is not XON.8 of OBX-23."""
    field("organization", "Lab One", address="1 St^^Town^^^^^OTHER")
    assert field.left == ["address.8"]


def test_who_ordered_where(field: Any) -> None:
    """A role of person and facility; a second field that says another person is left over."""
    made = field("requester_role", "1^SMITH^J", organization="LAB", also="2^JONES")
    assert made["practitioner"]["name"][0]["family"] == "SMITH"
    assert made["organization"] == {"resourceType": "Organization", "_display": "LAB"}
    assert field.left == ["also"]


def test_addresses(field: Any) -> None:
    """Lines, parts and use; a type FHIR does not know stays a code."""
    made = field("address", "1 Main St^Apt 2^Town^ST^12345^USA^H^^County")
    assert made == {
        "use": "home", "line": ["1 Main St", "Apt 2"], "city": "Town", "district": "County", "state": "ST",
        "postalCode": "12345", "country": "USA",
    }  # fmt: skip
    assert field("address", "1 St^^^^^^M") == {"type": "postal", "line": ["1 St"]}
    assert "_use" in field("address", "1 St^^^^^^BR")
    assert field("address", "^^^^^^H") is None


def test_telephones_and_mail(field: Any) -> None:
    """As written, put together from parts, or an address of mail; a mobile phone of work keeps that it is work's."""
    assert field("contact_point", "(555)123-4567", use="home") == {"system": "phone", "value": "(555)123-4567", "use": "home"}
    made = field("contact_point", "^PRN^PH^^1^555^1234567^89")
    assert (made["value"], made["use"]) == ("+1 555 1234567 X89", "home")
    assert [each["valueString"] for each in made["extension"]] == ["1", "555", "1234567", "89"]
    assert field("contact_point", "^NET^Internet^a@b.example")["system"] == "email"
    mobile = field("contact_point", "555-1^WPN^CP")
    assert (mobile["use"], "_use" in mobile) == ("mobile", True)
    assert field("contact_point", "555-1^PRN^PH^^^^^^ask for Eve")["value"] == "555-1"
    assert field.left == [9]


def test_places(field: Any) -> None:
    """A bed is called by all that is around it."""
    assert field("location", "ICU^101^A^HOSP^^^B1^2") == {"resourceType": "Location", "_display": "HOSP B1 2 ICU 101 A"}
    assert field("location", "^^^^^^^^^L1&HOSP")["identifier"][0]["value"] == "L1"

"""Coded fields: three triplets kept, systems only where they are certain, the sender's text as display."""

from __future__ import annotations

from typing import Any

from transforms.mapping.definition import Coded

ABNORMAL = {"A": Coded("A", "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "Abnormal")}


def test_all_three_triplets_and_the_original_text_are_kept(field: Any) -> None:
    """LOINC, local and SNOMED CT codes of one test, in the order sent."""
    made = field("codeable_concept", "2345-7^Glucose^LN^GLU^Sugar^L^2.50^1^Gluc^33747003^Glucose measurement^SCT")
    assert made == {
        "coding": [
            {"system": "http://loinc.org", "version": "2.50", "code": "2345-7", "display": "Glucose"},
            {"version": "1", "code": "GLU", "display": "Sugar"},
            {"system": "http://snomed.info/sct", "code": "33747003", "display": "Glucose measurement"},
        ],
        "text": "Gluc",
    }
    assert field.left == [6]


def test_a_local_system_has_a_uri_only_by_the_sites_table(field: Any) -> None:
    """`L` means another thing at every sender; the ledger is told where it is lost."""
    table = {("LAB", "HOSP", "L"): "https://hosp.example/codes"}
    assert field("codeable_concept", "GLU^Sugar^L", authorities=table)["coding"][0]["system"] == "https://hosp.example/codes"
    assert field.left == []
    assert "system" not in field("codeable_concept", "GLU^Sugar^L")["coding"][0]
    assert (field.left, field.noted) == ([3], ["unknown_code_system"])


def test_an_empty_system_never_means_loinc(field: Any) -> None:
    """However much the code looks like one."""
    assert field("codeable_concept", "2345-7^Glucose") == {"coding": [{"code": "2345-7", "display": "Glucose"}]}
    assert field.noted == ["no_code_system"]


def test_a_wrong_check_digit_costs_the_system(field: Any) -> None:
    """A mistyped or local code sent as LN."""
    assert field("codeable_concept", "2345-8^Glucose^LN") == {"coding": [{"code": "2345-8", "display": "Glucose"}]}
    assert field.noted == ["loinc_check_digit"]


def test_a_system_given_by_oid_is_known(field: Any) -> None:
    """CWE.14, as newer versions have it."""
    assert field("codeable_concept", "2345-7^Glucose^^^^^^^^^^^^2.16.840.1.113883.6.1")["coding"][0]["system"] == "http://loinc.org"


def test_text_without_a_code_is_text(field: Any) -> None:
    """And a second text is not lost."""
    assert field("codeable_concept", "^Throat swab") == {"text": "Throat swab"}
    assert field("codeable_concept", "^one^^^two") == {"coding": [{"display": "two"}], "text": "one"}


def test_a_table_adds_its_code_before_the_senders(field: Any) -> None:
    """The sender's own coding stays where it says more than the table's."""
    assert [each["code"] for each in field("codeable_concept", "A", codes=ABNORMAL)["coding"]] == ["A"]
    made = field("codeable_concept", "A^Abnormal result^HL70078", codes=ABNORMAL)["coding"]
    assert [each.get("display") for each in made] == ["Abnormal", "Abnormal result"]
    assert field("codeable_concept", "A^Other^99LAB", codes=ABNORMAL)["coding"] == [{"code": "A", "display": "Other"}]


def test_a_bare_code_its_table_does_not_know_is_text(field: Any) -> None:
    """Some of table 0078's codes have no code of FHIR's."""
    assert field("codeable_concept", "AC", codes=ABNORMAL) == {"text": "AC"}


def test_the_null_inside_a_field_is_absent(field: Any) -> None:
    """`""` is no display."""
    assert field("codeable_concept", '2345-7^""^LN') == {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}


def test_escapes_are_resolved(field: Any) -> None:
    """An ampersand in a name."""
    assert field("codeable_concept", "X^A \\T\\ B^99")["coding"][0]["display"] == "A & B"


def test_a_coding_tells_of_what_it_cannot_hold(field: Any) -> None:
    """One coding is not a concept."""
    made = field("coding", "M^Male^HL70001^1^one^L")
    assert made == {"system": "http://terminology.hl7.org/CodeSystem/v2-0001", "code": "M", "display": "Male"}
    assert {4, 5, 6} <= set(field.left)


def test_race_and_ethnicity_are_us_cores(field: Any) -> None:
    """CDC's categories where they are certain, the text always."""
    url = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
    category = {"url": "ombCategory", "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3", "display": "White"}}
    assert field("race", "2106-3^White^HL70005") == {"url": url, "extension": [category, {"url": "text", "valueString": "White"}]}
    assert field("race", "W^Weiss^L") == {"url": url, "extension": [{"url": "text", "valueString": "Weiss (W)"}]}
    assert field("ethnicity", "H^^HL70189")["extension"][0]["valueCoding"]["code"] == "2135-2"


def test_a_status_keeps_the_code_it_was_made_of(field: Any) -> None:
    """Where FHIR's says less."""
    table = {"F": Coded("final"), "R": Coded("preliminary"), None: Coded("unknown")}
    assert field("code_of_table", "F", codes=table, table="0085", whole="F P") == "final"
    status, beside = field("code_of_table", "R", codes=table, table="0085", whole="F P")
    kept = beside["extension"][0]["valueCodeableConcept"]
    assert (status, kept) == ("preliminary", {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0085", "code": "R"}]})
    assert field("code_of_table", "9", codes=table, table="0085")[1]["extension"][0]["valueCodeableConcept"] == {"text": "9"}

"""Names of code systems: known ones get FHIR's URI, unknown ones get none."""

from __future__ import annotations

import pytest

from transforms.terminology.code_systems import uri_of, uri_of_oid


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("LN", "http://loinc.org"),
        ("SCT", "http://snomed.info/sct"),
        ("UCUM", "http://unitsofmeasure.org"),
        ("I10C", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("RxNorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
        ("HL70078", "http://terminology.hl7.org/CodeSystem/v2-0078"),
        ("2.16.840.1.113883.6.96", "http://snomed.info/sct"),
        ("2.16.840.1.113883.12.136", "http://terminology.hl7.org/CodeSystem/v2-0136"),
        ("2.16.840.1.114222.4.5.1", "urn:oid:2.16.840.1.114222.4.5.1"),
    ],
)
def test_known_systems_get_their_uri(name: str, uri: str) -> None:
    """By the name of table 0396, by `HL7nnnn`, or by OID."""
    assert uri_of(name) == uri


@pytest.mark.parametrize("name", ["", "L", "99LAB", "HL7nnnn", "HL70", "WinPath", "ISO", "1.2", "0"])
def test_local_and_unknown_systems_get_none(name: str) -> None:
    """A local name is a site's business; nothing is made up."""
    assert uri_of(name) == ""


def test_an_oid_becomes_its_fhir_name_where_it_has_one() -> None:
    """CWE.14 gives the system's OID."""
    assert uri_of_oid("2.16.840.1.113883.6.1") == "http://loinc.org"
    assert uri_of_oid("urn:oid:1.2.3.4") == "urn:oid:1.2.3.4"
    assert uri_of_oid("no oid") == ""

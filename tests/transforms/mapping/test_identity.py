"""Who assigned a number, and the names made of keys."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis.strategies import text

from transforms.document import Identity
from transforms.mapping.identity import authority, criterion, namer, universal_uri

SITE = Identity(
    base="https://site.example/ids/",
    authorities={
        ("LAB", "HOSP", "MRN"): "urn:oid:1.2.3",
        ("*", "HOSP", "MRN"): "urn:oid:9.9.9",
        ("*", "*", ""): "urn:oid:5.5.5",
        ("*", "OTHER", "SSN"): "urn:oid:7.7.7",
    },
)


@pytest.mark.parametrize(
    ("universal", "kind", "uri"),
    [
        ("2.16.840.1.113883.19", "ISO", "urn:oid:2.16.840.1.113883.19"),
        ("2.16.840.1.113883.19", "", "urn:oid:2.16.840.1.113883.19"),
        ("1.02.3", "ISO", ""),  # no OID: a part begins with 0
        ("6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "UUID", "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("https://lab.example/numbers", "URI", "https://lab.example/numbers"),
        ("lab.example", "DNS", ""),
        ("", "ISO", ""),
    ],
)
def test_an_universal_id_is_a_uri_by_its_type(universal: str, kind: str, uri: str) -> None:
    """HD.2 by HD.3; what is none of the known forms is none."""
    assert universal_uri(universal, kind) == uri


@pytest.mark.parametrize(
    ("namespace", "universal", "sender", "uri"),
    [
        ("MRN", "1.2.9", ("LAB", "HOSP"), "urn:oid:1.2.9"),  # its own universal id goes before any table
        ("MRN", "", ("LAB", "HOSP"), "urn:oid:1.2.3"),  # the exact sender before `*`
        ("MRN", "", ("RIS", "HOSP"), "urn:oid:9.9.9"),
        ("MRN", "", ("RIS", "CLINIC"), "https://site.example/ids/CLINIC/MRN"),
        ("A/B ", "", ("", "X Y"), "https://site.example/ids/X%20Y/A%2FB%20"),
        ("MRN", "", ("RIS", ""), "https://site.example/ids/RIS/MRN"),
        ("", "", ("RIS", "CLINIC"), "urn:oid:5.5.5"),  # a site may say what no authority means
    ],
)
def test_an_authority_is_declared_or_the_sites_own(namespace: str, universal: str, sender: tuple[str, str], uri: str) -> None:
    """HD.2, else the site's table, else the site's prefix with the facility (rule 1)."""
    assert authority(namespace, universal, "ISO" if universal else "", sender, SITE) == uri


def test_no_authority_is_invented() -> None:
    """Without a prefix, or without a namespace, there is no system."""
    assert authority("MRN", "", "", ("LAB", "HOSP"), Identity()) == ""
    assert authority("", "", "", ("LAB", "HOSP"), Identity(base="https://site.example")) == ""


def test_criteria_are_escaped_before_they_are_encoded() -> None:
    """A comma would be an OR, a plus a blank, a bar another system (rule 1)."""
    assert criterion("urn:oid:1.2", "A,1|x$y\\z+ü") == "identifier=urn%3Aoid%3A1.2%7CA%5C%2C1%5C%7Cx%5C%24y%5C%5Cz%2B%C3%BC"


@given(key=text())
def test_names_are_uuids_of_version_five(key: str) -> None:
    """Another key or another secret gives another one; the same gives the same."""
    name = namer("secret")(key)
    assert UUID(name).version == 5
    assert UUID(name).variant == "specified in RFC 4122"
    assert str(UUID(name)) == name == namer("secret")(key)
    assert name != namer("other")(key)

"""What things are known by where a map does not say."""

from __future__ import annotations

import pytest

from tests.transforms.mapping.conftest import Lab
from transforms.hl7.message import parse
from transforms.hl7.names import field_name
from transforms.mapping.library import Library
from transforms.mapping.usual import USUAL

HEADER = "MSH|^~\\&|HIS|HOSP|EHR|CLINIC|20240115103000||ADT^A01^ADT_A01|{number}|P|2.5.1"
MAP = """map: MINE
messages: [ADT_A01]
resources:
  - { make: Patient as patient, at: PID, with: PID }
  - { make: Encounter as encounter, at: PV1, with: PV1, link: { subject: patient } }
  - { make: Condition as condition, each: DG1, with: DG1, LINK }
"""
CONDITION = "map: DG1_Condition\nrules:\n  - { to: code, from: DG1-3, as: codeable_concept }\n"
LINES = ("PID|||1^^^MRN^MR||Doe^Jo", "PV1|1|I|W1||||||||||||||||V1^^^VISITS", "DG1|1||I10^High^I10||2024|A")


def ids(link: str, *, number: str = "77", visit: str = "V1") -> list[str]:
    library = Library.load({"MINE.yaml": MAP.replace("LINK", link), "DG1_Condition.yaml": CONDITION})
    lines = [each.replace("V1^", f"{visit}^") for each in LINES]
    message = parse(Lab.message(*lines, header=HEADER.format(number=number)))
    return [each["id"] for each in Lab.of(library.converter("MINE")(message, Lab.CONTEXT), "Condition")]


def test_it_is_known_within_its_visit_and_patient() -> None:
    """A diagnosis of a visit is the visit's, of a patient alone the patient's."""
    of_visit, of_patient = "link: { encounter: encounter, subject: patient }", "link: { subject: patient }"
    assert ids(of_visit) == ids(of_visit, number="78") != ids(of_visit, visit="V2")
    assert ids(of_patient) == ids(of_patient, visit="V2")


def test_what_says_nothing_of_whose_it_is_has_no_key() -> None:
    """A code alone would be everybody's."""
    assert ids("needs: [code]") == []


@pytest.mark.parametrize("place", [each for alternatives, _ in USUAL.values() for text in alternatives for each in text.split()])
def test_the_fields_exist(place: str) -> None:
    """Each is a field that HL7 has."""
    segment, _, number = place.partition("-")
    assert field_name(segment, int(number))

"""What a map's tests prove of its fields."""

from __future__ import annotations

import pytest

from transforms.mapping.definition import SegmentMap, read_definition
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions
from transforms.mapping.proofs import Proofs, by_type, piece, replaced

MAP = """
map: AL1 to AllergyIntolerance
rules:
  - { to: code, from: AL1-3, as: codeable_concept, required: true }
  - { to: onset, from: AL1-6, as: date_time }
  - { to: criticality, from: AL1-4, codes: allergy_severity_allergy_intolerance_criticality }
tests:
  - { given: "AL1|1||X1^Pollen|SV||2024", expect: {} }
  - { given: "AL1|1||X2^Dust||", expect: {} }
"""


@pytest.fixture(scope="module")
def proofs() -> Proofs:
    library = Library.load()
    found = read_definition("AL1_AllergyIntolerance", MAP, "test.yaml", [])
    assert isinstance(found, SegmentMap)
    return Proofs(found, library.segment_maps, library.kit(MapOptions()))


def test_what_goes_with_a_field_depends_on_it(proofs: Proofs) -> None:
    """Nothing else does."""
    assert {path[0][0] for path, _ in proofs.of("AL1", 4).made} == {"criticality"}
    assert proofs.of("AL1", 5).made == frozenset()


def test_where_the_whole_result_goes_with_the_field_it_is_changed_instead(proofs: Proofs) -> None:
    """An allergy to nothing is none; to something else it differs in its code alone."""
    assert {path[0][0] for path, _ in proofs.of("AL1", 3).made} == {"code"}


def test_only_tests_that_a_condition_holds_of_count(proofs: Proofs) -> None:
    """A criticality stands in the first alone."""
    assert proofs.of("AL1", 4, 0, 'IF AL1-3.1 EQUALS "X1"').made
    assert not proofs.of("AL1", 4, 0, 'IF AL1-3.1 EQUALS "X2"').made


def test_a_bundle_by_the_types_of_its_resources() -> None:
    """Contained ones too."""
    inner = {"resourceType": "Device", "id": "c"}
    outer = {"resourceType": "Observation", "status": "final", "contained": [inner]}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": outer}, {"request": {}}]}
    assert by_type(bundle) == {
        "Bundle": {"resourceType": "Bundle", "type": "transaction"},
        "Observation": [{"resourceType": "Observation", "status": "final"}],
        "Device": [inner],
    }


def test_pieces_of_segments() -> None:
    """Fields of MSH are counted with the separator as the first."""
    assert piece("MSH|^~\\&|LAB", 3, 0) == "LAB" and piece("PID|1||7^^^H~8", 3, 4) == "H" and piece("PID|1", 3, 0) == ""
    assert replaced("PID|1||7^a~8^b", 3, 2, "x") == "PID|1||7^x~8^x"
    assert replaced("PID|1", 3, 0, "x") == "PID|1" and replaced("PID|1||7", 3, 0, "") == "PID|1||"

"""How much of v2 the maps read."""

from __future__ import annotations

from transforms.mapping.coverage import coverage
from transforms.mapping.library import Library


def test_a_maps_coverage_names_its_fields() -> None:
    """Read, dropped on purpose, and neither."""
    found = {each.map: each for each in coverage(Library.load().segment_maps)}
    results = found["OBX_Observation"]
    assert (results.segment, results.type, results.follows) == ("OBX", "Observation", "v2-to-FHIR, OBX[Observation]")
    assert {2, 3, 5, 6, 7, 8, 11, 14} <= set(results.read)
    assert 1 in results.dropped
    assert not set(results.unread) & {*results.read, *results.dropped}
    assert set(results.unread) <= set(range(1, 40)) and 9 in results.unread


def test_no_map_is_empty() -> None:
    """Every packaged map reads something."""
    assert [each.map for each in coverage(Library.load().segment_maps) if not (each.read and each.rules)] == []

"""How much of the guide the maps do, and how that is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from transforms.mapping.coverage import Coverage
from transforms.mapping.datatypes import datatype_maps
from transforms.mapping.definition import SegmentMap, read_definition
from transforms.mapping.guide import Guide, Row, followed, plain, steps_of
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions

MAP = """
map: ZZZ to Patient
segment: PID
resource: Patient
follows: v2-to-FHIR, PID[Patient]
waived:
  - { row: "PID-10 *", why: "a reason" }
  - { row: "PID-11", why: "another" }
rules:
  - { to: birthDate, from: PID-7, as: birth_date }
  - { to: extension, from: PID-6, as: name_text, wrap: { url: "http://a", valueString: "@" } }
tests:
  - { given: "PID|1|||||Doe|198001010830+0100", expect: { birthDate: "1980-01-01" } }
"""


def row(field: str, target: str, **more: object) -> Row:
    outer = target.partition("(")[0]
    return Row("segments", "PID[Patient]", field, plain(outer), target, elements=steps_of(outer), **more)  # type: ignore[arg-type]


def report(*rows: Row, text: str = MAP):
    library = Library.load()
    found = read_definition("PID_Patient", text, "test.yaml", [])
    assert isinstance(found, SegmentMap)
    guide = Guide({"segments": {"PID[Patient]": rows}, "datatypes": {}, "tables": {}, "messages": {}})
    return Coverage(guide, {"PID_Patient": found}, {}, {}, {}, library.kit(MapOptions())).report()


@pytest.mark.parametrize(
    ("field", "target", "constant"),
    [
        ("PID-7", "birthDate", ""),
        ("PID-7", "birthDate.extension[1].valueDateTime", ""),
        ("PID-7", "birthDate.extension[1].url", "http://hl7.org/fhir/StructureDefinition/patient-birthTime"),
        ("PID-6", "extension[1].valueString", ""),
        ("PID-7", "$this", ""),
    ],
)
def test_a_row_is_implemented_where_the_element_goes_with_the_field(field: str, target: str, constant: str) -> None:
    """Found out by the map's own test: the field is blanked."""
    counted = report(row(field, target, constant=constant), row("PID-10", "x"), row("PID-11", "y"))
    assert (counted.counted[0].implemented, counted.counted[0].waived, counted.open) == (1, 2, 0)
    assert counted.problems == ()


@pytest.mark.parametrize(
    ("field", "target", "constant"),
    [("PID-7", "deceasedDateTime", ""), ("PID-6", "birthDate", ""), ("PID-8", "gender", ""), ("PID-7", "birthDate", "1999")],
)
def test_what_no_test_shows_is_open(field: str, target: str, constant: str) -> None:
    """Another element, another field, a field no test has, another constant."""
    assert report(row(field, target, constant=constant)).open == 1


def test_a_waiver_that_is_not_needed_is_a_mistake() -> None:
    """It matches nothing, or only what is implemented."""
    text = MAP.replace("PID-11", "PID-7")
    problems = report(row("PID-7", "birthDate"), text=text).problems
    assert problems == (
        "test.yaml:7: the waiver `PID-10 *` matches no row of the guide",
        "test.yaml:8: the waiver `PID-7` is about rows that are implemented",
    )


def test_follows_names_maps_of_the_guide() -> None:
    """Several, and words behind them."""
    assert followed("v2-to-FHIR, PRT[Device], PRT[Observation-Location]") == ("PRT[Device]", "PRT[Observation-Location]")
    assert followed("v2-to-FHIR, ORU_R01; identity, verbs") == ("ORU_R01",)
    assert followed("HL7 v2.5.1, 13.4.3") == ()


@pytest.mark.shared
def test_nothing_of_the_guide_is_open(shared: Path) -> None:
    """Each row is implemented or waived with a reason, and each waiver is needed."""
    library = Library.load()
    guide = Guide.read(shared / "reference/v2-to-fhir/tables")
    found = Coverage(guide, library.segment_maps, library.message_maps, library.tables, datatype_maps(), library.kit(MapOptions())).report()
    assert [open_row.name for each in found.counted for open_row in each.open] == []
    assert found.problems == ()

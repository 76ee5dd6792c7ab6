"""The guide's tables as rows: elements, constants, extensions and what the guide misspells."""

from __future__ import annotations

import csv
from pathlib import Path

from transforms.mapping.guide import Guide, plain, steps_of

HEAD = ("map", "id", "condition_antlr", "condition_narrative", "fhir_attribute", "assignment")
URL = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
TABLES: dict[str, list[tuple[str, ...]]] = {
    "segments": [
        HEAD,
        ("PID[Patient]", "PID-7", "", "", "birthDate", ""),
        ("PID[Patient]", "PID-7", "IF PID-7 LENGTH GREATER THAN 8", "", "birthDate.extension[1].url", f'"{URL}"'),
        ("PID[Patient]", "PID-7", "", "when it is long", "birthDate.extension[1].valueDateTime", ""),
        ("PID[Patient]", "PID-1", "", "", "", ""),
        ("PV1[Encounter]", "PV1-7", "", "", "participant[1].individual(Practitioner)", ""),
        ("PV1[Encounter]", "PV1-2", "", "", 'status="finished"', ""),
        ("OBX[Observation]", "OBX-33", "", "", "extension[1].uri", ""),
    ],
    "datatypes": [HEAD, ("XCN[PractitionerRole]", "XCN.3", "", "", "practitioner(Practitioner.name.given)", "")],
    "vocabulary": [
        ("map", "v2_code", "fhir_code", "fhir_system", "condition_antlr", "condition_narrative"),
        ("A", "x", "y", "s", "", ""),
        ("A", "", "z", "s", "", ""),
        ("A", "q", "", "", "", ""),
    ],
    "messages": [
        ("message", "path", "segment_map", "fhir_target", "condition_antlr", "condition_narrative"),
        ("ADT_A01", "ADT_A01.PID", "PID[Patient]", "Patient[1]", "", ""),
        ("ADT_A01", "ADT_A01.DB1", "", "", "", ""),
    ],
}


def guide(folder: Path) -> Guide:
    for name, rows in TABLES.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    return Guide.read(folder)


def test_rows_without_a_target_are_none(tmp_path: Path) -> None:
    """What HL7 has not mapped needs nothing; nor does a code of FHIR's without one of v2's."""
    read = guide(tmp_path)
    assert {kind: {name: len(rows) for name, rows in maps.items()} for kind, maps in read.rows.items()} == {
        "segments": {"PID[Patient]": 3, "PV1[Encounter]": 2, "OBX[Observation]": 1},
        "datatypes": {"XCN[PractitionerRole]": 1},
        "tables": {"A": 1},
        "messages": {"ADT_A01": 1},
    }
    assert read.count == 9


def test_an_extension_is_known_by_its_url(tmp_path: Path) -> None:
    """Also the row that says its value: another row of the field says the url."""
    _, url, value = guide(tmp_path).rows["segments"]["PID[Patient]"]
    assert url.elements == (("birthDate", 0), (f"extension={URL}", 0), ("url", 0)) and url.constant == URL
    assert value.elements == (("birthDate", 0), (f"extension={URL}", 0), ("valueDateTime", 0))
    assert (url.condition, value.condition) == ("IF PID-7 LENGTH GREATER THAN 8", "when it is long")


def test_what_a_reference_leads_to_is_inside(tmp_path: Path) -> None:
    """A constant may stand behind the element; `uri` in an extension is its url; a person's name is what the person's function gives."""
    read = guide(tmp_path)
    person, status = read.rows["segments"]["PV1[Encounter]"]
    assert person.inside and person.target == "participant.individual"
    assert status.constant == "finished" and not status.inside
    assert read.rows["segments"]["OBX[Observation]"][0].elements[-1] == ("url", 0)
    assert read.rows["datatypes"]["XCN[PractitionerRole]"][0].elements == (("name", 0), ("given", 0))


def test_steps_and_plain_targets() -> None:
    """Indices are places; patterns do without them."""
    assert steps_of("coding[2].code") == (("coding", 2), ("code", 0))
    assert steps_of("[1].family") == (("family", 0),)
    assert steps_of("coding.sytem") == (("coding", 0), ("system", 0))
    assert plain("component[each].valueQuantity[1]") == "component.valueQuantity"

"""`flue maps coverage`: what the maps are made of, and how much of the guide they do."""

from __future__ import annotations

from pathlib import Path

from tests.engine.cli.conftest import Flue

HEAD = "fhir_attribute,condition_antlr,condition_narrative,assignment,map,id"
TABLES = {
    "segments": f"{HEAD}\nbirthDate,,,,PID[Patient],PID-7\nphoto,,,,PID[Patient],PID-999\n,,,,PID[Patient],PID-1\n",
    "datatypes": f"{HEAD}\nstart,,,,DR[Period],DR.1\n",
    "vocabulary": "map,v2_code,fhir_code,fhir_system,condition_antlr,condition_narrative\n"
    "AdministrativeSex,F,female,http://hl7.org/fhir/administrative-gender,,\n",
    "messages": "message,path,segment_map,fhir_target,condition_antlr,condition_narrative\nORU_R01,ORU_R01.PID,PID[Patient],Patient[1],,\n",
}


def guide(folder: Path) -> Path:
    for name, text in TABLES.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    return folder


def test_without_a_guide_it_lists_what_the_maps_declare(flue: Flue) -> None:
    """Of each map its rules, fields and tests."""
    result = flue("maps", "coverage", FLUE_SHARED="")
    assert result.exit_code == 0
    assert any(line.startswith("OBX_Observation") and "OBX[Observation]" in line for line in result.stdout.splitlines())


def test_with_a_guide_it_counts_rows_and_lists_the_open_ones(flue: Flue, tmp_path: Path) -> None:
    """One of each kind is done; a row of a field nobody reads is open, and the command says so by its exit status."""
    result = flue("maps", "coverage", "--guide", guide(tmp_path), "--open")
    counted = [line.split()[:5] for line in result.stdout.splitlines()]
    for row in (
        ["segments", "PID[Patient]", "1", "0", "1"],
        ["datatypes", "DR[Period]", "1", "0", "0"],
        ["tables", "AdministrativeSex", "1", "0", "0"],
        ["messages", "ORU_R01", "1", "0", "0"],
        ["all", "4", "0", "1"],
    ):
        assert row in [each[: len(row)] for each in counted]
    assert "open: PID[Patient] PID-999 photo" in result.stdout
    assert "1 of 5 rows of the guide are open." in result.stderr
    assert result.exit_code == 1


def test_a_folder_without_the_tables_is_a_mistake_of_the_command_line(flue: Flue, tmp_path: Path) -> None:
    """Exit status 2."""
    assert flue("maps", "coverage", "--guide", tmp_path).exit_code == 2

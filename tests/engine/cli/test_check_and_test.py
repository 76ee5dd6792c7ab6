"""`flue check` and `flue test`: folders and single files, channels and maps; every problem at its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.cli.conftest import Flue

CHANNEL = """channel: lab
source: { mllp: { listen: "tcp:2575" } }
identity: { base: "https://site.example/id" }
transform: [ map_to_fhir ]
destinations:
  - name: repository
    fhir: { url: "http://127.0.0.1:8090/fhir" }
tests:
  - name: a glucose
    given: |
      MSH|^~\\&|LAB|HOSP|FLUE|CLINIC|20260314103000+0100||ORU^R01|C1|P|2.5.1
      PID|1||4711^^^HOSP^MR
      OBR|1||F1^LAB|24323-8^Panel^LN
      OBX|1|NM|2345-7^Glucose^LN||95|mg/dL|||||F
    expect:
      repository:
        - { fhirpath: "Bundle.entry.resource.ofType(Observation).value.value", equals: [95] }
"""

MAP = """map: OBX to Observation, as this site wants it
extends: OBX_Observation
rules:
  - { name: device, drop: OBX-18, why: nobody here wants it }
tests:
  - name: the device is dropped
    given: "OBX|1|NM|2345-7^Glucose^LN||95|mg/dL|||||F|||||||A17"
    expect: { status: final }
    leftover: []
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a channel and a map, each with a test."""
    (tmp_path / "site" / "maps").mkdir(parents=True)
    (tmp_path / "site" / "channel.yaml").write_text(CHANNEL)
    (tmp_path / "site" / "maps" / "OBX_Observation.yaml").write_text(MAP)
    return tmp_path / "site"


def test_a_folder_that_checks(flue: Flue, site: Path) -> None:
    """Says how much was looked at; status 0."""
    done = flue("check", "site")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "1 channel and 1 map checked, 0 errors, 0 warnings\n")


def test_every_problem_of_channel_map_and_engine_at_once(flue: Flue, site: Path) -> None:
    """Each in its file, at its line, with what was meant; status 1."""
    (site / "channel.yaml").write_text(CHANNEL.replace("[ map_to_fhir ]", "[ map_to_fire, validates ]"))
    (site / "maps" / "OBX_Observation.yaml").write_text(MAP.replace("drop: OBX-18", "dropp: OBX-18"))
    (site / "engine.yaml").write_text("store:\n  pth: elsewhere\n")
    done = flue("check", "site")
    lines = done.stdout.splitlines()
    for beginning in (
        "site/channel.yaml:4:14: unknown_step: No step is called `map_to_fire` (did you mean `map_to_fhir`?).",
        "site/channel.yaml:4:27: unknown_step: No step is called `validates` (did you mean `validate`?).",
        "site/engine.yaml:2:3: unknown_key: `pth` is not known here (did you mean `path`?).",
        "site/maps/OBX_Observation.yaml:4:",
    ):
        assert [line for line in lines if line.startswith(beginning)], (beginning, lines)
    assert done.exit_code == 1 and lines == sorted(lines)


def test_single_files_of_every_kind(flue: Flue, site: Path) -> None:
    """A channel, engine.yaml, a map, a folder of maps."""
    (site / "engine.yaml").write_text("log: { level: loud }\n")
    assert flue("check", "site/channel.yaml").stderr == "1 channel checked, 0 errors, 0 warnings\n"
    assert flue("check", "site/maps/OBX_Observation.yaml").stderr == "1 map checked, 0 errors, 0 warnings\n"
    assert flue("check", "site/maps").stderr == "1 map checked, 0 errors, 0 warnings\n"
    done = flue("check", "site/engine.yaml")
    assert done.exit_code == 1 and done.stdout.startswith("site/engine.yaml:1:15: not_one_of: ")


def test_what_is_not_set_is_a_warning(flue: Flue, site: Path) -> None:
    """It may be set where the engine runs."""
    (site / "channel.yaml").write_text(CHANNEL.replace('"http://127.0.0.1:8090/fhir"', '"${env:FLUE_NOT_SET}"'))
    done = flue("check", "site")
    assert done.stdout == "site/channel.yaml:7:18: unset: ${env:FLUE_NOT_SET} is not set and has no default. (warning)\n"
    assert done.exit_code == 0


def test_a_fhir_destination_without_a_base_for_systems(flue: Flue, site: Path) -> None:
    """It could match another patient: refused; the engine's own identity will do."""
    (site / "channel.yaml").write_text(CHANNEL.replace('identity: { base: "https://site.example/id" }\n', ""))
    for path in ("site", "site/channel.yaml"):
        done = flue("check", path)
        assert (done.exit_code, done.stdout) == (
            1,
            "site/channel.yaml:6:5: no_identity_base: A fhir destination needs `identity: { base: … }`: "
            "a number without a system would match another patient's.\n",
        )
    (site / "engine.yaml").write_text('identity: { base: "https://site.example/id" }\n')
    for path in ("site", "site/channel.yaml"):
        assert flue("check", path).exit_code == 0
        assert flue("test", path).exit_code == 0


def test_the_schema_is_json(flue: Flue) -> None:
    """For editors."""
    assert json.loads(flue("check", "--schema").stdout)["title"] == "Flue channel"


@pytest.mark.parametrize("command", ["check", "test"])
def test_paths_that_are_not_there(flue: Flue, command: str) -> None:
    """The command line is at fault."""
    done = flue(command, "nothere")
    assert done.exit_code == 2 and "Path 'nothere' does not exist." in done.stderr
    done = flue(command)
    assert done.exit_code == 2 and "there is no folder conf here; name a folder or file" in done.stderr


def test_tests_of_channels_and_maps_run(flue: Flue, site: Path) -> None:
    """Both count; those of the packaged maps when asked for."""
    done = flue("test", "site", "-v")
    assert done.stdout.splitlines() == [
        "site/channel.yaml:9: passed: a glucose",
        "site/maps/OBX_Observation.yaml:6: passed: the device is dropped",
    ]
    assert (done.exit_code, done.stderr) == (0, "2 passed, 0 failed\n")
    assert flue("test", "site/channel.yaml").stderr == "1 passed, 0 failed\n"
    assert flue("test", "site/maps/OBX_Observation.yaml").stderr == "1 passed, 0 failed\n"
    done = flue("test", "--maps")
    assert done.exit_code == 0 and int(done.stderr.split()[0]) > 100


def test_tests_that_fail_say_how(flue: Flue, site: Path) -> None:
    """With the file and line of the test, and what came instead; status 1."""
    (site / "channel.yaml").write_text(CHANNEL.replace("equals: [95]", "equals: [96]"))
    (site / "maps" / "OBX_Observation.yaml").write_text(MAP.replace("status: final", "status: amended"))
    done = flue("test", "site")
    assert done.stdout.splitlines() == [
        "site/channel.yaml:9: FAILED: a glucose",
        "    repository: Bundle.entry.resource.ofType(Observation).value.value gave [95], expected [96]",
        "site/maps/OBX_Observation.yaml:6: FAILED: the device is dropped",
        "    .status is 'final', expected 'amended'",
    ]
    assert (done.exit_code, done.stderr) == (1, "0 passed, 2 failed\n")


def test_what_does_not_check_is_not_tested(flue: Flue, site: Path) -> None:
    """Its problems are told, and the status is 1."""
    (site / "channel.yaml").write_text(CHANNEL.replace("tcp:2575", "2575"))
    done = flue("test", "site")
    assert done.exit_code == 1 and "site/channel.yaml:2:" in done.stderr

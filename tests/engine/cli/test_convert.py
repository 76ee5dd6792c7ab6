"""`flue convert`: one line a message, whatever the message is; by a map, or as a channel does it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.engine.cli.conftest import Flue
from tests.engine.laboratory import ADMISSION, RESULT

CHANNEL = """
channel: local
source: { mllp: { listen: "tcp:2575" } }
identity: { base: "https://site.example/id" }
timezone: Europe/Zurich
filter:
  - equals: { field: MSH-9.1, to: ORU }
transform:
  - look_up: { field: OBX-3, table: lab_codes, to: loinc }
destinations:
  - name: neighbour
    filter: [ { equals: { field: MSH-4.1, to: ELSEWHERE } } ]
    file: { folder: out }
  - name: repository
    transform:
      - map_to_fhir: { options: { text_numbers: text } }
    fhir: { url: "${env:FLUE_NOWHERE}" }
"""

OVERRIDE = """
map: OBX to Observation, as this site wants it
extends: OBX_Observation
rules:
  - { name: bodySite, drop: OBX-20, why: nobody here fills it in truly }
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A channel with a table and a map of its own."""
    for folder in ("terminology", "maps"):
        (tmp_path / "site" / folder).mkdir(parents=True)
    (tmp_path / "site" / "channel.yaml").write_text(CHANNEL)
    (tmp_path / "site" / "terminology" / "lab_codes.csv").write_text("code,to,display\nGLU,2345-7,Glucose\n")
    (tmp_path / "site" / "maps" / "OBX_Observation.yaml").write_text(OVERRIDE)
    return tmp_path / "site"


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A file with one result."""
    file = tmp_path / "result.hl7"
    file.write_bytes(RESULT)
    return file


def documents(stdout: str) -> list[dict]:
    """The JSON documents, one a line."""
    return [json.loads(line) for line in stdout.splitlines()]


def resources(bundle: dict, kind: str) -> list[dict]:
    """The Bundle's resources of a type."""
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def test_a_line_a_message(flue: Flue, tmp_path: Path, result: Path) -> None:
    """Files of one message, of several and of none; a failing one is an OperationOutcome, and the status is 1."""
    (tmp_path / "several.hl7").write_bytes(RESULT + RESULT.replace(b"|C1|", b"|C2|"))
    (tmp_path / "empty.hl7").write_bytes(b"")
    (tmp_path / "noise.hl7").write_bytes(bytes(range(256)) * 10)
    done = flue("convert", result, "several.hl7", "empty.hl7", "noise.hl7")
    found = documents(done.stdout)
    assert [each["resourceType"] for each in found] == ["Bundle"] * 3 + ["OperationOutcome"] * 2
    assert [each["identifier"]["value"] for each in found[:3]] == ["C1", "C1", "C2"]
    assert found[3]["issue"][0]["details"]["text"] == "MSH: what came does not begin with MSH"
    assert done.exit_code == 1 and "noise.hl7: MSH: what came does not begin with MSH" in done.stderr


def test_standard_input_and_pretty(flue: Flue) -> None:
    """`-` is standard input; indented, the bundle is the same and decimals keep their spelling."""
    given = RESULT.replace(b"|95|", b"|7.0|")
    plain, pretty = flue("convert", "-", stdin=given), flue("convert", "--pretty", "-", stdin=given)
    assert json.loads(plain.stdout) == json.loads(pretty.stdout)
    assert '"value":7.0' in plain.stdout and '"value": 7.0' in pretty.stdout
    assert plain.stdout.count("\n") == 1 < pretty.stdout.count("\n")


def test_zone_base_and_time_of_receipt(flue: Flue, result: Path) -> None:
    """What the message does not say can be said: the zone, the prefix of systems, when it came."""
    result.write_bytes(RESULT.replace(b"+0100", b""))
    done = flue("convert", "--zone", "Europe/Zurich", "--identity-base", "https://x.example/", "--received", "2026-03-14T12:00:00Z", result)
    (bundle,) = documents(done.stdout)
    assert bundle["identifier"]["system"] == "https://x.example/message-control-id"
    assert resources(bundle, "DiagnosticReport")[0]["issued"] == "2026-03-14T10:25:00+01:00"
    os.utime(result, (0, 0))
    (bundle,) = documents(flue("convert", result).stdout)
    assert resources(bundle, "Provenance")[0]["recorded"] == "1970-01-01T00:00:00.000Z"  # the file's own time


def test_what_an_engine_would_hold_is_printed_and_said(flue: Flue, result: Path) -> None:
    """A result without a patient number: the bundle on stdout, the reason on stderr, status 0."""
    result.write_bytes(RESULT.replace(b"4711^^^HOSP^MR", b""))
    done = flue("convert", result)
    assert documents(done.stdout)[0]["resourceType"] == "Bundle"
    assert (done.exit_code, done.stderr) == (0, f"{result}: an engine would hold this: no_patient_id\n")


def test_ledger_and_explain_are_lines_too(flue: Flue, result: Path) -> None:
    """What no rule read; and of each element the rule, its line and the fields."""
    sent = RESULT.replace(b"|N|||F\r", b"|N|||F||SECRET\r")
    result.write_bytes(sent)
    ledger = flue("convert", "--ledger", result)
    left, summary = documents(ledger.stdout)
    assert left == {"message": "C1", "path": "OBX-13", "status": "left over"} and ledger.exit_code == 0
    assert summary["counts"]["left over"] == 1 and sum(summary["counts"].values()) == summary["atoms"]
    every = documents(flue("convert", "--ledger", "all", result).stdout)[:-1]
    assert len(every) == summary["atoms"] and {each["status"] for each in every} == {"mapped", "dropped", "left over"}
    assert [sent[each["start"] : each["end"]] for each in every if each["status"] == "left over"] == [b"SECRET"]
    explained = {each["pointer"]: each for each in documents(flue("convert", "--explain", result).stdout)}
    (value,) = [each for pointer, each in explained.items() if pointer.endswith("/valueQuantity/value")]
    assert (value["message"], value["rule"], value["file"], value["read"], value["from"]) == (
        "C1", "OBX_Observation/value", "maps/segments/OBX_Observation.yaml", ["OBX-5", "OBX-6"], ["OBX-2", "OBX-5"],
    )  # fmt: skip
    assert value["line"] > 1 and value["column"] > 0
    assert [sent[each["start"] : each["end"]] for each in value["sources"] if each["path"] == "OBX-5"] == [b"95"]
    assert "OBX-5 (" in flue("convert", "--explain", "table", result).stdout


def test_why_an_element_is_not_there(flue: Flue, result: Path) -> None:
    """The rule, its place, what it looked at, and why that gives nothing."""
    (found,) = documents(flue("convert", "--why", "Observation.method", result).stdout)
    assert (found["resource"], found["rule"], found["why"], found["fields"]) == ("Observation at OBX", "OBX_Observation/method", "absent", ["OBX-17"])


def test_as_a_channel_does_it(flue: Flue, site: Path, result: Path) -> None:
    """Its filter, its table, its options, its zone and its identity; an unset address of a receiver does not matter."""
    result.write_bytes(RESULT.replace(b"2345-7^Glucose^LN", b"GLU^Glucose^L").replace(b"|NM|", b"|ST|"))
    (site.parent / "admission.hl7").write_bytes(ADMISSION)
    done = flue("convert", "--conf", site, result, "admission.hl7")
    bundle, filtered = documents(done.stdout)
    (observation,) = resources(bundle, "Observation")
    assert [each["code"] for each in observation["code"]["coding"]] == ["GLU", "2345-7"]
    assert observation["valueString"] == "95"
    assert bundle["identifier"]["system"] == "https://site.example/id/message-control-id"
    assert filtered["issue"][0]["severity"] == "information" and filtered["issue"][0]["diagnostics"].endswith("channel.yaml:7")
    assert (done.exit_code, done.stderr) == (0, f"admission.hl7: filtered by equals ({site}/channel.yaml:7)\n")


def test_a_destination_of_the_channel(flue: Flue, site: Path, result: Path) -> None:
    """Each may filter for itself."""
    done = flue("convert", "--conf", site, "--destination", "neighbour", result)
    assert documents(done.stdout)[0]["resourceType"] == "OperationOutcome" and done.exit_code == 0


def test_explain_by_the_sites_own_maps(flue: Flue, site: Path, result: Path) -> None:
    """What the site's table added and what its options say is explained, too; what its maps drop is in no ledger."""
    result.write_bytes(RESULT.replace(b"2345-7^Glucose^LN", b"GLU^Glucose^L").replace(b"|N|||F\r", b"|N|||F|||||||||ARM\r"))
    explained = documents(flue("convert", "--conf", site, "--explain", result).stdout)
    (added,) = [each for each in explained if each["pointer"].endswith("/code/coding/1/code")]
    assert (added["read"], added["from"]) == (["OBX-3"], ["OBX-3.4"])
    assert not [each for each in explained if "OBX-20" in each["from"]]
    assert [each for each in documents(flue("convert", "--explain", result).stdout) if "OBX-20" in each["from"]]
    assert "OBX-20" not in flue("convert", "--conf", site, "--ledger", result).stdout


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["nothere.hl7"], 2, "File 'nothere.hl7' does not exist."),
        ([], 2, "Missing argument 'FILES...'."),
        (["--nope", "result.hl7"], 2, "No such option '--nope'."),
        (["--map", "ORU_R02", "result.hl7"], 2, "there is no message map ORU_R02 (did you mean `ORU_R01`?); known are "),
        (["--zone", "Europe/Zurch", "result.hl7"], 2, "is no time zone of the IANA list (did you mean `Europe/Zurich`?)"),
        (["--identity-base", "hospital", "result.hl7"], 2, "should be a URI of your own, such as https://hospital.example/id"),
        (["--received", "today", "result.hl7"], 2, "should be a date or time such as 2026-03-14T10:30:00Z"),
        (["--explain", "--ledger", "result.hl7"], 2, "--explain, --ledger and --why are several answers; ask for one"),
        (["--channel", "local", "result.hl7"], 2, "--channel and --destination are for --conf"),
        (["--conf", "site", "--map", "ORU_R01", "result.hl7"], 2, "the channel of --conf says which map: leave out --map"),
        (["--conf", "site", "--channel", "locale", "result.hl7"], 2, "there is no channel locale (did you mean `local`?) in site"),
        (["--conf", "site", "--destination", "repo", "result.hl7"], 2, "it has neighbour and repository"),
        (["--conf", "empty", "result.hl7"], 1, "empty:1:1: no_channel: Neither channel.yaml nor channels/*.yaml is here."),
    ],
)
def test_mistakes_get_a_sentence(flue: Flue, site: Path, result: Path, arguments: list[str], status: int, sentence: str) -> None:
    """And status 2 where the command line is at fault, 1 where a file is."""
    (site.parent / "empty").mkdir()
    done = flue("convert", *arguments)
    assert done.exit_code == status and sentence in done.stderr and done.stdout == ""


def test_a_channel_that_does_not_check(flue: Flue, site: Path, result: Path) -> None:
    """Every problem at its line, and nothing is converted."""
    (site / "channel.yaml").write_text(CHANNEL.replace("lab_codes", "lab_code"))
    done = flue("convert", "--conf", site, result)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{site}/channel.yaml:9:") and "unknown_table" in done.stderr


def test_an_unset_secret_is_told(flue: Flue, site: Path, result: Path) -> None:
    """Ids made without it are not the engine's."""
    (site / "channel.yaml").write_text(CHANNEL.replace('site.example/id" }', 'site.example/id", secret: "${env:FLUE_IDENTITY_SECRET}" }'))
    done = flue("convert", "--conf", site, result)
    assert (done.exit_code, done.stderr) == (
        0, "${env:FLUE_IDENTITY_SECRET} is not set: ids and systems may differ from those the engine makes\n",
    )  # fmt: skip


@pytest.mark.shared
def test_every_file_of_the_corpus(flue: Flue, shared: Path) -> None:
    """Whatever is in a file, each message gives one line of JSON, and nothing breaks."""
    files = sorted(file for file in (shared / "corpus").rglob("*") if file.suffix in (".hl7", ".bin"))
    assert len(files) == 423
    found = documents(flue("convert", *files).stdout)
    assert len(found) >= len(files) and {each["resourceType"] for each in found} == {"Bundle", "OperationOutcome"}


def test_a_batch_whose_count_is_wrong(flue: Flue) -> None:
    """Every message is converted all the same; what is wrong is said, and status 1."""
    batch = b"BHS|^~\\&|LAB\r" + RESULT + RESULT.replace(b"|C1|", b"|C2|") + b"BTS|1\r"
    done = flue("convert", "-", stdin=batch)
    assert done.exit_code == 1 and [each["resourceType"] for each in documents(done.stdout)] == ["Bundle", "Bundle"]
    assert "-: batch 1: BTS-1 says 1, 2 messages came" in done.stderr
    assert flue("convert", "-", stdin=batch.replace(b"BTS|1", b"BTS|2")).exit_code == 0

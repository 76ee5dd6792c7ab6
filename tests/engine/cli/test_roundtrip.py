"""`flue convert --to v2` and `flue roundtrip`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engine.cli.conftest import Flue

RESULT = b"MSH|^~\\&|LAB|HOSP|||20240305123045+0100||ORU^R01^ORU_R01|M1|P|2.5.1\rPID|1||1^^^&1.2.3&ISO^MR||Doe\rOBR|1||F1|CBC^Count^L|||||||||||||||||||||F\rOBX|1|NM|2345-7^Glucose^LN||7.0|mmol/L|||||F\r"
PDF = b"OBX|2|ED|P^Report^L||LAB^AP^PDF^Base64^QUJD||||||F\r"


def test_there_and_back_on_the_command_line(flue: Flue, tmp_path: Path) -> None:
    """What `convert` prints, `convert --to v2` takes: a segment a line."""
    file = tmp_path / "result.hl7"
    file.write_bytes(RESULT)
    bundle = flue("convert", file).stdout
    result = flue("convert", "--to", "v2", "-", stdin=bundle.encode())
    assert result.exit_code == 0
    assert "OBX|1|NM|2345-7^Glucose^LN||7.0|mmol/L^^UCUM|||||F\n" in result.stdout


def test_what_is_not_carried_over(flue: Flue, tmp_path: Path) -> None:
    """`--ledger` lists it; an order is no result and gives an OperationOutcome; options of the other way are refused."""
    report = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "R"}, "media": [{"comment": "x"}]}
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": report}]}))
    told = [json.loads(line) for line in flue("convert", "--to", "v2", "--ledger", file).stdout.splitlines()]
    assert [each["path"] for each in told] == ["Bundle.entry[0].resource.media.comment"]
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": []}))
    failed = flue("convert", "--to", "v2", file)
    assert failed.exit_code == 1 and json.loads(failed.stdout.splitlines()[0])["resourceType"] == "OperationOutcome"
    assert flue("convert", "--to", "v2", "--pretty", file).exit_code == 2


def test_a_round_trip_says_what_is_lost(flue: Flue, tmp_path: Path) -> None:
    """Status 0 where everything comes back, 1 where a document does not, with the rule to blame; no value is printed."""
    file = tmp_path / "result.hl7"
    file.write_bytes(RESULT)
    whole = flue("roundtrip", file)
    assert whole.exit_code == 0 and json.loads(whole.stdout.splitlines()[-1])["share"] == 1.0
    file.write_bytes(RESULT + PDF)
    lost = flue("roundtrip", file)
    rows = [json.loads(line) for line in lost.stdout.splitlines()[:-1]]
    assert lost.exit_code == 1 and "OBX_DiagnosticReport/presentedForm" in {row["rule"] for row in rows if row["status"] == "lost"}
    assert "QUJD" not in lost.stdout

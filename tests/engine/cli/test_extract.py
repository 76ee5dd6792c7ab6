"""`flue extract`: a table for people, JSON for machines, a measure against the truth."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli.extract import command

_spec = importlib.util.spec_from_file_location("pdfs", Path(__file__).parents[2] / "transforms/extraction/pdfs.py")
assert _spec and _spec.loader
pdfs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pdfs)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    file = tmp_path / "report.pdf"
    file.write_bytes(pdfs.pdf([(40, 60, "Patient: Casey Demo"), (40, 200, "Glucose: 95 mg/dL (70-99)")]))
    return file


def test_a_report_is_shown_and_printed_as_json(report: Path) -> None:
    shown = CliRunner().invoke(command, [str(report)])
    assert shown.exit_code == 0 and "Casey Demo" in shown.output and "Glucose" in shown.output
    printed = CliRunner().invoke(command, ["--json", str(report)])
    (result,) = json.loads(printed.stdout)["results"]
    assert (result["name"], result["value"], result["unit"], result["low"], result["high"]) == ("Glucose", 95, "mg/dL", 70, 99)
    assert result["evidence"]["page"] == 1 and len(result["evidence"]["box"]) == 4


def test_a_file_that_is_not_read_is_named_with_the_reason(report: Path) -> None:
    wrong = report.with_name("wrong.pdf")
    wrong.write_bytes(b"GIF89a")
    ran = CliRunner().invoke(command, [str(wrong)])
    assert ran.exit_code == 1 and "wrong.pdf: this is no PDF (not_pdf)" in ran.stderr


def test_evaluation_counts_right_wrong_and_missed(report: Path) -> None:
    truth = {"name": "Glucose", "value": 95, "value_text": "95", "unit_text": "mg/dl", "ref_low": 70, "ref_high": 99, "flag_text": ""}
    report.with_suffix(".json").write_text(json.dumps({"results": [truth, {**truth, "name": "Sodium", "value": 140}]}))
    ran = CliRunner().invoke(command, ["--evaluate", str(report.parent)])
    rows = {line.split()[0]: line.split()[1:] for line in ran.stdout.splitlines()}
    assert ran.exit_code == 0 and "pages a second" in ran.stderr
    assert rows["result"] == ["1.0000", "0.5000", "0.6667", "1", "0", "1"]
    assert rows["unit"][3:] == ["0", "1", "2"]

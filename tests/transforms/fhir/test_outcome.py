"""OperationOutcomes: ours are valid FHIR and quote nothing; others' are read for codes and places only."""

from __future__ import annotations

import pytest

from transforms.errors import ErrorCode, MessageError, Problem
from transforms.fhir.outcome import ISSUE_TYPES, of_error, of_issues, of_problems, sentence
from transforms.fhir.validation import Issue, validate


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_of_table_0357_has_an_outcome(code: ErrorCode) -> None:
    """An HL7 error keeps its place and code, whichever of table 0357 it is."""
    outcome = of_error(MessageError(code, "PID-3[2].4", "has no system", origin="maps/PID.yaml:7"))
    assert not validate(outcome)
    issue = outcome["issue"][0]
    assert issue["location"] == ["PID-3[2].4"] and issue["diagnostics"] == "maps/PID.yaml:7"
    assert issue["details"]["coding"][0]["code"] == code.code and issue["code"] == ISSUE_TYPES[code]


def test_outcomes_of_issues_and_problems() -> None:
    """What validation and configuration found, each with its place; nothing wrong is said to be so."""
    issues = of_issues([Issue("error", "required", "Observation", "lacks code")])
    assert issues["issue"] == [
        {"severity": "error", "code": "required", "details": {"text": "Observation lacks code"}, "expression": ["Observation"]}
    ]
    problems = of_problems([Problem("channel.yaml", 3, 5, "unknown_key", "there is no such option", "warning")])
    assert problems["issue"][0]["location"] == ["channel.yaml:3:5"] and problems["issue"][0]["severity"] == "warning"
    for outcome in (issues, problems, of_issues([])):
        assert not validate(outcome)


def test_what_a_receiver_says_is_read_without_its_texts() -> None:
    """Codes and places make the sentence; diagnostics may quote a patient."""
    issue = {
        "severity": "error",
        "code": "invalid",
        "diagnostics": "EVERYMAN",
        "details": {"text": "EVERYMAN"},
        "expression": ["Patient.name"],
    }
    warning = {"severity": "warning", "code": "value"}
    assert sentence({"resourceType": "OperationOutcome", "issue": [issue, warning]}) == "invalid at Patient.name"


@pytest.mark.parametrize(
    "said", [None, "gone", [], {}, {"resourceType": "OperationOutcome"}, {"resourceType": "OperationOutcome", "issue": ["x"]}]
)
def test_whatever_a_receiver_says_is_borne(said: object) -> None:
    """An answer that is no OperationOutcome, or a strange one, gives no sentence and no error."""
    assert sentence(said) == ""

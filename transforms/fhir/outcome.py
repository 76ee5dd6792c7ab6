"""OperationOutcomes (FHIR R4): what was wrong, for whoever asked, and what a receiver said, for us.

An issue carries a place and a code; never a value that may be about a patient.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from transforms.errors import ErrorCode, MessageError, Problem
from transforms.fhir.validation import Issue

TABLE_0357 = "http://terminology.hl7.org/CodeSystem/v2-0357"

ISSUE_TYPES = {
    ErrorCode.ACCEPTED: "informational",
    ErrorCode.SEGMENT_SEQUENCE: "structure",
    ErrorCode.REQUIRED_FIELD_MISSING: "required",
    ErrorCode.DATA_TYPE: "value",
    ErrorCode.TABLE_VALUE: "code-invalid",
    ErrorCode.VALUE_TOO_LONG: "too-long",
    ErrorCode.UNSUPPORTED_MESSAGE_TYPE: "not-supported",
    ErrorCode.UNSUPPORTED_EVENT_CODE: "not-supported",
    ErrorCode.UNSUPPORTED_PROCESSING_ID: "not-supported",
    ErrorCode.UNSUPPORTED_VERSION: "not-supported",
    ErrorCode.UNKNOWN_KEY: "not-found",
    ErrorCode.DUPLICATE_KEY: "duplicate",
    ErrorCode.RECORD_LOCKED: "lock-error",
    ErrorCode.INTERNAL: "exception",
}
"""Error condition codes of HL7 v2 to FHIR's IssueType."""

Outcome = dict[str, Any]


def of_error(error: MessageError) -> Outcome:
    """An HL7 message that cannot be used: its place in the message and its code of table 0357; the rule's own place as diagnostics."""
    coding = {"system": TABLE_0357, "code": error.code.code, "display": error.code.text}
    issue = {
        "severity": "fatal" if error.fatal else "error",
        "code": ISSUE_TYPES[error.code],
        "details": {"coding": [coding], "text": f"{error.place}: {error.why}"},
        **({"diagnostics": error.origin} if error.origin else {}),
        "location": [error.place],  # `expression` is for FHIRPath, and this is a place in HL7 v2
    }
    return _outcome([issue])


def of_issues(issues: Iterable[Issue]) -> Outcome:
    """What validation found; with none, an outcome that says so (an OperationOutcome has at least one issue)."""
    return _outcome([{**_entry(i.severity, i.code, str(i)), "expression": [i.place]} for i in issues] or [ALL_OK])


def of_problems(problems: Iterable[Problem]) -> Outcome:
    """What is wrong with a configuration, each with its `file:line:column`."""
    return _outcome(
        [{**_entry(p.severity, "invalid", str(p)), "location": [f"{p.file}:{p.line}:{p.column}"]} for p in problems] or [ALL_OK]
    )


def sentence(outcome: object) -> str:
    """The codes and places of an OperationOutcome that somebody else wrote.  Its texts may quote values and are left out."""
    if not isinstance(outcome, dict) or outcome.get("resourceType") != "OperationOutcome" or not isinstance(outcome.get("issue"), list):
        return ""
    said = []
    for issue in outcome["issue"]:
        if isinstance(issue, dict) and issue.get("severity") in ("fatal", "error"):
            places = issue.get("expression") if isinstance(issue.get("expression"), list) else []
            said.append(" at ".join([str(issue.get("code", "unknown")), *map(str, places[:1])]))
    return ", ".join(said[:5])


ALL_OK = {"severity": "information", "code": "informational", "details": {"text": "Nothing is wrong"}}


def accepted() -> Outcome:
    """Something was taken charge of."""
    return _outcome([_entry("information", "informational", "accepted")])


def _entry(severity: str, code: str, text: str) -> Outcome:
    return {"severity": severity, "code": code, "details": {"text": text}}


def _outcome(issues: list[Outcome]) -> Outcome:
    return {"resourceType": "OperationOutcome", "issue": issues}

"""What a FHIR server's answer means."""

from __future__ import annotations

from typing import Any

import pytest

from channels.fhir.answer import Made, entries, explained, reference, verdict
from channels.http.answer import Reply, retry_after
from channels.message import Verdict
from transforms.fhir.serialization import dumps


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((200, 201, 202, 204), Verdict.SENT),
        ((400, 410, 413, 422, 406, 415, 428), Verdict.REFUSED),
        ((412,), Verdict.HELD),
        ((409, 500, 501, 599), Verdict.COUNTED),
        ((301, 307, 401, 403, 404, 405, 408, 425, 429, 502, 503, 504, 507), Verdict.FAILING),
    ],
)
def test_every_status_has_a_verdict(statuses: tuple[int, ...], expected: Verdict) -> None:
    """Refused goes to a person, failing pauses the receiver, counted uses up attempts (design, section 5)."""
    for status in statuses:
        found, why = verdict(status)
        assert found is expected, status
        assert bool(why) is (expected is not Verdict.SENT)


def test_the_reason_names_codes_and_places_only() -> None:
    """The OperationOutcome's texts may quote a patient."""
    issue = {"severity": "error", "code": "value", "diagnostics": "EVERYMAN", "expression": ["Patient.name"]}
    body = dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    assert explained(Reply(422, {}, body)) == (Verdict.REFUSED, "the receiver's rules refuse the content (value at Patient.name)")
    assert explained(Reply(422, {}, b"<html>EVERYMAN")) == (Verdict.REFUSED, "the receiver's rules refuse the content")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("Patient/123", "Patient/123"),
        ("Patient/123/_history/1", "Patient/123"),
        ("https://server.example/fhir/R4/Patient/a-b.c/_history/7", "Patient/a-b.c"),
        ("https://server.example/fhir/R4", ""),
        ("", ""),
        (None, ""),
        (5, ""),
    ],
)
def test_locations_are_read_in_all_their_forms(location: Any, expected: str) -> None:
    """Whole or relative, with a version or without."""
    assert reference(location) == expected


def response(*entry: Any) -> Reply:
    return Reply(200, {}, dumps({"resourceType": "Bundle", "type": "transaction-response", "entry": list(entry), "id": "x" * 100}))


def test_entries_say_what_became_of_each() -> None:
    """Status and reference by place; a resource says its own id where no location is given."""
    patient = {"resourceType": "Patient", "id": "7"}
    reply = response(
        {"response": {"status": "201 Created", "location": "Patient/1/_history/1"}}, {"response": {"status": "200"}, "resource": patient}
    )
    assert entries(reply, 2) == [Made(201, "Patient/1"), Made(200, "Patient/7", patient)]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {}, b""),
        Reply(200, {}, b'{"resourceType":"Bundle","type":"transaction-response"}'),
        Reply(200, {}, b"OK" * 100),
        response(),
        response({}, {}, {}),
    ],
)
def test_an_answer_without_entries_says_nothing(reply: Reply) -> None:
    """It is accepted, and nothing is learned from it."""
    assert entries(reply, 2) is None


@pytest.mark.parametrize(
    "entry",
    [None, 5, {}, {"response": "x"}, {"response": {"status": "fine"}}, {"response": {"status": 200, "location": 5}, "resource": []}],
)
def test_strange_entries_are_borne(entry: Any) -> None:
    """Whatever a server writes there, it is at most not believed."""
    assert [each.reference for each in entries(response(entry), 1) or ()] == [""]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120.0), ("Wed, 21 Oct 2015 07:28:10 GMT", 10.0), ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0), ("soon", 0.0), ("", 0.0)],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float) -> None:
    """How long the receiver wants to be left alone (RFC 9110)."""
    assert retry_after({"retry-after": header} if header else {}, now=1445412480.0) == seconds

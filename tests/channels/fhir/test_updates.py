"""Shared resources that a message overwrites (rule 6): conditional updates, as the destination carries them out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.fhir import plan
from channels.fhir.conversation import Request
from channels.fhir.references import References
from channels.http.answer import Failure, Reply
from channels.message import Verdict
from tests.channels.fhir.bundles import admission, laboratory, shared, to, transaction, updated, uuid
from tests.channels.fhir.receiver import Receiver
from tests.channels.fhir.test_conversation import HABITS, identity
from transforms.document import Part, ReportFact
from transforms.fhir.register import apply, decide

HABITS = [each for each in HABITS if each.get("create_on_update", True)] + [{"create_on_update": False}]


def names(receiver: Receiver) -> list[str]:
    return [each["name"][0]["family"] for each in receiver.of("Patient")]


@pytest.mark.parametrize("habits", HABITS)
@pytest.mark.parametrize("settings", [{}, {"max_entries": 3}, {"max_conditional": 0}, {"max_conditional": 0, "max_entries": 2}])
@pytest.mark.parametrize("remembers", [True, False])
def test_the_last_one_is_what_stands_there(habits: dict[str, Any], settings: dict[str, Any], remembers: bool) -> None:
    """Created where there is none, else overwritten, however large the transaction may be; nothing is doubled or left dangling."""
    receiver, references = Receiver(**habits), References()
    for name in ("Doe", "Doe", "Roe"):
        outcome = receiver.takes(admission(name=name, conditions=4), references if remembers else None, **settings, **identity(habits))
        assert outcome.verdict is Verdict.SENT, outcome
        assert names(receiver) == [name] and len(receiver.of("Encounter")) == 1 and not receiver.dangling()
    assert len(receiver.of("Condition")) == 4 and len(receiver.of("Encounter")[0]["diagnosis"]) == 4


def test_what_others_made_is_overwritten_under_its_id() -> None:
    """A patient the receiver has already keeps the receiver's id; the criterion is never sent with an id in the body."""
    receiver = Receiver()
    receiver.takes(laboratory(1))
    (there,) = receiver.of("Patient")
    outcome = receiver.takes(admission())
    assert outcome.verdict is Verdict.SENT and [each["id"] for each in receiver.of("Patient")] == [there["id"]]
    assert b'"url":"Patient?' not in outcome.sent and names(receiver) == ["Doe"]


def test_what_is_known_is_read_and_not_searched_for() -> None:
    """The second message reads what it changes; only what is news is sent."""
    receiver, references = Receiver(), References()
    receiver.takes(admission(), references)
    receiver.requests.clear()
    outcome = receiver.takes(admission(name="Roe"), references)
    assert [(each.method, each.path.partition("/")[0]) for each in receiver.requests] == [("GET", "Patient"), ("GET", "Encounter"), ("POST", "")]
    assert names(receiver) == ["Roe"] and b'"PUT","url":"Encounter/' not in outcome.sent


def test_what_a_message_does_not_say_stays() -> None:
    """Elements it leaves out are the receiver's; identifiers and links are added to."""
    receiver, references = Receiver(), References()
    link = [{"type": "seealso", "other": {"reference": "Patient/other"}}]
    receiver.takes(admission(birthDate="1970-01-01", gender="male", deceasedBoolean=False), references)
    (patient,) = receiver.of("Patient")
    patient |= {"link": link, "identifier": [*patient["identifier"], {"system": "s", "value": "theirs"}], "telecom": [{"value": "1"}]}
    for remembered in (references, None):
        receiver.takes(admission(name="Roe", gender="female", deceasedDateTime="2024"), remembered)
        (patient,) = receiver.of("Patient")
        assert (patient["birthDate"], patient["gender"], patient["deceasedDateTime"]) == ("1970-01-01", "female", "2024")
        assert len(patient["identifier"]) == 2 and patient["link"] == link and "deceasedBoolean" not in patient


def test_what_is_no_longer_so_goes() -> None:
    """Elements the message says are no longer so are taken away, whatever the type of a choice; once."""
    receiver, references = Receiver(), References()
    receiver.takes(admission(birthDate="1970-01-01", deceasedBoolean=True, address=[{"city": "X"}]), references)
    removed = {f"urn:uuid:{uuid('patient')}": ("birthDate", "deceased")}
    for _ in range(2):
        receiver.requests.clear()
        assert receiver.takes(admission(conditions=0), references, removed=removed).verdict is Verdict.SENT
        (patient,) = receiver.of("Patient")
        assert "birthDate" not in patient and "deceasedBoolean" not in patient and patient["address"] == [{"city": "X"}]
    assert [each.method for each in receiver.requests] == ["GET", "GET"]


def test_where_nothing_changes_nothing_is_sent() -> None:
    """The same message again leaves the versions as they are."""
    receiver, references = Receiver(), References()
    bundle = admission(conditions=0)
    for _ in range(3):
        assert receiver.takes(bundle, references).verdict is Verdict.SENT
    assert [each.method for each in receiver.requests if each.path == ""] == ["POST"]


@pytest.mark.parametrize("settings", [{}, {"max_entries": 1}])
def test_somebody_who_writes_in_between_is_not_overwritten(settings: dict[str, Any]) -> None:
    """Then it is read again, and what both say stands."""
    receiver = Receiver()
    receiver.takes(admission())
    written: list[bool] = []

    def between(request: Request) -> None:
        if request.method in ("POST", "PUT") and not written:
            written.append(True)
            (patient,) = receiver.of("Patient")
            patient |= {"birthDate": "1970-01-01", "meta": {"versionId": "another"}}

    assert receiver.takes(admission(name="Roe"), between=between, **settings).verdict is Verdict.SENT
    assert names(receiver) == ["Roe"] and receiver.of("Patient")[0]["birthDate"] == "1970-01-01"


def test_two_where_there_should_be_one_is_held() -> None:
    """Nobody can say which one is meant."""
    receiver = Receiver()
    for id in ("1", "2"):
        receiver.resources[f"Patient/{id}"] = {**updated("Patient", "patient")["resource"], "id": id}
    outcome = receiver.takes(admission())
    assert (outcome.verdict, outcome.code) == (Verdict.HELD, "412") and not receiver.of("Condition")


def test_a_wrong_match_is_not_overwritten() -> None:
    """A server that finds somebody else is found out before anything is written."""
    receiver = Receiver()
    receiver.resources["Patient/9"] = {**updated("Patient", "other", name=[{"family": "Else"}])["resource"], "id": "9"}
    receiver.search = lambda path: [receiver.resources["Patient/9"]] if path.startswith("Patient") else []  # type: ignore[method-assign]
    outcome = receiver.takes(admission())
    assert (outcome.verdict, outcome.code) == (Verdict.HELD, "identifier_mismatch") and names(receiver) == ["Else"]


def test_what_was_deleted_is_made_again() -> None:
    """A reference learned earlier leads nowhere: forgotten, and the patient created."""
    receiver, references = Receiver(checks_references=True), References()
    receiver.takes(admission(), references)
    receiver.resources.clear()
    assert receiver.takes(laboratory(1), references).verdict is Verdict.SENT
    assert receiver.takes(admission(), references).verdict is Verdict.SENT
    assert len(receiver.of("Patient")) == 1 and not receiver.dangling()


def test_somebody_who_creates_in_between_is_overwritten_too() -> None:
    """Between the search and the transaction somebody else made the patient: found by the condition, then put."""
    receiver = Receiver()

    def between(request: Request) -> None:
        if request.method == "POST" and not receiver.of("Patient"):
            receiver.resources["Patient/x"] = {**updated("Patient", "patient", name=[{"family": "Else"}])["resource"], "id": "x"}

    assert receiver.takes(admission(), between=between).verdict is Verdict.SENT
    assert names(receiver) == ["Doe"] and [each["id"] for each in receiver.of("Patient")] == ["x"]


def test_two_who_point_at_each_other() -> None:
    """A merge: the survivor replaces, the old one is replaced; both unknown and created one by one, both links stand."""
    for settings in ({}, {"max_conditional": 0}):
        receiver = Receiver(checks_references=True)
        old = updated("Patient", "old", active=False, link=[{"type": "replaced-by", "other": to("new")}])
        new = updated("Patient", "new", link=[{"type": "replaces", "other": to("old")}])
        assert receiver.takes(transaction(new, old), **settings).verdict is Verdict.SENT
        assert not receiver.dangling() and all(each["link"] for each in receiver.of("Patient"))


def test_of_one_identity_the_update_counts() -> None:
    """A bundle that creates and updates the same patient: it is updated, and whoever points at either points at it."""
    first, second = shared("Patient", "patient"), updated("Patient", "patient", name=[{"family": "Doe"}])
    first["fullUrl"] = f"urn:uuid:{uuid('first')}"
    content = plan.sort(transaction(first, second))
    assert [(each.updates, each.urn) for each in content.shared] == [(True, second["fullUrl"])]
    assert content.same == {first["fullUrl"]: second["fullUrl"]}


@given(st.data())
def test_failures_anywhere_double_nothing(data: st.DataObject) -> None:
    """Whatever fails at whatever request, before or after it took effect: tried until it is sent, the last message stands."""
    habits = data.draw(st.sampled_from(HABITS))
    settings = data.draw(st.sampled_from([{}, {"max_entries": 3}, {"max_conditional": 0}]))
    receiver, references = Receiver(**habits), References()
    trouble = data.draw(st.lists(st.sampled_from(["none", "before", "after"]), max_size=12))
    real = receiver._answer

    def troubled(request: Request) -> Reply | Failure:
        kind = trouble.pop() if trouble else "none"
        if kind == "before":
            return Failure("connection_lost", "x")
        reply = real(request)
        return Failure("timeout", "x") if kind == "after" else reply

    receiver._answer = troubled  # type: ignore[method-assign]
    for name in ("Doe", "Roe"):
        for _ in range(20):
            remembered = references if data.draw(st.booleans()) else None
            outcome = receiver.takes(admission(name=name, conditions=3), remembered, **settings, **identity(habits))
            if outcome.verdict is Verdict.SENT:
                break
            assert outcome.verdict is Verdict.FAILING, outcome
    assert names(receiver) == ["Roe"] and not receiver.dangling()
    assert (len(receiver.of("Encounter")), len(receiver.of("Condition"))) == (1, 3)


def test_an_older_update_overwrites_nothing() -> None:
    """A late ADT: patient and its condition were told of later; only what is news is sent, pointing at what is there."""
    receiver = Receiver()
    receiver.takes(laboratory(1))  # the receiver has the patient under an id of its own
    newer, older = admission(name="New"), admission(name="Old")
    ids = {each["fullUrl"]: each["fullUrl"].removeprefix("urn:uuid:") for each in newer["entry"]}
    patient, visit, _, condition = ids.values()
    facts = [ReportFact(each, "", "2024-03-01T09:00:00.000000Z", 0, each, ()) for each in (patient, condition)]
    first = decide(facts, {}, "unknown", order=5)
    receiver.takes(apply(newer, Part(), first))
    late = [replace(each, time="2024-03-01T08:00:00.000000Z") for each in (*facts, replace(facts[0], key=visit, report=visit))]
    decision = decide(late, {each.key: each for each in first.rows}, "unknown", order=9)
    assert decision.send and decision.superseded == (patient, condition)
    older["entry"][3]["resource"]["code"] = {"text": "older"}
    outcome = receiver.takes(apply(older, Part(), decision))
    assert outcome.verdict is Verdict.SENT and names(receiver) == ["New"] and not receiver.dangling()
    assert "code" not in receiver.of("Condition")[0] and len(receiver.of("Encounter")) == 1
    assert not decide(late[:2], {each.key: each for each in first.rows}, "unknown", order=9).send
    assert decide(late, {each.key: each for each in first.rows}, "unknown", order=9, force=True).superseded == ()

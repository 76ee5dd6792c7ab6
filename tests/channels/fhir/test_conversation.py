"""Deliveries to FHIR servers with the habits of real ones; what must be there afterwards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.fhir.conversation import Request
from channels.fhir.references import References
from channels.http.answer import Failure, Reply
from channels.message import Verdict
from tests.channels.fhir.bundles import context, laboratory, observation, owned, report, shared, to, transaction, uuid
from tests.channels.fhir.receiver import Receiver
from transforms.document import Part
from transforms.fhir.register import Decision, apply
from transforms.fhir.serialization import dumps

HABITS: list[dict[str, Any]] = [
    {},
    {"says_entries": False},
    {"says_resources": True},
    {"most_if_conditional": 8, "most_updates": 50},  # Medplum
    {"checks_references": True},  # HAPI
    {"checks_references": True, "create_on_update": False},
]


def counts(receiver: Receiver) -> dict[str, int]:
    types = ("Patient", "Practitioner", "ServiceRequest", "DiagnosticReport", "Observation")
    return {each: len(receiver.of(each)) for each in types if receiver.of(each)}


def identity(habits: dict[str, Any]) -> dict[str, Any]:
    return {"conditional": True} if habits.get("create_on_update") is False else {}


@pytest.mark.parametrize("habits", HABITS)
@pytest.mark.parametrize("results", [3, 12, 70])
@pytest.mark.parametrize("remembers", [True, False])
def test_sent_twice_it_stands_once(habits: dict[str, Any], results: int, remembers: bool) -> None:
    """Whatever the server's habits, a report of any size arrives whole, and a resend doubles nothing."""
    receiver, references = Receiver(**habits), References()
    for _ in range(2):
        outcome = receiver.takes(laboratory(results), references if remembers else None, max_entries=50, **identity(habits))
        assert outcome.verdict is Verdict.SENT, outcome
        assert counts(receiver) == {"Patient": 1, "Practitioner": 1, "ServiceRequest": 1, "DiagnosticReport": 1, "Observation": results}
        assert not receiver.dangling()
    assert len(receiver.of("DiagnosticReport")[0]["result"]) == results


@pytest.mark.parametrize("habits", HABITS)
def test_a_correction_replaces_the_result(habits: dict[str, Any]) -> None:
    """The same results with other values change what is there."""
    receiver, references = Receiver(**habits), References()
    for value in ("98.50", "89.5"):
        assert receiver.takes(laboratory(12, value=value), references, **identity(habits)).verdict is Verdict.SENT
    assert {each["valueQuantity"]["value"] for each in receiver.of("Observation")} == {Decimal("89.5")}


def test_what_is_known_is_not_sent_again() -> None:
    """A second report of a known patient carries literal references and no entry for the patient."""
    receiver, references = Receiver(), References()
    first = receiver.takes(laboratory(2), references)
    assert set(first.learned.values()) == {"Patient/s1", "Practitioner/s2", "ServiceRequest/s3"}
    second = receiver.takes(laboratory(2, name="another"), references)
    assert list(second.learned.values()) == ["ServiceRequest/s7"]
    assert b'"ifNoneExist":"identifier=https%3A%2F%2Fsite.example%2FPatient' not in second.sent and b'"Patient/s1"' in second.sent


def test_more_conditions_than_allowed_are_created_ahead() -> None:
    """With nine unknown shared resources and eight allowed, none is conditional inside the transaction."""
    receiver = Receiver(most_if_conditional=8)
    doctors = [shared("Practitioner", f"doctor {number}") for number in range(9)]
    named = [observation(f"o{number}", performer=[to(f"doctor {number}")]) for number in range(9)]
    outcome = receiver.takes(transaction(*context(), *doctors, *named))
    assert outcome.verdict is Verdict.SENT and b"ifNoneExist" not in outcome.sent
    assert len(receiver.of("Practitioner")) == 10 and not receiver.dangling()


def test_a_server_that_wants_small_conditional_transactions_is_asked_once() -> None:
    """Refused for its conditions, a transaction goes without them; the next one of that size does so at once."""
    receiver, references = Receiver(most_if_conditional=8), References()
    receiver.takes(laboratory(12), references)
    tried = [request for request in receiver.requests if not request.path]
    assert len(tried) == 2
    receiver.takes(laboratory(12, patient="two", name="another"), references)
    assert len([request for request in receiver.requests if not request.path]) == 3
    receiver.takes(laboratory(2, patient="three", name="small"), references)
    assert b"ifNoneExist" in receiver.requests[-1].body, "a small one may be conditional"


def test_refused_content_stays_refused() -> None:
    """A message the server will not have is refused, with its OperationOutcome, after at most two tries; nothing is half there."""
    receiver = Receiver(checks_references=True)
    outcome = receiver.takes(transaction(*context(), observation("a", encounter={"reference": "Encounter/none"})))
    assert (outcome.verdict, outcome.code) == (Verdict.REFUSED, "422")
    assert b"OperationOutcome" in outcome.response and "not-found" in outcome.reason
    assert not receiver.of("Observation")


def test_two_where_there_should_be_one_is_held() -> None:
    """A criterion that matches two patients is for a person."""
    receiver = Receiver()
    for id in ("1", "2"):
        receiver.resources[f"Patient/{id}"] = {**context()[0]["resource"], "id": id}
    outcome = receiver.takes(laboratory())
    assert (outcome.verdict, outcome.code) == (Verdict.HELD, "412") and not receiver.of("Observation")


@pytest.mark.parametrize("says_resources", [True, False])
def test_a_wrong_match_is_noticed(says_resources: bool) -> None:
    """A server that matches another identifier than asked for is found out, and its reference not learned."""
    receiver, references = Receiver(says_resources=says_resources), References()
    patient = context()[0]
    receiver.resources["Patient/9"] = {**patient["resource"], "id": "9"}
    receiver.search = lambda path: [receiver.resources["Patient/9"]] if path.startswith("Patient") else []  # type: ignore[method-assign]
    receiver.resources["Patient/9"]["identifier"] = [{"system": "https://site.example/Patient", "value": "patient2"}]
    outcome = receiver.takes(laboratory(), references)
    assert (outcome.verdict, outcome.code) == (Verdict.HELD, "identifier_mismatch")
    assert references.get(f"Patient?{patient['request']['ifNoneExist']}") is None


def test_a_delicate_number_is_matched_before_anything_points_at_it() -> None:
    """A number with escaped characters is asked for ahead: a server that misreads it has not been sent results of somebody else."""
    receiver = Receiver()
    bundle = laboratory()
    patient = bundle["entry"][0]
    patient["resource"]["identifier"][0]["value"] = "A|1"
    patient["request"]["ifNoneExist"] = "identifier=https%3A%2F%2Fsite.example%2FPatient%7CA%5C%7C1"
    receiver.resources["Patient/9"] = {
        "resourceType": "Patient",
        "id": "9",
        "identifier": [{"system": "https://site.example/Patient", "value": "A"}],
    }
    receiver.search = lambda path: [receiver.resources["Patient/9"]] if path.startswith("Patient") else []  # type: ignore[method-assign]
    outcome = receiver.takes(bundle)
    assert (outcome.verdict, outcome.code) == (Verdict.HELD, "identifier_mismatch") and not receiver.of("Observation")


def test_a_match_is_verified_once() -> None:
    """An existing patient is read once; what the store remembers of it needs no reading."""
    receiver = Receiver()
    receiver.takes(laboratory())
    learned = receiver.takes(laboratory()).learned
    assert len([request for request in receiver.requests if request.method == "GET"]) == 3
    receiver.recalled, receiver.requests = dict(learned), []
    receiver.takes(laboratory())
    assert [request.method for request in receiver.requests] == ["POST"]


def test_a_receiver_that_was_emptied_is_told_again() -> None:
    """References learned before it was emptied are forgotten when they lead nowhere, and everything is created anew."""
    receiver, references = Receiver(checks_references=True), References()
    receiver.takes(laboratory(), references)
    receiver.resources.clear()
    outcome = receiver.takes(laboratory(name="another"), references)
    assert outcome.verdict is Verdict.SENT and not receiver.dangling()
    assert len(receiver.of("Patient")) == 1 and all(outcome.learned.values())


@pytest.mark.parametrize(
    ("answer", "verdict", "code"),
    [
        (Failure("timeout", "no answer came in time"), Verdict.FAILING, "timeout"),
        (Reply(503, {"retry-after": "30"}, b""), Verdict.FAILING, "503"),
        (Reply(401), Verdict.FAILING, "401"),
        (Reply(500), Verdict.COUNTED, "500"),
        (Reply(409), Verdict.COUNTED, "409"),
        (Reply(302, {"location": "http://elsewhere.example"}), Verdict.FAILING, "302"),
    ],
)
def test_what_is_not_the_messages_fault(answer: Reply | Failure, verdict: Verdict, code: str) -> None:
    """A failing receiver gives a verdict at once, and the next attempt goes through."""
    receiver, references = Receiver(fails=[answer]), References()
    outcome = receiver.takes(laboratory(), references)
    assert (outcome.verdict, outcome.code, len(receiver.requests)) == (verdict, code, 1)
    assert outcome.sent and outcome.retry_after == (30.0 if code == "503" else 0.0)
    assert receiver.takes(laboratory(), references).verdict is Verdict.SENT


def test_no_create_on_update_pauses_and_says_so() -> None:
    """A server that refuses ids we give is misconfigured or wants `identity: conditional`: no message's fault."""
    outcome = Receiver(create_on_update=False).takes(laboratory())
    assert (outcome.verdict, outcome.code) == (Verdict.FAILING, "405") and "under ids that we give" in outcome.reason


def test_a_transaction_taken_in_part_is_as_bad_as_its_worst_entry() -> None:
    """A server that answers 200 and refuses an entry has not taken the message."""
    receiver = Receiver()
    body = b'{"resourceType":"Bundle","type":"batch-response","entry":[%b]}' % b",".join(
        [b'{"response":{"status":"%b"}}' % status for status in (b"200", b"422 No")]
    )
    receiver.fails = [Reply(200, {}, body)]
    outcome = receiver.takes(transaction(observation("a"), observation("b")))
    assert (outcome.verdict, outcome.code) == (Verdict.REFUSED, "422")


# --- identity: conditional


def test_conditional_identity_never_gives_an_id() -> None:
    """Few enough: conditional updates without ids.  Too many: found first, then updated or created."""
    receiver, references = Receiver(create_on_update=False), References()
    assert receiver.takes(laboratory(3), references, conditional=True).verdict is Verdict.SENT
    assert b'"PUT","url":"Observation?identifier=https%3A%2F%2Fsite.example%2Fresult-key%7C' in receiver.requests[0].body
    receiver.requests.clear()
    assert receiver.takes(laboratory(12, name="many"), None, conditional=True).verdict is Verdict.SENT
    assert [request.method for request in receiver.requests if request.path.startswith(("Obs", "Diag"))] == ["GET", "GET"]
    assert all(each["identifier"][-1]["system"] == "https://site.example/result-key" for each in receiver.of("Observation"))


def test_what_has_no_identifiers_goes_only_by_id() -> None:
    """Of R4's making: the Binary's data moves to where it was pointed at, Provenance and MessageHeader are left out."""
    binary = owned("Binary", "pdf", contentType="application/pdf", data="JVBERg==")
    document = owned(
        "DocumentReference", "doc", status="current", content=[{"attachment": {"url": f"urn:uuid:{uuid('pdf')}", "title": "x"}}]
    )
    provenance = owned("Provenance", "prov", target=[to("doc")], recorded="2024-01-01T00:00:00Z", agent=[{"who": {"display": "x"}}])
    header = owned("MessageHeader", "header", eventCoding={"code": "A01"}, source={"endpoint": "urn:x"}, focus=[to("doc")])
    bundle = transaction(document, binary, provenance, header)
    receiver = Receiver(create_on_update=False)
    assert receiver.takes(bundle, conditional=True).verdict is Verdict.SENT
    assert [name.partition("/")[0] for name in receiver.resources] == ["DocumentReference"]
    attachment = receiver.of("DocumentReference")[0]["content"][0]["attachment"]
    assert attachment == {"title": "x", "contentType": "application/pdf", "data": "JVBERg=="}
    by_id = Receiver()
    by_id.takes(bundle)
    assert len(by_id.resources) == 4


# --- what the register decided


def marked(bundle: dict[str, Any], **decision: Any) -> dict[str, Any]:
    return apply(bundle, Part(), Decision(**decision))


@pytest.mark.parametrize("habits", HABITS[1:])
def test_absent_results_are_marked_where_they_are(habits: dict[str, Any]) -> None:
    """Entered-in-error keeps everything else as the receiver has it, and is written only if nobody wrote in between."""
    receiver = Receiver(**habits)
    receiver.takes(laboratory(3), **identity(habits))
    smaller = marked(laboratory(2), retired=(uuid("report result 2"),))
    for _ in range(2):
        assert receiver.takes(smaller, **identity(habits)).verdict is Verdict.SENT
    found = {each["code"]["text"]: each for each in receiver.of("Observation")}
    assert found["report result 2"]["status"] == "entered-in-error"
    assert found["report result 2"]["valueQuantity"]["value"] == Decimal("98.50")
    assert found["report result 1"]["status"] == "final" and len(receiver.of("DiagnosticReport")[0]["result"]) == 2


def test_somebody_who_writes_in_between_is_not_overwritten() -> None:
    """Then the attempt counts, and the next one reads again."""
    receiver = Receiver()
    receiver.takes(laboratory(2))
    name = f"Observation/{uuid('report result 1')}"

    def between(request: Request) -> None:
        if request.method == "POST":
            receiver.resources[name]["meta"] = {"versionId": "someone else's"}

    smaller = marked(laboratory(1), retired=(uuid("report result 1"),))
    outcome = receiver.takes(smaller, between=between)
    assert (outcome.verdict, outcome.code) == (Verdict.COUNTED, "412") and receiver.resources[name]["status"] == "final"
    assert receiver.takes(smaller).verdict is Verdict.SENT and receiver.resources[name]["status"] == "entered-in-error"


def test_a_status_without_its_result_is_held() -> None:
    """Only the status came of something the receiver does not have; what is absent cannot be in error."""
    bundle = laboratory(1)
    status = marked(bundle, status_only=frozenset({uuid("report result 0")}))
    assert Receiver().takes(status).verdict is Verdict.HELD
    assert Receiver().takes(marked(bundle, retired=(uuid("never sent"),))).verdict is Verdict.SENT


@pytest.mark.parametrize("habits", HABITS[3:])
def test_earlier_results_stay_listed(habits: dict[str, Any]) -> None:
    """A partial message lists what the receiver has from before, under the receiver's own ids."""
    receiver = Receiver(**habits)
    receiver.takes(laboratory(2), **identity(habits))
    partial = transaction(*context(order="order of report"), report("report", ["new"], order="order of report"), observation("new"))
    earlier = (uuid("report result 0"), uuid("report result 1"))
    assert receiver.takes(marked(partial, listed={uuid("report"): earlier}), **identity(habits)).verdict is Verdict.SENT
    assert len(receiver.of("DiagnosticReport")[0]["result"]) == 3 and not receiver.dangling()


def test_nothing_left_to_send_is_sent() -> None:
    """A bundle whose every change is there already needs no request."""
    outcome = Receiver().takes(transaction())
    assert outcome.verdict is Verdict.SENT and outcome.reason


def test_a_resource_without_a_bundle() -> None:
    """A single resource is put under its id, or created."""
    receiver = Receiver()
    assert receiver.takes({"resourceType": "Observation", "id": "1", "status": "final"}).verdict is Verdict.SENT
    assert receiver.takes({"resourceType": "Patient"}).verdict is Verdict.SENT
    assert list(receiver.resources) == ["Observation/1", "Patient/s2"]


@given(st.data())
def test_failures_anywhere_double_nothing(data: st.DataObject) -> None:
    """Whatever fails at whatever request, before or after it took effect: tried until it is sent, everything stands once."""
    habits = data.draw(st.sampled_from(HABITS))
    receiver, references = Receiver(**habits), References()
    bundles = [
        laboratory(results, name=f"report {n}")
        for n, results in enumerate(data.draw(st.lists(st.sampled_from([1, 9]), min_size=1, max_size=3)))
    ]
    trouble = data.draw(st.lists(st.sampled_from(["none", "before", "after"]), max_size=12))
    real = receiver._answer

    def troubled(request: Request) -> Any:
        kind = trouble.pop() if trouble else "none"
        if kind == "before":
            return Failure("connection_lost", "x")
        reply = real(request)
        return Failure("timeout", "x") if kind == "after" else reply

    receiver._answer = troubled  # type: ignore[method-assign]
    for bundle in bundles:
        for _ in range(20):
            outcome = receiver.takes(bundle, references if data.draw(st.booleans()) else None, **identity(habits))
            if outcome.verdict is Verdict.SENT:
                break
            assert outcome.verdict is Verdict.FAILING, outcome
    assert not receiver.dangling()
    found = counts(receiver)
    assert (found["Patient"], found["Practitioner"], found["DiagnosticReport"]) == (1, 1, len(bundles))
    assert found["Observation"] == sum(len(bundle["entry"]) - 4 for bundle in bundles)


@pytest.mark.parametrize("body", [b"MSH|", None, [], {}, {"resourceType": "Bundle", "entry": [{"resource": {}}]}])
def test_what_cannot_be_sent_is_refused(body: Any) -> None:
    """A document that is no FHIR, or a bundle that does not say how, is the message's fault, not an exception."""
    receiver = Receiver()
    assert receiver.takes(body).verdict is Verdict.REFUSED and not receiver.requests


words = st.sampled_from(
    ["Bundle", "Patient", "Observation", "201", "Patient/1", "https://site.example/result-key", uuid("report result 0"), ""]
)
names = st.sampled_from(
    ["resourceType", "entry", "response", "status", "location", "resource", "identifier", "system", "value", "id", "meta"]
)
strange = st.recursive(
    st.none() | st.integers() | words, lambda below: st.lists(below, max_size=4) | st.dictionaries(names, below, max_size=4), max_leaves=12
)


@given(
    st.lists(st.tuples(st.sampled_from([200, 201, 204, 400, 404, 412, 500]), strange), max_size=12), st.booleans(), st.sampled_from([3, 12])
)
def test_whatever_a_receiver_says_there_is_an_outcome(said: list[tuple[int, Any]], conditional: bool, results: int) -> None:
    """Answers of any content, at any point: never an exception."""
    receiver = Receiver(create_on_update=not conditional)
    receiver.takes(laboratory(results), conditional=conditional)
    receiver.fails = [Reply(status, {}, dumps(body)) for status, body in said]
    smaller = marked(laboratory(results - 1), retired=(uuid(f"report result {results - 1}"),))
    outcome = receiver.takes(smaller, conditional=conditional, max_entries=5)
    assert isinstance(outcome.verdict, Verdict)

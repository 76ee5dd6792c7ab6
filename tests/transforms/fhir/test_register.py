"""What a report may still do at a receiver that was told of it before (rules 2 to 4)."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.document import Part, ReportFact
from transforms.fhir.register import EMPTY, Decision, Row, apply, decide
from transforms.fhir.validation import validate

EARLIER, LATER = "2024-03-01T08:00:00.000000Z", "2024-03-01T09:00:00.000000Z"
PRELIMINARY, FINAL, CORRECTED = 1, 2, 3


def uuid(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


A, B, C, REPORT, OTHER_REPORT, PATIENT, SPECIMEN = map(uuid, ("a", "b", "c", "report", "other report", "patient", "specimen"))


def fact(*observations: str, time: str = EARLIER, rank: int = FINAL, patient: str = "one", report: str = REPORT, **more: Any) -> ReportFact:
    return ReportFact("key of " + report, patient, time, rank, report, observations, **more)


def row(*observations: str, time: str = EARLIER, rank: int = FINAL, patient: str = "one", order: int = 5, report: str = REPORT) -> Row:
    return Row("key of " + report, patient, time, rank, order, report, observations)


def decided(given: ReportFact, known: Row | None, mode: str = "unknown", order: int = 9, force: bool = False) -> Decision:
    return decide([given], {known.key: known} if known else {}, mode, order=order, force=force)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "known", "order", "sent"),
    [
        pytest.param(fact(A), None, 1, True, id="nothing known"),
        pytest.param(fact(A, time=LATER), row(A), 9, True, id="newer"),
        pytest.param(fact(A), row(A, time=LATER), 9, False, id="older, though it came later"),
        pytest.param(fact(A), row(A), 9, True, id="equal time: the one received later"),
        pytest.param(fact(A), row(A), 3, False, id="equal time, a replay of what came before"),
        pytest.param(fact(A), row(A), 5, True, id="the very message again"),
        pytest.param(fact(A, rank=PRELIMINARY), row(A), 9, False, id="a late preliminary of equal time"),
        pytest.param(fact(A, rank=PRELIMINARY, time=LATER), row(A), 9, True, id="a preliminary with a later time: the report was reopened"),
        pytest.param(fact(A, rank=CORRECTED), row(A), 3, True, id="equal time, higher rank"),
        pytest.param(fact(A, time=""), row(A), 9, True, id="no time: order of receipt"),
        pytest.param(fact(A, time="", rank=PRELIMINARY), row(A), 9, False, id="no time: rank"),
        pytest.param(fact(A), row(A, time=""), 3, False, id="no time in the row: order of receipt"),
    ],
)
def test_older_is_superseded(given: ReportFact, known: Row | None, order: int, sent: bool) -> None:
    """What is older than what the receiver was told is not sent; equal time is settled by rank, then by order of receipt."""
    decision = decided(given, known, order=order)
    assert decision.send is sent
    assert decision.superseded == (() if sent else (REPORT,))
    assert bool(decision.rows) is sent


def test_force_overwrites_what_is_newer() -> None:
    """A replay that a person forces is sent, and the register then says what was sent."""
    decision = decided(fact(A), row(A, time=LATER, rank=CORRECTED), force=True, order=2)
    assert decision.send
    assert decision.rows == (row(A, order=2),)


@pytest.mark.parametrize("force", [False, True])
def test_a_number_used_again_is_held(force: bool) -> None:
    """A known report of another patient is held, whatever its time, forced or not."""
    decision = decided(fact(A, time=LATER, patient="two"), row(A), force=force)
    assert (decision.send, decision.hold, decision.rows) == (False, "identity_conflict", ())


def test_a_final_result_that_lost_its_value_is_held() -> None:
    """OBX-5 empty with F over a known value is held; over one that never had a value it is not; a person may force it."""
    assert decided(fact(A, B, emptied=(B,)), row(A, B)).hold == "emptied"
    assert not decided(fact(A, B, emptied=(B,)), row(A, B + EMPTY)).hold
    assert not decided(fact(A, B, emptied=(B,)), row(A)).hold
    assert decided(fact(A, B, emptied=(B,)), row(A, B), force=True).send
    given, known = fact(A, B, emptied=(B,)), row(A, B)
    assert decide([given], {known.key: known}, "unknown", order=9, as_it_is=True).send  # type: ignore[dict-item]


def test_the_register_remembers_who_has_no_value() -> None:
    """What was sent empty may be sent empty again, also after its status alone changed."""
    first = decided(fact(A, B, emptied=(B,)), None).rows[0]
    assert first.observations == (A, B + EMPTY)
    second = decided(fact(A, B, status_only=(B,)), first).rows[0]
    assert second.observations == (A, B + EMPTY)


def test_modes_say_what_absence_means() -> None:
    """Snapshot: absent is entered-in-error.  Delta and unknown: the report goes on listing it; unknown warns."""
    snapshot, delta, unknown = (decided(fact(B, C, time=LATER), row(A, B), mode) for mode in ("snapshot", "delta", "unknown"))
    assert (snapshot.retired, snapshot.listed, snapshot.rows[0].observations) == ((A,), {}, (B, C))
    assert (delta.retired, delta.listed, delta.rows[0].observations) == ((), {REPORT: (A,)}, (A, B, C))
    assert unknown.listed == delta.listed
    assert [note.code for note in unknown.notes] == ["results_missing"] and not delta.notes


@pytest.mark.parametrize("mode", ["snapshot", "delta", "unknown"])
def test_a_cancelled_report_without_results_leaves_the_earlier_ones(mode: str) -> None:
    """OBR-25 X without OBX: earlier Observations are untouched, and listed."""
    decision = decided(fact(time=LATER, rank=4), row(A, B), mode)
    assert decision.retired == () and decision.listed == {REPORT: (A, B)} and not decision.notes
    assert decision.rows[0].observations == (A, B)


def test_one_report_of_two_may_be_old() -> None:
    """Of a message with several reports only the old ones are left out, with their results."""
    old, new = fact(A, report=REPORT), fact(B, report=OTHER_REPORT)
    decision = decide([old, new], {old.key: row(A, C, time=LATER)}, "delta", order=9)
    assert decision.send and decision.superseded == (REPORT,) and decision.left_out == {REPORT, A}
    assert [each.report for each in decision.rows] == [OTHER_REPORT]


def test_a_message_without_reports_is_sent() -> None:
    """What reports nothing (an admission) is none of the register's business."""
    assert decide([], {}, "unknown", order=1) == Decision()


# --- the bundle


def resource(type_name: str, id: str, **elements: Any) -> dict[str, Any]:
    return {
        "fullUrl": f"urn:uuid:{id}",
        "resource": {"resourceType": type_name, "id": id, **elements},
        "request": {"method": "PUT", "url": f"{type_name}/{id}"},
    }


def to(id: str) -> dict[str, str]:
    return {"reference": f"urn:uuid:{id}"}


def observation(id: str, **elements: Any) -> dict[str, Any]:
    return resource("Observation", id, **{"status": "final", "code": {"text": "x"}, "subject": to(PATIENT), **elements})


def report(id: str, *results: str, **elements: Any) -> dict[str, Any]:
    return resource(
        "DiagnosticReport",
        id,
        **{"status": "final", "code": {"text": "x"}, "subject": to(PATIENT), "result": [to(r) for r in results], **elements},
    )


def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
    patient = {"fullUrl": f"urn:uuid:{PATIENT}", "resource": {"resourceType": "Patient", "active": True}}
    patient["request"] = {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=x%7C1"}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [patient, *entries]}


def shown(applied: dict[str, Any]) -> list[str]:
    return [f"{entry['request']['method']} {entry['request']['url']}" for entry in applied["entry"]]


def test_nothing_to_change_leaves_the_bundle_itself() -> None:
    """On the straight way not even a copy is made."""
    whole = bundle(report(REPORT, A), observation(A))
    assert apply(whole, Part(), decided(fact(A), None)) is whole


def test_a_part_is_its_entries() -> None:
    """A part that is one patient's gives a bundle of that patient's entries."""
    whole = bundle(report(REPORT, A), observation(A), observation(B))
    assert shown(apply(whole, Part(entries=(0, 1, 2)), Decision())) == [
        "POST Patient",
        f"PUT DiagnosticReport/{REPORT}",
        f"PUT Observation/{A}",
    ]


def test_absent_results_are_marked_and_earlier_ones_listed() -> None:
    """Entered-in-error is a patch of the status alone; what is listed on is named literally; both are valid FHIR."""
    whole = bundle(report(REPORT, B), observation(B))
    marked = apply(whole, Part(), decided(fact(B), row(A, B), "snapshot"))
    assert shown(marked)[-1] == f"PATCH Observation/{A}" and not validate(marked)
    listed = apply(whole, Part(), decided(fact(B), row(A, B), "delta"))
    assert listed["entry"][1]["resource"]["result"] == [{"reference": f"Observation/{A}"}, to(B)] and not validate(listed)
    assert whole["entry"][1]["resource"]["result"] == [to(B)], "the message's own bundle is not touched"


def test_status_only_touches_nothing_else() -> None:
    """OBX-11 U of a known result becomes a patch that the report's reference still leads to; of an unknown one it stays whole."""
    whole = bundle(report(REPORT, A, B), observation(A), observation(B, status="final"))
    applied = apply(whole, Part(), decided(fact(A, B, status_only=(A, B)), row(B)))
    assert shown(applied)[2:] == [f"PUT Observation/{A}", f"PATCH Observation/{B}"]
    assert not validate(applied)


def test_superseded_reports_take_along_what_only_they_used() -> None:
    """A specimen of a superseded report goes too; what others point at stays, and is pointed at literally where it went."""
    whole = bundle(
        report(REPORT, A, specimen=[to(SPECIMEN)]),
        observation(A, specimen=to(SPECIMEN)),
        resource("Specimen", SPECIMEN, subject=to(PATIENT)),
        report(OTHER_REPORT, B),
        observation(B, derivedFrom=[to(A)]),
        resource("Provenance", C, target=[to(A), to(B)], recorded="2024-03-01T08:00:00Z", agent=[{"who": {"display": "laboratory"}}]),
    )
    facts = [fact(A), fact(B, report=OTHER_REPORT)]
    applied = apply(whole, Part(), decide(facts, {facts[0].key: row(A, time=LATER)}, "delta", order=9))
    assert shown(applied) == ["POST Patient", f"PUT DiagnosticReport/{OTHER_REPORT}", f"PUT Observation/{B}", f"PUT Provenance/{C}"]
    assert applied["entry"][2]["resource"]["derivedFrom"] == [{"reference": f"Observation/{A}"}]
    assert applied["entry"][3]["resource"]["target"] == [to(B)]
    assert not validate(applied)


# --- any order of arrival


@given(st.data())
def test_whatever_the_order_the_newest_version_stands_last(data: st.DataObject) -> None:
    """Versions that come in any order, twice, replayed late: the receiver ends with the newest, and with its register's word for it."""
    timed = data.draw(st.booleans())
    moment = st.sampled_from([EARLIER, LATER, "2024-03-01T10:00:00.000000Z"]) if timed else st.just("")
    versions = data.draw(st.lists(st.tuples(moment, st.integers(1, 3)), min_size=1, max_size=6))  # in order of receipt
    replays = data.draw(st.lists(st.integers(0, len(versions) - 1), max_size=8))
    at_receiver, known = -1, None
    for received in [*range(len(versions)), *replays]:
        time, rank = versions[received]
        decision = decided(fact(A, time=time, rank=rank), known, order=received)
        if decision.send:
            at_receiver, known = received, decision.rows[0]
    assert at_receiver == max(range(len(versions)), key=lambda index: (*versions[index], index))


@given(st.lists(st.sets(st.sampled_from([A, B, C])), min_size=1, max_size=6), st.sampled_from(["snapshot", "delta", "unknown"]))
def test_no_result_is_forgotten(messages: list[set[str]], mode: str) -> None:
    """After any messages about a report, each result ever sent is either still listed or was marked entered-in-error."""
    known, listed, retired = None, set(), set()
    for order, observations in enumerate(messages):
        decision = decided(fact(*sorted(observations)), known, mode, order=order)
        known = decision.rows[0]
        retired = (retired | set(decision.retired)) - observations
        listed = observations | set(decision.listed.get(REPORT, ()))
        assert set(known.observations) == listed
        assert listed | retired == set().union(*messages[: order + 1])

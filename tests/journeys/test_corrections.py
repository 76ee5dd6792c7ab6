"""Corrections through the whole engine: MLLP in, a FHIR server nobody here wrote out.  The receiver ends with what rules 2 to 4 and 8 say.

P, F, C and W of one result; what comes late, again, emptied or shortened; patients and large
bundles are test_patients.py's.  Every case asks the server by identifier, and counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.cases import BASE, GLUCOSE, POTASSIUM, SODIUM, Case, delivery, header, obr, obx, pid
from tests.journeys.engine_process import Channel, EngineProcess, Line, code, laboratory
from tests.journeys.fhir_server import FhirServer

pytestmark = pytest.mark.journey

MODES = ("unknown", "delta", "snapshot")
EITHER = pytest.mark.parametrize("channel", ["unknown", "conditional"])  # identity: put_by_id, conditional


def channels(url: str) -> Iterator[Channel]:
    """One a report mode, and two that find everything by identifier."""
    for mode in MODES:
        yield laboratory(url, channel=mode, report_mode=mode)
    yield laboratory(url, channel="conditional", fhir={"identity": "conditional"})
    yield laboratory(url, channel="conditional_snapshot", report_mode="snapshot", fhir={"identity": "conditional"})


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with FhirServer() as running:
        yield running


@pytest.fixture(scope="module")
def engine(server: FhirServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with EngineProcess(tmp_path_factory.mktemp("engine"), *channels(server.url)) as running:
        yield running


@pytest.fixture
def case(engine: EngineProcess, server: FhirServer) -> Case:
    return Case(engine, server)


# --- a result's life


@EITHER
def test_preliminary_final_corrected_withdrawn(engine: EngineProcess, server: FhirServer, channel: str) -> None:
    """One Observation all the way; a withdrawn result is marked, never deleted, and its neighbour is untouched."""
    case = Case(engine, server, channel)
    case.send(obx(GLUCOSE, "95", "P"), obx(SODIUM, "140", "P"), at="0800", status="P")
    assert case.results() == {GLUCOSE: ("preliminary", 95), SODIUM: ("preliminary", 140)}
    assert case.report()["status"] == "preliminary"
    case.send(obx(GLUCOSE, "96"), obx(SODIUM, "140"), at="0900")
    assert case.results() == {GLUCOSE: ("final", 96), SODIUM: ("final", 140)}
    assert case.report()["status"] == "final"
    case.send(obx(GLUCOSE, "59", "C"), obx(SODIUM, "140"), at="1000", status="C")
    assert case.results() == {GLUCOSE: ("corrected", 59), SODIUM: ("final", 140)}
    assert case.report()["status"] == "corrected"
    case.send(obx(GLUCOSE, "59", "W"), obx(SODIUM, "140"), at="1100", status="C")
    assert {test: status for test, (status, _) in case.results().items()} == {GLUCOSE: "entered-in-error", SODIUM: "final"}
    assert case.listed() == {GLUCOSE, SODIUM}


@pytest.mark.parametrize("status", ["D", "W"])
def test_withdrawn_without_a_value(case: Case, status: str) -> None:
    """D and W need not repeat the value; the Observation is marked, and the server keeps its history."""
    case.send(obx(GLUCOSE, "95"))
    assert case.send(obx(GLUCOSE, "", status), at="0900", status="C")["status"] == "sent"
    assert case.results()[GLUCOSE][0] == "entered-in-error"


def test_a_late_preliminary_is_superseded(case: Case) -> None:
    """An older OBR-22 after a newer one changes nothing at the receiver."""
    case.send(obx(GLUCOSE, "96"), at="0900")
    late = case.send(obx(GLUCOSE, "95", "P"), obx(SODIUM, "141", "P"), at="0800", status="P")
    assert delivery(late)[0] == "superseded"
    assert case.results() == {GLUCOSE: ("final", 96)}
    assert case.report()["status"] == "final"


def test_of_two_reported_at_the_same_time_the_higher_status_stays(case: Case) -> None:
    """Equal times: a preliminary does not undo a final, whichever came first."""
    case.send(obx(GLUCOSE, "96"), at="0900")
    assert delivery(case.send(obx(GLUCOSE, "95", "P"), at="0900", status="P"))[0] == "superseded"
    assert case.results() == {GLUCOSE: ("final", 96)}


def test_without_a_time_of_report_that_of_the_message_counts(case: Case) -> None:
    """No OBR-22: MSH-7 orders them."""
    case.send(obx(GLUCOSE, "96"), at="")
    late = case.message(obx(GLUCOSE, "95", "P"), at="", status="P").replace(b"|20260304120000|", b"|20260304110000|")
    assert delivery(case.deliver(late))[0] == "superseded"
    assert case.results() == {GLUCOSE: ("final", 96)}


# --- again


def test_a_replay_does_not_undo_a_correction(case: Case) -> None:
    """`flue replay` of an old final after its correction is superseded, however often; `--force` sends it, a correction corrects that."""
    old = case.send(obx(GLUCOSE, "96"), at="0900")
    case.send(obx(GLUCOSE, "59", "C"), at="1000", status="C")
    for _ in range(2):
        done = case.engine.flue("replay", "--id", str(old["id"]))
        assert done.returncode == 0, done.stderr
        case.engine.settled()
        replayed = case.engine.latest(old["control_id"])
        assert replayed["replay_of"] == old["id"] and delivery(replayed)[0] == "superseded"
        assert case.results() == {GLUCOSE: ("corrected", 59)}
    assert case.engine.flue("replay", "--id", str(old["id"]), "--force").returncode == 0
    case.engine.settled()
    assert delivery(case.engine.latest(old["control_id"]))[0] == "sent"
    assert case.results() == {GLUCOSE: ("final", 96)}
    case.send(obx(GLUCOSE, "59", "C"), at="1000", status="C")
    assert case.results() == {GLUCOSE: ("corrected", 59)}
    assert len(case.reports()) == 1


def test_a_dry_run_sends_nothing(case: Case) -> None:
    """It prints what would leave; the receiver stays as it is."""
    old = case.send(obx(GLUCOSE, "96"), at="0900")
    case.send(obx(GLUCOSE, "59", "C"), at="1000", status="C")
    done = case.engine.flue("replay", "--id", str(old["id"]), "--dry-run", "--force")
    assert done.returncode == 0 and json.loads(done.stdout)["resourceType"] == "Bundle"
    assert case.results() == {GLUCOSE: ("corrected", 59)}


def test_a_duplicate_gets_the_stored_answer(case: Case) -> None:
    """Same bytes: the very answer of the first, and no second message."""
    message = case.message(obx(GLUCOSE, "95"))
    with case.engine.line(case.channel) as line, case.engine.line(case.channel) as other:
        first = line.ask(message)
        assert code(first) == "AA"
        assert {line.ask(message), other.ask(message), line.ask(message)} == {first}
    case.engine.settled()
    assert len(case.engine.messages(order=case.order)) == 1
    assert case.results() == {GLUCOSE: ("final", 95)}


def test_a_duplicate_that_overtakes_the_first(case: Case) -> None:
    """The same bytes on several connections at once: one message, one answer."""
    message = case.message(obx(GLUCOSE, "95"))
    lines = [case.engine.line(case.channel) for _ in range(6)]
    for line in lines:
        line.push(message)
    assert len({line.read() for line in lines}) == 1
    for line in lines:
        line.close()
    case.engine.settled()
    assert len(case.engine.messages(order=case.order)) == 1
    assert case.results() == {GLUCOSE: ("final", 95)}


def test_a_control_id_used_again_is_a_new_message(case: Case) -> None:
    """Counters of laboratories restart: other bytes are no duplicate."""
    first = case.message(obx(GLUCOSE, "95", "P"), at="0800", status="P")
    second = first.replace(b"|95|", b"|96|").replace(b"|P\r", b"|F\r").replace(b"20260304080000", b"20260304090000")
    assert second.split(b"|")[9] == first.split(b"|")[9]
    case.deliver(first)
    case.deliver(second)
    assert len(case.engine.messages(order=case.order)) == 2
    assert case.results() == {GLUCOSE: ("final", 96)}


def test_the_same_result_in_a_new_message(case: Case) -> None:
    """A resend with a control id of its own doubles nothing."""
    for _ in range(3):
        assert case.send(obx(GLUCOSE, "95"), obx(SODIUM, "140"))["status"] == "sent"
    assert case.results() == {GLUCOSE: ("final", 95), SODIUM: ("final", 140)}
    assert len(case.reports()) == 1 and case.listed() == {GLUCOSE, SODIUM}


def test_of_two_reports_only_the_older_version_stays_behind(engine: EngineProcess, server: FhirServer) -> None:
    """One message with a late preliminary of a known report, and a report nobody knew: this one leaves, that one does not."""
    known, fresh = Case(engine, server), Case(engine, server)
    known.patient = fresh.patient
    known.send(obx(GLUCOSE, "96"), at="0900")
    late = known.message(obx(GLUCOSE, "95", "P"), at="0800", status="P")
    both = late + (obr(fresh.order, "20260304080000", "F") + "\r" + obx(SODIUM, "140") + "\r").encode()
    assert known.deliver(both)["status"] == "sent"
    assert known.results() == {GLUCOSE: ("final", 96), SODIUM: ("final", 140)}
    assert known.report()["status"] == "final" and fresh.listed() == {SODIUM}


def test_a_table_that_grows_doubles_nothing(engine: EngineProcess, server: FhirServer) -> None:
    """A result is known by the sender's own code: a correction finds it, though the look-up has learned a LOINC code since."""
    table = engine.folder / "terminology" / "codes.csv"
    table.parent.mkdir(exist_ok=True)
    steps = [{"look_up": {"field": "OBX-3", "table": "codes", "to": "loinc"}}, {"map_to_fhir": {"map": "ORU_R01"}}, "validate"]
    engine.declare(laboratory(server.url, channel="tables", transform=steps))
    table.write_text("code,to,display\nOTHER,2951-2,Sodium\n")
    engine.api("POST", "/v1/channels/reload")
    engine.refresh()
    case = Case(engine, server, "tables")
    case.send("OBX||NM|GLU^Glucose^L||95|mmol/L|||||F", at="0800")
    table.write_text("code,to,display\nOTHER,2951-2,Sodium\nGLU,2345-7,Glucose\n")
    engine.api("POST", "/v1/channels/reload")
    case.send("OBX||NM|GLU^Glucose^L||96|mmol/L|||||C", at="0900", status="C")
    (there,) = server.all("Observation", subject=f"Patient/{case.person()['id']}")
    assert (there["status"], there["valueQuantity"]["value"]) == ("corrected", 96)
    assert [(each.get("system"), each["code"]) for each in there["code"]["coding"]] == [(None, "GLU"), ("http://loinc.org", "2345-7")]


# --- partial messages


@pytest.mark.parametrize("mode", [*MODES, "conditional_snapshot"])
def test_a_resend_with_a_result_gone(engine: EngineProcess, server: FhirServer, mode: str) -> None:
    """snapshot: what is absent was an error.  delta, unknown: it stands, and the report goes on listing it."""
    case = Case(engine, server, mode)
    case.send(obx(GLUCOSE, "95"), obx(SODIUM, "140"), obx(POTASSIUM, "4"), at="0800")
    case.send(obx(GLUCOSE, "96", "C"), obx(POTASSIUM, "4"), at="0900", status="C")
    gone = ("entered-in-error", 140) if "snapshot" in mode else ("final", 140)
    assert case.results() == {GLUCOSE: ("corrected", 96), SODIUM: gone, POTASSIUM: ("final", 4)}
    assert case.listed() >= {GLUCOSE, POTASSIUM}
    if "snapshot" not in mode:
        assert case.listed() == {GLUCOSE, SODIUM, POTASSIUM}
    case.send(obx(SODIUM, "139", "C"), at="1000", status="C")  # and back
    assert case.results()[SODIUM] == ("corrected", 139)
    assert SODIUM in case.listed()


def test_an_unknown_mode_warns_and_counts(case: Case) -> None:
    """Whoever runs the channel learns that a message held less than the report had."""
    before = metric(case.engine, "results_missing")
    case.send(obx(GLUCOSE, "95"), obx(SODIUM, "140"), at="0800")
    case.send(obx(GLUCOSE, "95"), at="0900")
    assert metric(case.engine, "results_missing") == before + 1


def metric(engine: EngineProcess, label: str) -> float:
    """The sum of the engine's counts whose labels hold `label`."""
    import urllib.request

    with urllib.request.urlopen(f"{engine.url}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if label in line and not line.startswith("#") and "_created" not in line)


def test_a_final_result_without_its_value_is_held(case: Case) -> None:
    """OBX-5 empty with F over a known value: nothing leaves until a person says so."""
    case.send(obx(GLUCOSE, "95", "P"), at="0800", status="P")
    emptied = case.send(obx(GLUCOSE, ""), at="0900")
    assert emptied["status"] == "held" and delivery(emptied) == ("held", "emptied")
    assert case.results() == {GLUCOSE: ("preliminary", 95)}
    assert emptied["id"] in [each["id"] for each in case.engine.messages(status="held")]
    case.send(obx(GLUCOSE, "96"), at="1000")  # the next goes its way
    assert case.results() == {GLUCOSE: ("final", 96)}


def test_what_is_held_leaves_when_a_person_says_so(case: Case) -> None:
    """`flue replay retry --force` sends it as it is; without `--force` it is held again."""
    case.send(obx(GLUCOSE, "95", "P"), at="0800", status="P")
    emptied = case.send(obx(GLUCOSE, ""), at="0900")
    assert emptied["status"] == "held"
    for force, status in (((), "held"), (("--force",), "sent")):
        done = case.engine.flue("replay", "retry", str(emptied["id"]), *force)
        assert done.returncode == 0, done.stderr
        case.engine.wait_for(lambda: delivery(case.engine.message(emptied["id"]))[0] in ("held", "sent", "superseded"))
        case.engine.settled()
        assert delivery(case.engine.message(emptied["id"]))[0] == status
    assert case.results() == {GLUCOSE: ("final", None)}


def test_a_value_that_is_deleted_is_removed(case: Case) -> None:
    '''OBX-5 `""` says that there is no value any more; later there may be one again.'''
    case.send(obx(GLUCOSE, "95"), at="0800")
    assert case.send(obx(GLUCOSE, '""', "C"), at="0900", status="C")["status"] == "sent"
    assert case.results() == {GLUCOSE: ("corrected", None)}
    (there,) = case.server.all("Observation", subject=f"Patient/{case.person()['id']}")
    assert not [name for name in there if name.startswith("value")]
    case.send(obx(GLUCOSE, "97", "C"), at="1000", status="C")
    assert case.results() == {GLUCOSE: ("corrected", 97)}


@EITHER
def test_u_changes_the_status_only(engine: EngineProcess, server: FhirServer, channel: str) -> None:
    """OBX-11 U without a value makes a preliminary result final, and leaves its value and unit."""
    case = Case(engine, server, channel)
    case.send(obx(GLUCOSE, "95", "P"), obx(SODIUM, "140", "P"), at="0800", status="P")
    final = case.send(f"OBX||NM|{GLUCOSE}^Test {GLUCOSE}^LN||||||||U", obx(SODIUM, "140"), at="0900")
    assert final["status"] == "sent"
    assert case.results() == {GLUCOSE: ("final", 95), SODIUM: ("final", 140)}
    (there,) = case.server.all("Observation", subject=f"Patient/{case.person()['id']}", code=f"http://loinc.org|{GLUCOSE}")
    assert there["valueQuantity"]["unit"] == "mmol/L"


@EITHER
def test_a_cancelled_report_leaves_its_results(engine: EngineProcess, server: FhirServer, channel: str) -> None:
    """OBR-25 X without OBX: the report is cancelled, what was reported stands and stays listed."""
    case = Case(engine, server, channel)
    case.send(obx(GLUCOSE, "95"), obx(SODIUM, "140"), at="0800")
    assert case.send(at="0900", status="X")["status"] == "sent"
    assert case.report()["status"] == "cancelled"
    assert case.results() == {GLUCOSE: ("final", 95), SODIUM: ("final", 140)}
    assert case.listed() == {GLUCOSE, SODIUM}


def test_what_the_receiver_was_told_survives_a_kill(engine: EngineProcess, server: FhirServer) -> None:
    """After a power cut the register still knows: the old final is superseded, a shorter message is noticed, another patient is held."""
    case = Case(engine, server)
    old = case.send(obx(GLUCOSE, "96"), obx(SODIUM, "140"), at="0900")
    case.send(obx(GLUCOSE, "59", "C"), obx(SODIUM, "140"), at="1000", status="C")
    again = case.message(obx(GLUCOSE, "59", "C"), obx(SODIUM, "140"), at="1000", status="C")
    with engine.line(case.channel) as line:
        answer = line.ask(again)
    engine.settled()
    engine.kill()
    engine.start()
    with engine.line(case.channel) as line:
        assert line.ask(again) == answer
    assert delivery(engine.message(engine.replay(old["id"])[0]))[0] == "superseded"
    assert delivery(case.send(obx(GLUCOSE, "95", "P"), at="0800", status="P"))[0] == "superseded"
    assert delivery(case.send(obx(GLUCOSE, "1"), at="1100", patient=case.patient + "8")) == ("held", "identity_conflict")
    case.send(obx(GLUCOSE, "60", "C"), at="1200", status="C")
    assert case.results() == {GLUCOSE: ("corrected", 60), SODIUM: ("final", 140)} and case.listed() == {GLUCOSE, SODIUM}


def test_nothing_went_wrong_meanwhile(engine: EngineProcess) -> None:
    """No defect of the engine was met on the way, and its log names no patient."""
    said = engine.said()
    assert "a defect of the engine" not in said
    assert not [name for name in ("Meier", "Huber", "47110") if name in said]
    (health,) = {channel["state"] for channel in engine.api("GET", "/health")["channels"]}
    assert health == "started"

"""Patients and what is shared: numbers used again, several patients in a message, one new patient in several, more than eight conditions.

Through the whole engine, against a FHIR server nobody here wrote; what it has then is what rules 2, 5, 8 and 12 say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.journeys.cases import BASE, GLUCOSE, SODIUM, Case, delivery, header, obr, obx, pid
from tests.journeys.engine_process import EngineProcess, Line, code, laboratory
from tests.journeys.fhir_server import FhirServer

pytestmark = pytest.mark.journey

EITHER = pytest.mark.parametrize("channel", ["unknown", "conditional"])  # identity: put_by_id, conditional


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with FhirServer() as running:
        yield running


@pytest.fixture(scope="module")
def engine(server: FhirServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """Lanes are patients in one channel, orders in two; one of these finds everything by identifier."""
    patients = laboratory(server.url, channel="unknown")
    orders = laboratory(server.url, channel="lanes", lane="OBR-3")
    conditional = laboratory(server.url, channel="conditional", lane="OBR-3", fhir={"identity": "conditional"})
    with EngineProcess(tmp_path_factory.mktemp("engine"), patients, orders, conditional) as running:
        yield running


@pytest.fixture
def case(engine: EngineProcess, server: FhirServer) -> Case:
    return Case(engine, server)


def test_an_accession_number_used_for_another_patient_is_held(case: Case) -> None:
    """Neither patient's record changes, and the other patient's lane goes on."""
    case.send(obx(GLUCOSE, "95"), at="0800")
    other = case.patient + "9"
    held = case.send(obx(GLUCOSE, "300"), at="0900", patient=other, name="Huber^Max")
    assert held["status"] == "held" and delivery(held) == ("held", "identity_conflict")
    assert case.results() == {GLUCOSE: ("final", 95)}
    assert case.report()["subject"]["reference"] == f"Patient/{case.person()['id']}"
    forced = case.engine.replay(held["id"], force=True)
    assert delivery(case.engine.message(forced[0])) == ("held", "identity_conflict")
    again = Case(case.engine, case.server)
    again.patient = other
    again.send(obx(SODIUM, "139"), name="Huber^Max")
    assert again.results() == {SODIUM: ("final", 139)}


@pytest.mark.parametrize("channel", ["unknown", "lanes", "conditional"])
def test_one_new_patient_in_two_messages_at_once(engine: EngineProcess, server: FhirServer, channel: str) -> None:
    """Two connections, two orders, one number nobody knew: one Patient, also where lanes are orders."""
    for _ in range(8):
        one, other = Case(engine, server, channel), Case(engine, server, channel)
        other.patient = one.patient
        with engine.line(channel) as first, engine.line(channel) as second:
            first.push(one.message(obx(GLUCOSE, "95")))
            second.push(other.message(obx(SODIUM, "140")))
            assert (code(first.read()), code(second.read())) == ("AA", "AA")
        engine.settled()
        assert one.results() == {GLUCOSE: ("final", 95), SODIUM: ("final", 140)}
        assert one.report()["subject"] == other.report()["subject"]


def two_patients(first: Case, second: Case, at: str = "0800") -> bytes:
    """One message with a result of each."""
    lines = [header(f"{first.order}-{second.order}")]
    for each, value in ((first, "95"), (second, "96")):
        lines += [pid(each.patient), obr(each.order, f"20260304{at}00", "F"), obx(GLUCOSE, value)]
    return "\r".join(lines).encode() + b"\r"


def test_two_patients_are_two_transactions(engine: EngineProcess, server: FhirServer) -> None:
    """Each has a lane and a delivery, and neither's bundle mentions the other."""
    one, two = Case(engine, server), Case(engine, server)
    message = one.deliver(two_patients(one, two))
    assert message["status"] == "sent" and [row["status"] for row in message["deliveries"]] == ["sent", "sent"]
    for row, mine, other in zip(message["deliveries"], (one, two), (two, one)):
        assert mine.patient in json.dumps(row["content"]) and other.patient not in json.dumps(row["content"])
    assert one.results() == {GLUCOSE: ("final", 95)} and two.results() == {GLUCOSE: ("final", 96)}


def test_one_patients_failure_does_not_repeat_the_other(engine: EngineProcess, server: FhirServer) -> None:
    """The server refuses the second (two Patients have that number): the first is sent once, also when the second is sent again."""
    one, two = Case(engine, server), Case(engine, server)
    twin = {"resourceType": "Patient", "identifier": [{"system": f"{BASE}/HOSP/HOSP", "value": two.patient}]}
    twins = [server.create(twin) for _ in range(2)]
    message = one.deliver(two_patients(one, two))
    assert message["status"] == "partly_sent"
    first, second = message["deliveries"]
    assert (first["status"], second["status"], second["code"]) == ("sent", "held", "412")
    assert one.results() == {GLUCOSE: ("final", 95)} and not two.reports()
    server.remove(f"Patient/{twins[1]['id']}")
    assert engine.flue("replay", "retry", str(message["id"])).returncode == 0
    engine.wait_for(lambda: engine.message(message["id"])["status"] == "sent")
    again = engine.message(message["id"])["deliveries"]
    assert again[0] == first, "the first was touched"
    assert again[1]["status"] == "sent" and two.results() == {GLUCOSE: ("final", 96)}


def test_a_patient_without_a_number_does_not_hold_the_other(engine: EngineProcess, server: FhirServer) -> None:
    """The part without a usable identifier is held, the other one leaves."""
    one, two = Case(engine, server), Case(engine, server)
    message = one.deliver(two_patients(one, two).replace(f"{two.patient}^^^HOSP^MR".encode(), b""))
    assert [row["status"] for row in message["deliveries"]] == ["sent", "held"]
    assert message["deliveries"][1]["code"] == "no_patient_id"
    assert one.results() == {GLUCOSE: ("final", 95)}


# --- large bundles


TESTS = "2951-2 2823-3 2075-0 1963-8 3094-0 2160-0 2345-7 17861-6 2885-2 1751-7 1975-2 6768-6".split()


@EITHER
def test_fourteen_resources(engine: EngineProcess, server: FhirServer, channel: str) -> None:
    """Patient, report and twelve results, where no more than eight entries may have conditions; corrected, then resent."""
    case = Case(engine, server, channel)
    case.send(*(obx(test, str(number), "P") for number, test in enumerate(TESTS)), at="0800", status="P")
    assert case.results() == {test: ("preliminary", number) for number, test in enumerate(TESTS)}
    for at in ("0900", "0900"):
        assert case.send(*(obx(test, str(number + 100), "C") for number, test in enumerate(TESTS)), at=at, status="C")["status"] == "sent"
        assert case.results() == {test: ("corrected", number + 100) for number, test in enumerate(TESTS)}
    assert case.listed() == set(TESTS) and len(case.reports()) == 1


@EITHER
def test_many_shared_resources(engine: EngineProcess, server: FhirServer, channel: str) -> None:
    """More than eight people, visits and orders that may or may not be there: each is there once, whoever comes first."""
    cases = [Case(engine, server, channel) for _ in range(6)]
    doctors = [f"{cases[0].order}{letter}^Arzt{letter}^Anna^^^^^^HOSP" for letter in "ABCDEFG"]
    visit = f"PV1|1|I|WARD^^^HOSP||||{doctors[0]}|{doctors[1]}|{doctors[2]}||||||||{doctors[3]}||V{cases[0].order}^^^HOSP"
    for case in cases:
        case.patient = cases[0].patient
    lines: list[Line] = [engine.line(channel) for _ in cases]
    for case, line in zip(cases, lines):
        order = obr(case.order, "20260304080000", "F").split("|")
        order[16] = f"{doctors[4]}~{doctors[5]}~{doctors[6]}"
        result = obx(TESTS[cases.index(case)], "1")
        line.push("\r".join((header(f"{case.order}.1"), pid(case.patient), visit, "|".join(order), result)).encode() + b"\r")
    assert [code(line.read()) for line in lines] == ["AA"] * len(cases)
    for line in lines:
        line.close()
    engine.settled()
    assert len(cases[0].results()) == len(cases)
    for doctor in doctors[:4]:
        assert len(server.all("Practitioner", identifier=f"{BASE}/HOSP/HOSP|{doctor.split('^')[0]}")) == 1
    assert len(server.all("Encounter", identifier=f"{BASE}/HOSP/HOSP|V{cases[0].order}")) == 1
    for case in cases:
        assert len(server.all("ServiceRequest", identifier=f"{BASE}/HOSP/EHR|P{case.order}")) == 1


def test_nothing_went_wrong_meanwhile(engine: EngineProcess) -> None:
    """No defect of the engine was met on the way, and its log names no patient."""
    said = engine.said()
    assert "a defect of the engine" not in said
    assert not [name for name in ("Meier", "Huber", "47110") if name in said]
    (health,) = {channel["state"] for channel in engine.api("GET", "/health")["channels"]}
    assert health == "started"

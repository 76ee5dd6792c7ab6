"""Admissions through the whole engine, at a FHIR server nobody here wrote: what comes last by its own time is what stands (rules 3, 4, 6)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.journeys.cases import BASE, delivery
from tests.journeys.engine_process import EngineProcess, fields, laboratory
from tests.journeys.fhir_server import FhirServer, Resource

pytestmark = pytest.mark.journey

NUMBERS = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with FhirServer() as running:
        yield running


@pytest.fixture(scope="module")
def engine(server: FhirServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with EngineProcess(tmp_path_factory.mktemp("engine"), laboratory(server.url, transform=[{"map_to_fhir": {}}, "validate"])) as running:
        yield running


class Visit:
    """A patient and a visit that no other test has."""

    def __init__(self, engine: EngineProcess, server: FhirServer) -> None:
        self.engine, self.server, self.number = engine, server, f"{next(NUMBERS):03}"
        self._sent = 0

    def send(self, at: str, pid: str, *more: str, event: str = "A08") -> dict[str, Any]:
        """An ADT about the visit, at an hour and minute; `pid` goes on behind PID-5."""
        self._sent += 1
        control_id = f"V{self.number}-{self._sent}"
        segments = [
            f"MSH|^~\\&|REG|HOSP|EHR|CLINIC|20260301120000+0100||ADT^{event}^ADT_A01|{control_id}|P|2.5.1",
            f"EVN|{event}|20260301{at}00+0100",
            f"PID|1||A{self.number}^^^HOSP^MR||{pid}",
            f"PV1|1|I|W{at}{'|' * 16}N{self.number}^^^HOSP^VN",
            *more,
        ]
        with self.engine.line() as line:
            self.answer = line.ask("\r".join(segments).encode() + b"\r")
        assert fields(self.answer, "MSA")[1] == "AA"
        self.engine.settled()
        return self.engine.latest(control_id)

    def _only(self, kind: str, number: str) -> Resource:
        (found,) = self.server.all(kind, identifier=f"{BASE}/HOSP/HOSP|{number}{self.number}")
        return found

    @property
    def patient(self) -> Resource:
        return self._only("Patient", "A")

    @property
    def encounter(self) -> Resource:
        return self._only("Encounter", "N")

    @property
    def name(self) -> str:
        return self.patient["name"][0]["family"]


@pytest.fixture
def visit(engine: EngineProcess, server: FhirServer) -> Visit:
    return Visit(engine, server)


def test_what_is_late_overwrites_nothing(visit: Visit) -> None:
    """An A08 of nine o'clock that comes after that of ten; and the older one replayed, forced too."""
    first = visit.send("0800", "Old^Eva||19800101|F", event="A01")
    visit.send("1000", "New^Eva||19800101|F")
    assert delivery(visit.send("0900", "Late^Eva||19800101|F"))[0] == "superseded"
    assert visit.name == "New" and visit.encounter["subject"]["reference"] == f"Patient/{visit.patient['id']}"
    assert visit.engine.flue("replay", "--id", str(first["id"])).returncode == 0
    visit.engine.settled()
    assert delivery(visit.engine.latest(first["control_id"]))[0] == "superseded" and visit.name == "New"
    assert visit.engine.flue("replay", "--id", str(first["id"]), "--force").returncode == 0
    visit.engine.settled()
    assert visit.name == "Old"


def test_what_a_message_does_not_say_stays_and_what_it_takes_back_goes(visit: Visit) -> None:
    """Empty is no change, `""` is none: so HL7 has it."""
    visit.send("0800", "Doe^Eva||19800101|F|||Street 1^^Bern", event="A01")
    id = visit.patient["id"]
    visit.send("0900", "Doe^Eva")
    patient = visit.patient
    assert (patient["birthDate"], patient["gender"], patient["address"][0]["city"]) == ("1980-01-01", "female", "Bern")
    visit.send("1000", 'Doe^Eva||19800101||||""')
    assert "address" not in visit.patient and visit.patient["gender"] == "female" and visit.patient["id"] == id


def test_a_diagnosis_stands_once(visit: Visit) -> None:
    """Sent again and again with the visit, it is one Condition with what was said last; a late message does not undo that."""
    for at, text in (("0800", "High"), ("0900", "Hypertension"), ("0830", "Late")):
        visit.send(at, "Doe^Eva", f"DG1|1||I10^{text}^I10|||W", event="A01")
    (condition,) = visit.server.all("Condition", subject=f"Patient/{visit.patient['id']}")
    assert condition["code"]["coding"][0]["display"] == "Hypertension"


def test_a_type_nobody_has_a_map_for_is_kept(visit: Visit) -> None:
    """AA; a MessageHeader and the message as a document."""
    before = visit.server.counts("DocumentReference", "MessageHeader")
    message = f"MSH|^~\\&|REG|HOSP|EHR|CLINIC|20260301120000+0100||ZZZ^Z01|Z{visit.number}|P|2.5.1\rZZZ|1\r".encode()
    with visit.engine.line() as line:
        assert fields(line.ask(message), "MSA")[1] == "AA"
    visit.engine.settled()
    after = visit.server.counts("DocumentReference", "MessageHeader")
    assert {kind: after[kind] - before.get(kind, 0) for kind in after} == {"DocumentReference": 1, "MessageHeader": 1}

"""Merges of patients, through the whole engine, at a FHIR server nobody here wrote: rule 8, before and after, and back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.cases import BASE, GLUCOSE, SODIUM
from tests.journeys.engine_process import EngineProcess, code, fields, laboratory
from tests.journeys.fhir_server import FhirServer, Resource

pytestmark = pytest.mark.journey

NUMBERS = count(1)
ANY = [{"map_to_fhir": {}}, "validate"]


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with FhirServer() as running:
        yield running


@pytest.fixture(scope="module")
def engine(server: FhirServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """The registry's messages come by one channel, results by another: both go to one server."""
    registry, results = laboratory(server.url, channel="registry", transform=ANY), laboratory(server.url, transform=ANY)
    with EngineProcess(tmp_path_factory.mktemp("engine"), registry, results) as running:
        yield running


class Hospital:
    """A few patients that no other test has."""

    def __init__(self, engine: EngineProcess, server: FhirServer) -> None:
        self.engine, self.server, self.number = engine, server, next(NUMBERS)
        self._sent = 0

    def mrn(self, letter: str) -> str:
        return f"{letter}{self.number:03}"

    def _send(self, type: str, channel: str, at: str, *segments: str) -> dict[str, Any]:
        self._sent += 1
        control_id = f"M{self.number:03}-{self._sent}"
        header = f"MSH|^~\\&|REG|HOSP|EHR|CLINIC|202603{at}00+0100||{type}|{control_id}|P|2.5.1"
        with self.engine.line(channel) as line:
            self.answer = line.ask("\r".join([header, *segments]).encode() + b"\r")
        self.engine.wait_for(lambda: self.engine.latest(control_id)["status"] != "received")
        return self.engine.latest(control_id)

    def admit(self, letter: str, at: str, more: str = "Street 1^^Bern", event: str = "A08", visit: str = "") -> None:
        pid = f"PID|1||{self.mrn(letter)}^^^HOSP^MR||{letter}son^Eva||19800101|F|||{more}"
        pv1 = f"PV1|1|I{'|' * 17}{visit}{self.number:03}^^^HOSP^VN{'|' * 25}202603010700+0100" if visit else "PV1|1|N"
        self._send(f"ADT^{event}^ADT_A01", "registry", at, f"EVN|{event}|202603{at}00+0100", pid, pv1)

    def merge(self, prior: str, survivor: str, at: str, event: str = "A40", visits: tuple[str, str] = ("", "")) -> dict[str, Any]:
        """`visits`: the prior one's number (MRG-5) and the surviving one's (PV1-19)."""
        old, new = (f"{visit}{self.number:03}^^^HOSP^VN" if visit else "" for visit in visits)
        pid = f"PID|1||{self.mrn(survivor)}^^^HOSP^MR||{survivor}son^Eva"
        more = [f"PV1|1|I{'|' * 17}{new}"] if new else []
        return self._send(
            f"ADT^{event}", "registry", at, f"EVN|{event}|202603{at}00+0100", pid, f"MRG|{self.mrn(prior)}^^^HOSP^MR||||{old}", *more
        )  # fmt: skip

    def result(self, letter: str, order: str, at: str, value: str, test: str = GLUCOSE, channel: str = "lab") -> dict[str, Any]:
        found = self._send(
            "ORU^R01^ORU_R01", channel, at, f"PID|1||{self.mrn(letter)}^^^HOSP^MR||{letter}son^Eva",
            f"OBR|1||{order}{self.number:03}^LAB|{test}^X^LN|||202603{at}00+0100|||||||||||||||202603{at}00+0100||CH|F",
            f"OBX|1|NM|{test}^X^LN||{value}|mmol/L^^UCUM|||||F",
        )  # fmt: skip
        assert found["status"] == "sent", found
        return found

    def person(self, letter: str) -> Resource:
        """The only Patient with a number."""
        (found,) = self.server.all("Patient", identifier=f"{BASE}/HOSP/HOSP|{self.mrn(letter)}")
        return found

    def values(self, letter: str) -> list[int]:
        """What the Observations of a patient say, each once."""
        found = self.server.all("Observation", subject=f"Patient/{self.person(letter)['id']}")
        assert len({each["identifier"][0]["value"] for each in found}) == len(found)
        return sorted(each["valueQuantity"]["value"] for each in found)

    def visit(self, letter: str) -> Resource:
        """The only Encounter with a number."""
        (found,) = self.server.all("Encounter", identifier=f"{BASE}/HOSP/HOSP|{letter}{self.number:03}")
        return found

    def links(self, letter: str) -> set[tuple[str, str]]:
        return {(each["type"], each["other"]["reference"].partition("/")[2]) for each in self.person(letter).get("link", ())}


@pytest.fixture
def hospital(engine: EngineProcess, server: FhirServer) -> Hospital:
    return Hospital(engine, server)


def test_results_of_both_numbers_before_and_after(hospital: Hospital, server: FhirServer) -> None:
    """One active patient and one who is not, linked; nothing is doubled, nothing of either is lost, later messages are the survivor's."""
    hospital.admit("A", "010800", "Street 1^^Bern")
    hospital.admit("B", "010800", "Street 2^^Bern")
    hospital.result("A", "F1", "010900", "1")
    hospital.result("B", "F2", "010900", "2", SODIUM)
    assert hospital.values("A") == [1] and hospital.values("B") == [2]
    patients = len(server.all("Patient"))
    assert hospital.merge("A", "B", "020800")["status"] == "sent"
    old, new = hospital.person("A"), hospital.person("B")
    assert old["active"] is False and new.get("active", True) is True and len(server.all("Patient")) == patients
    assert hospital.links("A") == {("replaced-by", new["id"])} and hospital.links("B") == {("replaces", old["id"])}
    assert [each["address"][0]["line"] for each in (old, new)] == [["Street 1"], ["Street 2"]] and old["birthDate"] == "1980-01-01"
    assert [each["value"] for each in new["identifier"]] == [hospital.mrn("B")]
    hospital.result("A", "F3", "020900", "3")
    hospital.result("B", "F4", "020900", "4")
    assert hospital.values("A") == [1] and hospital.values("B") == [2, 3, 4]
    hospital.result("A", "F1", "021000", "11")  # a correction under the number of the day
    assert hospital.values("A") == [] and hospital.values("B") == [2, 3, 4, 11]
    hospital.admit("A", "030800", "Street 3^^Bern")  # an update of the prior number is one of the survivor
    new = hospital.person("B")
    assert new["address"][0]["line"] == ["Street 3"] and hospital.links("B") == {("replaces", old["id"])}
    assert hospital.person("A")["active"] is False and len(server.all("Patient")) == patients


@pytest.mark.parametrize("event", ["A18", "A34", "A36", "A46", "A47"])
def test_other_events_that_merge(hospital: Hospital, event: str) -> None:
    """By patient number, or a number that was changed."""
    hospital.admit("A", "010800")
    hospital.result("A", "F1", "010900", "1")
    assert hospital.merge("A", "B", "020800", event)["status"] == "sent"
    hospital.result("A", "F2", "020900", "2")
    assert hospital.values("A") == [1] and hospital.values("B") == [2]
    assert hospital.person("A")["active"] is False and hospital.links("B") == {("replaces", hospital.person("A")["id"])}


def test_a_visit_that_gets_another_number(hospital: Hospital, server: FhirServer) -> None:
    """A50: what comes under the old number is of the new visit; the old one says where it went, and keeps what was known."""
    hospital.admit("A", "010800", event="A01", visit="V")
    before = len(server.all("Encounter"))
    assert hospital.merge("A", "A", "020800", "A50", ("V", "W"))["status"] == "sent"
    hospital.admit("A", "030800", visit="V")
    old, new = hospital.visit("V"), hospital.visit("W")
    assert (old["status"], old["partOf"]["reference"]) == ("entered-in-error", f"Encounter/{new['id']}")
    assert old["period"]["start"].startswith("2026-03-01") and new["subject"]["reference"] == f"Patient/{hospital.person('A')['id']}"
    assert new["status"] != "entered-in-error" and len(server.all("Encounter")) == before + 1


def test_a_visit_that_moves_to_another_patient(hospital: Hospital, server: FhirServer) -> None:
    """A45: both patients stay who they are."""
    hospital.admit("A", "010800", event="A01", visit="V")
    hospital.admit("B", "010800")
    before = len(server.all("Encounter"))
    assert hospital.merge("A", "B", "020800", "A45", ("V", "V"))["status"] == "sent"
    assert hospital.visit("V")["subject"]["reference"] == f"Patient/{hospital.person('B')['id']}"
    hospital.admit("B", "030800", visit="V")
    assert hospital.visit("V")["subject"]["reference"] == f"Patient/{hospital.person('B')['id']}" and len(server.all("Encounter")) == before
    assert all(hospital.person(letter).get("active", True) and not hospital.links(letter) for letter in "AB")
    hospital.result("A", "F1", "030900", "1")
    assert hospital.values("A") == [1]


def test_a_merge_that_comes_again(hospital: Hospital, engine: EngineProcess, server: FhirServer) -> None:
    """With another control id, replayed, and after the server lost nothing: all is as it was."""
    hospital.result("A", "F1", "010900", "1")
    first = hospital.merge("A", "B", "020800")
    before = (hospital.person("A")["link"], hospital.person("B")["link"])
    assert hospital.merge("A", "B", "020900")["status"] == "sent"
    engine.replay(first["id"], force=True)
    assert (hospital.person("A")["link"], hospital.person("B")["link"]) == before
    mine = [each for each in engine.api("GET", "/v1/merges")["merges"] if each["prior"]["value"] == hospital.mrn("A")]
    assert len(mine) == 1


def test_chains_and_circles(hospital: Hospital, server: FhirServer) -> None:
    """A into B, B into C: results of all three are C's.  C into A is refused."""
    for letter in "ABC":
        hospital.admit(letter, "010800")
    assert [hospital.merge(*pair, at)["status"] for pair, at in (("AB", "020800"), ("BC", "020900"))] == ["sent", "sent"]
    for value, letter in enumerate("ABC", 1):
        hospital.result(letter, f"F{letter}", "021000", str(value))
    assert hospital.values("C") == [1, 2, 3] and hospital.values("A") == hospital.values("B") == []
    assert [hospital.person(letter).get("active", True) for letter in "ABC"] == [False, False, True]
    refused = hospital.merge("C", "A", "021100")
    assert code(hospital.answer) == "AE" and fields(hospital.answer, "ERR")[3].startswith("205") and refused["status"] == "error"
    assert hospital.person("C").get("active", True) is True


def test_taking_it_back(hospital: Hospital, engine: EngineProcess) -> None:
    """A look first, then both stand for themselves again; a result that was the survivor's comes home with its next version."""
    for letter in "AB":
        hospital.admit(letter, "010800")
    merge = hospital.merge("A", "B", "020800")
    hospital.result("A", "F1", "020900", "1")
    looked = engine.flue("merges", "undo", str(merge["id"]), "--dry-run")
    assert looked.returncode == 0 and '"replaced-by' not in looked.stdout and "replaced-by" in looked.stdout
    assert hospital.person("A")["active"] is False
    done = engine.flue("merges", "undo", str(merge["id"]))
    assert done.returncode == 0, done.stderr
    engine.settled()
    assert engine.deliveries(int(done.stdout.split()[1])) == {"repository": "sent"}
    assert hospital.person("A")["active"] is True and not hospital.links("A") and not hospital.links("B")
    assert hospital.values("B") == [1]
    hospital.result("A", "F1", "021000", "11")
    hospital.result("A", "F2", "021000", "2")
    assert hospital.values("A") == [2, 11] and hospital.values("B") == []


def test_killed_while_a_merge_waits(server: FhirServer, tmp_path: Path) -> None:
    """What was received before it and after it is delivered as it stood, in order, after the start."""
    channel = laboratory(server.url, channel="registry", transform=ANY)
    with EngineProcess(tmp_path, channel) as engine:
        hospital = Hospital(engine, server)
        hospital.admit("A", "010800")
        engine.api("POST", "/v1/channels/registry/destinations/repository/pause", {})
        messages = []
        for number, (type, more) in enumerate(
            [("ORU^R01^ORU_R01", "A F1 1"), ("ADT^A40^ADT_A39", ""), ("ORU^R01^ORU_R01", "A F2 2"), ("ORU^R01^ORU_R01", "B F3 3")]
        ):
            letter, order, value = more.split() if more else ("B", "", "")
            segments = [
                f"MSH|^~\\&|REG|HOSP|EHR|CLINIC|2026030208{number:02}00+0100||{type}|K{hospital.number}-{number}|P|2.5.1",
                f"PID|1||{hospital.mrn(letter)}^^^HOSP^MR||X^Eva",
            ]
            obr, obx = f"OBR|1||{order}{hospital.number:03}^LAB|{GLUCOSE}^X^LN" + "|" * 21 + "F", f"OBX|1|NM|{GLUCOSE}^X^LN||{value}||||||F"
            segments += [obr, obx] if more else [f"MRG|{hospital.mrn('A')}^^^HOSP^MR"]
            messages.append("\r".join(segments).encode() + b"\r")
        with engine.line("registry") as line:
            for message in messages:
                line.push(message)
            assert [code(line.read()) for _ in messages] == ["AA"] * 4
        engine.kill()
        engine.start()
        engine.settled()
        assert hospital.values("A") == [1] and hospital.values("B") == [2, 3]
        assert hospital.person("A")["active"] is False and hospital.links("B") == {("replaces", hospital.person("A")["id"])}

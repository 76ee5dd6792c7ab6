"""One order of one patient at a time: what a laboratory says of it, and what the receiver has of it then."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.journeys.engine_process import EngineProcess
from tests.journeys.fhir_server import FhirServer, Resource

BASE = "https://site.example/id"
GLUCOSE, SODIUM, POTASSIUM = "2345-7", "2951-2", "2823-3"
NUMBERS = count(1)


def obx(test: str, value: str, status: str = "F", kind: str = "NM") -> str:
    return f"OBX||{kind}|{test}^Test {test}^LN||{value}|mmol/L|||||{status}"


def pid(number: str, name: str = "Meier^Eva") -> str:
    return f"PID|1||{number}^^^HOSP^MR||{name}||19800102|F"


def obr(order: str, reported: str, status: str) -> str:
    return f"OBR|1|P{order}^EHR|{order}^LAB|24323-8^Panel^LN|||20260304073000|||||||||||||||{reported}|||{status}"


def header(control_id: str, sent: str = "20260304120000") -> str:
    return f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|{sent}||ORU^R01^ORU_R01|{control_id}|P|2.5.1"


class Case:
    """One order of one patient, with numbers that no other case has."""

    def __init__(self, engine: EngineProcess, server: FhirServer, channel: str = "unknown") -> None:
        number = next(NUMBERS)
        self.engine, self.server, self.channel = engine, server, channel
        self.patient, self.order = f"47110{number:03}", f"F26-{number:03}"
        self._sent = 0

    def message(self, *results: str, at: str = "0800", status: str = "F", patient: str = "", name: str = "Meier^Eva") -> bytes:
        """A message with a control id of its own; `at`: when the laboratory reported it (OBR-22)."""
        self._sent += 1
        reported = f"20260304{at}00" if at else ""
        lines = (header(f"{self.order}.{self._sent}"), pid(patient or self.patient, name), obr(self.order, reported, status), *results)
        return "\r".join(lines).encode() + b"\r"

    def send(self, *results: str, **how: str) -> dict[str, Any]:
        """Send a message; what it has come to when it is settled."""
        return self.deliver(self.message(*results, **how))

    def deliver(self, message: bytes) -> dict[str, Any]:
        """The same with bytes that are there."""
        control_id = message.decode().split("|")[9]
        with self.engine.line(self.channel) as line:
            assert line.send(message) == "AA"
        self.engine.wait_for(lambda: self.engine.latest(control_id)["status"] != "received")
        return self.engine.latest(control_id)

    def reports(self) -> list[Resource]:
        """What the server finds by the filler's number."""
        return self.server.all("DiagnosticReport", identifier=f"{BASE}/HOSP/LAB|{self.order}")

    def report(self) -> Resource:
        """The only one."""
        (found,) = self.reports()
        return found

    def results(self) -> dict[str, tuple[str, Any]]:
        """LOINC code -> status and value of every Observation of the patient at the server; each stands there once."""
        found = self.server.all("Observation", subject=f"Patient/{self.person()['id']}")
        by_key = [each["identifier"][0]["value"] for each in found]
        assert len(set(by_key)) == len(by_key)
        shown = {each["code"]["coding"][0]["code"]: (each["status"], each.get("valueQuantity", {}).get("value")) for each in found}
        assert len(shown) == len(found), "a result stands there twice"
        return shown

    def listed(self) -> set[str]:
        """The codes of the Observations that the report lists; every reference leads somewhere."""
        found = [self.server.read(each["reference"]) for each in self.report().get("result", ())]
        assert all(found)
        codes = [each["code"]["coding"][0]["code"] for each in found if each]
        assert len(codes) == len(set(codes))
        return set(codes)

    def person(self) -> Resource:
        """The only Patient with the number."""
        (found,) = self.server.all("Patient", identifier=f"{BASE}/HOSP/HOSP|{self.patient}")
        return found


def delivery(message: dict[str, Any]) -> tuple[str, str]:
    """Status and code of a message's only delivery."""
    (row,) = message["deliveries"]
    return row["status"], row["code"]

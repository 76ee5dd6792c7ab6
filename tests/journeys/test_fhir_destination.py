"""The fhir destination against a server nobody here wrote: Medplum's, which refuses what others only advise against."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from channels.fhir.destination import FhirDestination
from channels.message import Outcome, Outgoing, Verdict
from tests.channels.fhir.bundles import admission, context, laboratory, observation, owned, report, to, transaction, uuid
from tests.channels.fhir.bundles import shared as someone
from tests.journeys.fhir_server import FhirServer
from tests.journeys.peers import ROOT
from tests.reactor import Runner
from transforms.document import FHIR_JSON, Context, Document, Identity, Part, ReportFact
from transforms.fhir.register import Row, apply, decide
from transforms.fhir.validation import is_valid, validate
from transforms.hl7.message import parse
from transforms.mapping.identity import criterion
from transforms.mapping.library import Library
from transforms.mapping.options import MapOptions

pytestmark = pytest.mark.journey

TYPES = ("Patient", "Practitioner", "ServiceRequest", "DiagnosticReport", "Observation")
WAYS: list[dict[str, Any]] = [
    {},
    {"identity": "conditional"},
    {"max_conditional": 0},
    {"max_entries": 6},
    {"identity": "conditional", "max_entries": 6},
]


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with FhirServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(server: FhirServer) -> None:
    server.forget()


class Lane:
    """A destination that is opened, and opened again, as after a restart: what the store remembers stays."""

    def __init__(self, runner: Runner, url: str, **options: Any) -> None:
        self._runner, self._declared = runner, FhirDestination(url=url, **options)
        self.learned: dict[str, str] = {}

    def send(self, *bundles: dict[str, Any], together: bool = False) -> list[Outcome]:
        """What comes of the bundles, one after the other or all at once, by a destination opened for them."""
        return self._runner.run(self._sent(bundles, together), timeout=60)

    async def _sent(self, bundles: tuple[dict[str, Any], ...], together: bool) -> list[Outcome]:
        around = self._runner.surroundings(Path("."))
        around = type(around)(around.loop, around.reactor, around.folder, self._recall)
        running = await self._declared.open(around)
        try:
            sends = [running.send(outgoing(bundle)) for bundle in bundles]
            outcomes = list(await asyncio.gather(*sends)) if together else [await each for each in sends]
        finally:
            await running.close()
        for outcome in outcomes:
            self.learned.update(outcome.learned)
        return outcomes

    async def _recall(self, keys: Any) -> dict[str, str]:
        return {key: self.learned[key] for key in keys if key in self.learned}


def outgoing(bundle: dict[str, Any]) -> Outgoing:
    world = Context(datetime(2024, 3, 1, tzinfo=timezone.utc), identity=Identity(base="https://site.example"))
    return Outgoing(Document(FHIR_JSON, bundle, world), message_id=1, control_id="MSG1", attempt=1)


def sent(outcomes: list[Outcome]) -> bool:
    return all(outcome.verdict is Verdict.SENT for outcome in outcomes) or pytest.fail(
        str([(o.verdict, o.code, o.reason) for o in outcomes])
    )


def dangling(server: FhirServer) -> list[str]:
    """References of results and orders that lead nowhere."""
    resources = [each for type_name in TYPES for each in server.all(type_name)]
    there = {f"{each['resourceType']}/{each['id']}" for each in resources}
    pointing = [each.get(name) for each in resources for name in ("subject", "requester", "basedOn", "result")]
    references = [one["reference"] for each in pointing if each for one in (each if isinstance(each, list) else [each])]
    assert references
    return [each for each in references if each not in there]


def test_the_bundles_of_these_journeys_are_valid() -> None:
    """What is sent is what a map would make: valid R4."""
    assert is_valid(laboratory(12)) and is_valid(admission(conditions=7))


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("results", [2, 10, 60])
def test_sent_again_nothing_is_doubled(server: FhirServer, runner: Runner, options: dict[str, Any], results: int) -> None:
    """A report of any size, sent, resent, and resent after a restart with and without memory, stands once."""
    lane = Lane(runner, server.url, **options)
    for _ in range(2):
        assert sent(lane.send(laboratory(results), laboratory(results)))
    assert sent(Lane(runner, server.url, **options).send(laboratory(results)))
    assert server.counts(*TYPES) == {"Patient": 1, "Practitioner": 1, "ServiceRequest": 1, "DiagnosticReport": 1, "Observation": results}
    assert not dangling(server) and len(server.all("DiagnosticReport")[0]["result"]) == results


@pytest.mark.parametrize("options", WAYS)
def test_a_patient_is_updated(server: FhirServer, runner: Runner, options: dict[str, Any]) -> None:
    """Created, overwritten, and overwritten after a restart with and without memory; patient, visit and conditions stand once."""
    lane = Lane(runner, server.url, **options)
    assert sent(lane.send(laboratory(2)))
    assert sent(lane.send(admission(name="Doe", conditions=7), admission(name="Moe", conditions=7)))
    assert sent(Lane(runner, server.url, **options).send(admission(name="Roe", conditions=7)))
    assert server.counts("Patient", "Encounter", "Condition") == {"Patient": 1, "Encounter": 1, "Condition": 7}
    assert [each["name"][0]["family"] for each in server.all("Patient")] == ["Roe"]
    (patient,), (visit,) = server.all("Patient"), server.all("Encounter")
    assert visit["subject"]["reference"] == f"Patient/{patient['id']}" and len(visit["diagnosis"]) == 7
    assert {each["condition"]["reference"] for each in visit["diagnosis"]} == {f"Condition/{each['id']}" for each in server.all("Condition")}
    assert not dangling(server)


def test_more_than_eight_unknown_people(server: FhirServer, runner: Runner) -> None:
    """Fourteen resources, eleven of them shared and unknown: Medplum would refuse that many conditions."""
    doctors = [someone("Practitioner", f"doctor {number}") for number in range(8)]
    results = [observation(f"o{n}", performer=[to(f"doctor {m}") for m in range(4 * n, 4 * n + 4)]) for n in range(2)]
    bundle = transaction(*context(), *doctors, report("report", ["o0", "o1"]), *results)
    assert len(bundle["entry"]) == 14
    assert sent(Lane(runner, server.url).send(bundle, bundle))
    assert server.counts("Practitioner", "Observation") == {"Practitioner": 9, "Observation": 2}


@pytest.mark.parametrize("options", WAYS)
def test_lanes_at_once(server: FhirServer, runner: Runner, options: dict[str, Any]) -> None:
    """Reports of several patients with one doctor, all at once: nobody is made twice."""
    bundles = [laboratory(3, patient=f"patient {n % 4}", name=f"report {n}") for n in range(12)]
    assert sent(Lane(runner, server.url, **options).send(*bundles, together=True))
    assert server.counts(*TYPES) == {"Patient": 4, "Practitioner": 1, "ServiceRequest": 12, "DiagnosticReport": 12, "Observation": 36}
    assert not dangling(server)


@pytest.mark.parametrize("options", WAYS)
def test_corrections_end_with_the_last_word(server: FhirServer, runner: Runner, options: dict[str, Any]) -> None:
    """Preliminary, final, corrected; a late preliminary and a replayed final; results that are gone; a number used again."""
    lane, known = Lane(runner, server.url, **options), {}

    def told(order: int, time: str, rank: int, status: str, results: list[str], value: str, mode: str, patient: str = "patient") -> str:
        """What becomes of a message, by the register and then at the receiver."""
        entries = [*context(patient), report("report", results, patient, status=status)]
        bundle = transaction(*entries, *(observation(each, patient, value, status=status) for each in results))
        fact = ReportFact("accession 1", patient, time, rank, uuid("report"), tuple(map(uuid, results)))
        decision = decide([fact], known, mode, order=order)  # type: ignore[arg-type]
        if not decision.send:
            return decision.hold or "superseded"
        assert sent(lane.send(apply(bundle, Part(), decision)))
        known.update({row.key: row for row in decision.rows})
        return "sent"

    assert told(1, "08:00", 1, "preliminary", ["a", "b"], "1.0", "delta") == "sent"
    assert told(2, "09:00", 2, "final", ["a", "b"], "2.0", "delta") == "sent"
    assert told(3, "10:00", 3, "corrected", ["a", "b", "c"], "3.0", "delta") == "sent"
    assert told(4, "08:30", 1, "preliminary", ["a"], "9.0", "delta") == "superseded"
    assert told(2, "09:00", 2, "final", ["a", "b"], "2.0", "delta") == "superseded"
    assert told(5, "11:00", 3, "corrected", ["c"], "5.0", "delta") == "sent"
    assert told(6, "12:00", 3, "corrected", ["a"], "6.0", "delta", patient="somebody else") == "identity_conflict"
    found = {each["code"]["text"]: (each["status"], each["valueQuantity"]["value"]) for each in server.all("Observation")}
    assert found == {"a": ("corrected", 3), "b": ("corrected", 3), "c": ("corrected", 5)}
    assert len(server.all("DiagnosticReport")[0]["result"]) == 3 and not dangling(server)

    assert told(7, "13:00", 3, "corrected", ["a"], "7.0", "snapshot") == "sent"
    found = {each["code"]["text"]: (each["status"], each["valueQuantity"]["value"]) for each in server.all("Observation")}
    assert found == {"a": ("corrected", 7), "b": ("entered-in-error", 3), "c": ("entered-in-error", 5)}
    assert len(server.all("DiagnosticReport")[0]["result"]) == 1
    assert server.counts("Patient", "DiagnosticReport", "Observation") == {"Patient": 1, "DiagnosticReport": 1, "Observation": 3}
    assert isinstance(known["accession 1"], Row)


def test_put_creates_and_conditional_identity_finds(server: FhirServer, runner: Runner) -> None:
    """This server creates on update: results are under our ids.  With conditional identity it chooses its own."""
    Lane(runner, server.url).send(laboratory(1))
    assert server.read(f"Observation/{uuid('report result 0')}") is not None
    server.forget()
    Lane(runner, server.url, identity="conditional").send(laboratory(1))
    assert server.read(f"Observation/{uuid('report result 0')}") is None
    identifier = f"https://site.example/result-key|{uuid('report result 0')}"
    assert len(server.all("Observation", identifier=identifier)) == 1


def test_refused_content_is_refused_whole(server: FhirServer, runner: Runner) -> None:
    """One wrong code, and neither results nor report are there; the OperationOutcome is kept, the next message goes on."""
    bundle = transaction(*context(), report("report", ["a", "b"]), observation("a"), observation("b", status="nonsense"))
    (outcome,) = Lane(runner, server.url).send(bundle)
    assert (outcome.verdict, outcome.code) == (Verdict.REFUSED, "400") and b"OperationOutcome" in outcome.response
    assert server.counts("DiagnosticReport", "Observation") == {"DiagnosticReport": 0, "Observation": 0}
    assert sent(Lane(runner, server.url).send(laboratory(2)))


def test_two_patients_with_one_number_are_held(server: FhirServer, runner: Runner) -> None:
    """What matches twice is for a person to settle."""
    for _ in range(2):
        server.create(context()[0]["resource"])
    (outcome,) = Lane(runner, server.url).send(laboratory(2))
    assert (outcome.verdict, outcome.code) == (Verdict.HELD, "412") and not server.all("Observation")


def test_numbers_that_need_escaping_match_nobody_else(server: FhirServer, runner: Runner) -> None:
    """A comma, a plus, a bar in a number: one patient each, also when sent again; no result for another's patient."""
    numbers = ["A", "1", "A,1", "A+B", "A B", "A|1", "A$1", "A\\,1", "Ä&b=c#d"]
    bundles = []
    for number in numbers:
        patient = someone("Patient", number, gender="female")
        patient["request"]["ifNoneExist"] = criterion("https://site.example/Patient", number)
        bundles.append(transaction(patient, observation(f"of {number}", patient=number)))
    for _ in range(2):
        outcomes = Lane(runner, server.url).send(*bundles)
    held = {number for number, outcome in zip(numbers, outcomes, strict=True) if outcome.verdict is not Verdict.SENT}
    assert held <= {"A|1"}, "this server reads an escaped bar as the end: noticed before a result is sent"
    assert sorted(each["identifier"][0]["value"] for each in server.all("Patient")) == sorted(set(numbers) - held)
    for number in numbers:
        results = [each for each in server.all("Observation") if each["code"]["text"] == f"of {number}"]
        patients = [server.read(each["subject"]["reference"]) for each in results]
        assert [each and each["identifier"][0]["value"] for each in patients] == ([] if number in held else [number])


def test_documents_and_provenance(server: FhirServer, runner: Runner) -> None:
    """A PDF is one Binary that a DocumentReference points at; where ids are not ours it is inline, and the Provenance stays away."""
    binary = owned("Binary", "pdf", contentType="application/pdf", data="JVBERi0=")
    content = [{"attachment": {"contentType": "application/pdf", "url": f"urn:uuid:{uuid('pdf')}"}}]
    document = owned("DocumentReference", "document", status="current", subject=to("patient"), content=content)
    provenance = owned(
        "Provenance", "provenance", target=[to("document")], recorded="2024-01-01T00:00:00Z", agent=[{"who": {"display": "laboratory"}}]
    )
    bundle = transaction(*context(), document, binary, provenance)
    assert is_valid(bundle)
    assert sent(Lane(runner, server.url).send(bundle, bundle))
    assert server.counts("DocumentReference", "Provenance") == {"DocumentReference": 1, "Provenance": 1}
    server.forget()
    assert sent(Lane(runner, server.url, identity="conditional").send(bundle, bundle))
    assert server.counts("DocumentReference", "Provenance") == {"DocumentReference": 1, "Provenance": 0}
    assert server.all("DocumentReference")[0]["content"][0]["attachment"]["data"] == "JVBERi0="


WORLD = Context(
    datetime(2024, 3, 1, tzinfo=timezone.utc),
    timezone="Europe/Zurich",
    identity=Identity(base="https://site.example", secret="not a secret"),
)


@pytest.fixture(scope="module")
def convert() -> Any:
    """HL7 bytes to a Document, by the packaged maps."""
    converter = Library.load().converter("auto", MapOptions())

    def converted(content: bytes) -> Document:
        made = converter(parse(content), WORLD)
        return Document(FHIR_JSON, made.bundle, WORLD, parts=made.parts)

    return converted


def results_of(server: FhirServer) -> dict[str, int]:
    return server.counts("Patient", "Practitioner", "Encounter", "Specimen", *TYPES[2:])


def everything(document: Document) -> list[Document]:
    """A document for each part that may leave."""
    return [replace(document, parts=(part,)) for part in document.parts if not part.hold]


def sent_as_parts(runner: Runner, server: FhirServer, documents: list[Document]) -> list[Outcome]:
    async def sending() -> list[Outcome]:
        running = await FhirDestination(url=server.url).open(runner.surroundings(Path(".")))
        try:
            return [await running.send(Outgoing(each, 1, "MSG1", 1)) for each in documents]
        finally:
            await running.close()

    return runner.run(sending(), timeout=120)


def test_the_example_feed_arrives_once(server: FhirServer, runner: Runner, convert: Any) -> None:
    """What the packaged maps make of the example's messages is taken whole, and a second time changes nothing."""
    files = sorted((ROOT / "examples" / "lab_results" / "messages").glob("*.hl7"))
    documents = [part for file in files for part in everything(convert(file.read_bytes()))]
    assert documents and sent(sent_as_parts(runner, server, documents))
    once = results_of(server)
    assert sent(sent_as_parts(runner, server, documents)) and results_of(server) == once


@pytest.mark.shared
def test_the_corpus_arrives_once(server: FhirServer, runner: Runner, convert: Any, shared: Path) -> None:
    """Every real message that may leave is taken by a server nobody here wrote, and a resend doubles nothing."""
    files = [file for folder in ("oru", "oul") for file in sorted((shared / "corpus" / folder).glob("*.hl7"))]
    converted = {file.name: convert(file.read_bytes()) for file in files}
    assert [(name, *map(str, validate(document.body))) for name, document in converted.items() if not is_valid(document.body)] == []
    documents = [part for document in converted.values() for part in everything(document)]
    assert len(documents) > 60 and sent(sent_as_parts(runner, server, documents))
    once = results_of(server)
    assert sent(sent_as_parts(runner, server, documents)) and results_of(server) == once

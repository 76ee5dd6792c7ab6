"""Keys that a map declares: what stays one thing from message to message, and what never becomes one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.transforms.mapping.conftest import Lab
from transforms.component import Resources
from transforms.document import HL7, Document
from transforms.errors import ConfigurationError
from transforms.hl7.message import parse
from transforms.mapping.library import Library
from transforms.mapping.to_fhir import Converted
from transforms.steps.map_to_fhir import MapToFhir

HEADER = "MSH|^~\\&|HIS|HOSP|EHR|CLINIC|20240115103000||ADT^A01^ADT_A01|77|P|2.5.1"
PID, VISIT = "PID|||1^^^MRN^MR||Doe^Jo", "PV1|1|I|W1||||||||||||||||V1^^^VISITS"
CONDITION = """map: DG1_Condition
rules:
  - { to: code, from: DG1-3, as: codeable_concept }
  - { to: recordedDate, from: DG1-5, as: date_time }
"""
MAP = """map: MINE
messages: [ADT_A01]
resources:
  - { make: Patient as patient, at: PID, with: PID, verb: update }
  - { make: Encounter as encounter, at: PV1, with: PV1, link: { subject: patient } }
  - { make: Condition as condition, each: DG1, with: DG1, link: { subject: patient }, identify: IDENTIFY }
"""
VISITS = "{ by: [DG1-20, [DG1-3, DG1-6]], of: encounter }"


def convert(*lines: str, identify: str = VISITS, header: str = HEADER) -> Converted:
    library = Library.load({"MINE.yaml": MAP.replace("IDENTIFY", identify), "DG1_Condition.yaml": CONDITION})
    return library.converter("MINE")(parse(Lab.message("EVN|A01|20240115102900", *lines, header=header)), Lab.CONTEXT)


def ids(converted: Converted) -> list[str]:
    return [each["id"] for each in Lab.of(converted, "Condition")]


def dg1(code: str = "I10^High^I10", kind: str = "A", number: str = "", when: str = "2024") -> str:
    return f"DG1|1||{code}||{when}|{kind}" + "|" * 14 + number


def test_it_is_put_by_an_id_of_its_key() -> None:
    """The id is the key's, the same whatever else the message says; the identifier holds it."""
    first, again = convert(PID, VISIT, dg1()), convert(PID, VISIT, dg1(when="2025"), header=HEADER.replace("|77|", "|78|"))
    assert ids(first) == ids(again) and len(ids(first)) == 1
    (entry,) = (each for each in first.bundle["entry"] if each["resource"]["resourceType"] == "Condition")
    (uid,) = ids(first)
    assert entry["request"] == {"method": "PUT", "url": f"Condition/{uid}"} and entry["fullUrl"] == f"urn:uuid:{uid}"
    assert entry["resource"]["identifier"][0] == {"system": "https://site.example/ids/result-key", "value": uid}


@pytest.mark.parametrize(
    "lines",
    [
        (PID, VISIT.replace("V1^", "V2^"), dg1()),
        (PID, VISIT, dg1("I11^Other^I10")),
        (PID, VISIT, dg1("I10^High^L")),
        (PID, VISIT, dg1(kind="F")),
        (PID, VISIT, dg1(number="D1")),
    ],
)
def test_what_the_key_is_made_of_tells_apart(lines: tuple[str, ...]) -> None:
    """Another visit, another code or the same of another system, another of the fields, a number."""
    assert ids(convert(PID, VISIT, dg1())) != ids(convert(*lines))


def test_the_first_that_says_something_is_taken() -> None:
    """With a number the code may change; `""` says nothing."""
    assert ids(convert(PID, VISIT, dg1(number="D1^LIST"))) == ids(convert(PID, VISIT, dg1("X^Y^L", number="D1^LIST")))
    assert ids(convert(PID, VISIT, dg1(number='""'))) == ids(convert(PID, VISIT, dg1()))


def test_equal_keys_are_counted_or_one() -> None:
    """Twice the same in one message: two of them, or with `once` one that has what either says."""
    assert len(set(ids(convert(PID, VISIT, dg1(), dg1())))) == 2
    converted = convert(PID, VISIT, dg1(when=""), dg1(), identify="{ by: DG1-3, of: patient, once: true }")
    (condition,) = Lab.of(converted, "Condition")
    assert condition["recordedDate"] == "2024"
    assert "DG1[2]-5" not in converted.leftover


def test_what_is_lost_by_being_one_is_left_over() -> None:
    """Two that are one and contradict each other: the second is in the ledger."""
    converted = convert(PID, VISIT, dg1(when="2023"), dg1(), identify="{ by: DG1-3, of: patient, once: true }")
    assert [each["recordedDate"] for each in Lab.of(converted, "Condition")] == ["2023"]
    assert "DG1[2]-5" in converted.leftover


@pytest.mark.parametrize("lines", [(PID, "PV1|1|I", dg1()), (PID, VISIT, dg1(""))])
def test_nothing_to_go_by(lines: tuple[str, ...]) -> None:
    """A visit without a number, or no field: known by the message, which is marked."""
    first, again = convert(*lines), convert(*lines, header=HEADER.replace("|77|", "|78|"))
    assert ids(first) != ids(again)
    marks: list[Any] = [each.get("meta", {}).get("tag") for each in Lab.of(first, "Condition")]
    assert marks in ([], [[{"code": "message_only", "display": "identity: message_only"}]])


def test_the_first_make_with_an_identity_is_what_it_belongs_to() -> None:
    """`of` may name several."""
    identify = "{ by: DG1-3, of: [encounter, patient] }"
    nobody = convert(PID, "PV1|1|I", dg1(), identify=identify)
    assert ids(nobody) == ids(convert(PID, "PV1|1|O", dg1(), identify=identify, header=HEADER.replace("|77|", "|78|")))
    assert ids(nobody) != ids(convert(PID, VISIT, dg1(), identify=identify))


def test_numbers_bring_their_sender() -> None:
    """Without `of`: a number with an authority is the same from everyone, one without is its sender's."""
    other = HEADER.replace("|HIS|", "|OTHER|")
    for number, same in (("D1^LIST^1.2.3^ISO", True), ("D1", False)):
        made = [ids(convert(PID, VISIT, dg1(number=number), identify="{ by: DG1-20 }", header=header)) for header in (HEADER, other)]
        assert (made[0] == made[1]) is same


def test_a_shared_resource_is_updated() -> None:
    """`verb: update`: a conditional update, in the place of a create where there is none."""
    requests = [each["request"] for each in convert(PID, VISIT).bundle["entry"]]
    assert requests == [
        {"method": "PUT", "url": "Patient?identifier=https%3A%2F%2Fsite.example%2Fids%2FHOSP%2FMRN%7C1"},
        {"method": "POST", "url": "Encounter", "ifNoneExist": "identifier=https%3A%2F%2Fsite.example%2Fids%2FHOSP%2FVISITS%7CV1"},
    ]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        ("identify: { by: DG1-20, of: encountr }", "unknown_make"),
        ("identify: { by: [DG1-20, [DG1_3]] }", "no_path"),
        ("identify: { of: encounter }", "identify"),
        ("identify: { by: DG1-20, off: encounter }", "unknown_key"),
        ("identify: { by: DG1-20 }, verb: update", "no_verb"),
        ("identify: nothing, verb: upsert", "unknown_verb"),
        ("identify: nobody", "unknown_identity"),
    ],
)
def test_what_means_nothing_is_said(make: str, code: str) -> None:
    """Each with its line."""
    text = MAP.replace("identify: IDENTIFY", make)
    with pytest.raises(ConfigurationError) as caught:
        Library.load({"MINE.yaml": text, "DG1_Condition.yaml": CONDITION})
    assert [(each.code, each.line) for each in caught.value.problems] == [(code, 6)]


def test_what_is_overwritten_is_a_fact_for_the_register() -> None:
    """Updates and what has a declared key, with EVN-2; no patient where the key begins with one, for that is asked about itself."""
    converted = convert(PID, VISIT, dg1())
    (part,) = converted.parts
    patient, condition = (each["fullUrl"].removeprefix("urn:uuid:") for each in converted.bundle["entry"][::2])
    assert part.lane == patient
    assert [(each.key, each.patient, each.time, each.rank) for each in part.facts] == [
        (patient, "", "2024-01-15T10:29:00.000000Z", 0),
        (condition, "", "2024-01-15T10:29:00.000000Z", 0),
    ]
    (fact,) = convert(PID, VISIT, dg1(number="D1"), identify="{ by: DG1-20 }").parts[0].facts[1:]
    assert fact.patient == patient, "a number may come back for another patient"


def test_what_is_known_by_its_message_is_no_fact() -> None:
    """Nothing later can be about it."""
    assert len(convert(PID, "PV1|1|I", dg1()).parts[0].facts) == 1


def test_without_an_event_the_message_has_the_time() -> None:
    """EVN-2 is empty: MSH-7."""
    library = Library.load({"MINE.yaml": MAP.replace("IDENTIFY", VISITS), "DG1_Condition.yaml": CONDITION})
    converted = library.converter("MINE")(parse(Lab.message(PID, VISIT, header=HEADER)), Lab.CONTEXT)
    assert converted.parts[0].facts[0].time == "2024-01-15T10:30:00.000000Z"


def test_keys_come_from_the_message_as_received() -> None:
    """A step that tidies what a key is made of makes no second thing of it."""
    library = Library.load({"MINE.yaml": MAP.replace("IDENTIFY", VISITS), "DG1_Condition.yaml": CONDITION})
    step = MapToFhir("MINE").prepare(Resources(maps={"MINE.yaml": MAP.replace("IDENTIFY", VISITS), "DG1_Condition.yaml": CONDITION}))
    received = parse(Lab.message(PID, VISIT, dg1(), header=HEADER))
    changed = received.replace("DG1-3.1", "I10.0").replace("PV1-2", "O")
    document = step(Document(HL7, received, Lab.CONTEXT).with_body(changed))
    as_received = library.converter("MINE")(received, Lab.CONTEXT)
    (condition,) = [each["resource"] for each in document.body["entry"] if each["resource"]["resourceType"] == "Condition"]
    assert [condition["id"]] == ids(as_received) and condition["code"]["coding"][0]["code"] == "I10.0"
    assert document.parts[0].facts == as_received.parts[0].facts


def test_what_is_no_longer_so_is_told() -> None:
    """`""` in a field of what is updated: the element goes at the receiver, unless another field gives it."""
    said = 'PID|||1^^^MRN^MR||Doe^Jo||""||||""||""|^PRN^PH^^^^5551234|||||||||||||||""|'
    removed = convert(said).parts[0].facts[0].removed
    assert set(removed) == {"birthDate", "address", "deceased"}
    assert convert(PID, VISIT.replace("|W1|", '|""|')).parts[0].facts[0].removed == ()

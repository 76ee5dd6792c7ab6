"""Merges at a receiver: what a message does not say stays, what is replaced says so, and taking back leaves no trace."""

from __future__ import annotations

from typing import Any

import pytest

from channels.fhir.amending import amended
from channels.fhir.conversation import Request
from channels.fhir.overlay import overlaid
from channels.fhir.references import References
from channels.message import Verdict
from tests.channels.fhir.bundles import laboratory, shared, to, transaction, updated
from tests.channels.fhir.receiver import Receiver
from tests.channels.fhir.test_updates import HABITS, identity
from transforms.document import Identity, Merge
from transforms.mapping.merging import undoing

MERGE = Merge("Patient", "A40", ("https://site.example/Patient", "old"), ("https://site.example/Patient", "new"))


def nothing(target: str) -> str:
    return ""


def merge(**elements: Any) -> dict[str, Any]:
    """The bundle of a merge of `old` into `new`."""
    return transaction(
        updated("Patient", "new", name=[{"family": "Roe"}], link=[{"other": to("old"), "type": "replaces"}], **elements),
        updated("Patient", "old", name=[{"family": "Prior"}], active=False, link=[{"other": to("new"), "type": "replaced-by"}]),
    )


def people(receiver: Receiver) -> dict[str, Any]:
    return {each["identifier"][0]["value"]: each for each in receiver.of("Patient")}


def before(receiver: Receiver, references: References) -> None:
    """Both patients are there, with all that is known of them."""
    for name in ("old", "new"):
        whole = {"name": [{"family": name}], "birthDate": "1980-01-01", "active": True, "address": [{"city": name}]}
        assert receiver.takes(transaction(updated("Patient", name, **whole)), references).verdict is Verdict.SENT


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize("again", [1, 2])
def test_a_merge(remembers: bool, again: int) -> None:
    """One active, one not, each linked to the other; nothing that was known of either is lost.  Sent again it changes nothing."""
    receiver, references = Receiver(), References()
    before(receiver, references)
    for _ in range(again):
        assert receiver.takes(merge(birthDate="1980-02-02"), references if remembers else None).verdict is Verdict.SENT
    found = people(receiver)
    old, new = found["old"], found["new"]
    assert len(found) == 2 and not receiver.dangling()
    assert (new["active"], new["birthDate"], new["address"], new["name"]) == (True, "1980-02-02", [{"city": "new"}], [{"family": "Roe"}])
    assert (old["active"], old["birthDate"], old["address"], old["name"]) == (False, "1980-01-01", [{"city": "old"}], [{"family": "old"}])
    assert old["link"] == [{"other": {"reference": f"Patient/{new['id']}"}, "type": "replaced-by"}]
    assert new["link"] == [{"other": {"reference": f"Patient/{old['id']}"}, "type": "replaces"}]


@pytest.mark.parametrize("habits", HABITS)
@pytest.mark.parametrize("settings", [{}, {"max_entries": 3}, {"max_conditional": 0}, {"max_conditional": 0, "max_entries": 2}])
@pytest.mark.parametrize("remembers", [True, False])
def test_there_and_back_at_every_kind_of_receiver(habits: dict[str, Any], settings: dict[str, Any], remembers: bool) -> None:
    """Twice each: two patients, linked and then not, with what was known of them and their own number alone."""
    receiver, references = Receiver(**habits), References()
    before(receiver, references)
    for bundle, active, links in ((merge(), False, 1), (undoing([MERGE], Identity()), True, 0)):
        for _ in range(2):
            outcome = receiver.takes(bundle, references if remembers else None, **settings, **identity(habits))
            assert outcome.verdict is Verdict.SENT, outcome
            found = people(receiver)
            assert len(receiver.of("Patient")) == 2 and not receiver.dangling()
            assert (found["old"]["active"], found["new"]["active"]) == (active, True) and found["old"]["birthDate"] == "1980-01-01"
            assert all(len(each.get("link", ())) == links and len(each["identifier"]) == 1 for each in found.values())


def test_a_merge_of_patients_nobody_knew() -> None:
    """Both are made."""
    receiver = Receiver()
    assert receiver.takes(merge()).verdict is Verdict.SENT
    found = people(receiver)
    assert set(found) == {"old", "new"} and found["old"]["active"] is False and not receiver.dangling()


def test_a_later_update_keeps_the_link() -> None:
    """What the alias table says of the prior number is what stands there already."""
    receiver, references = Receiver(), References()
    receiver.takes(merge(), references)
    link = {"other": {"type": "Patient", "identifier": {"system": MERGE.prior[0], "value": "old"}}, "type": "replaces"}
    receiver.takes(transaction(updated("Patient", "new", gender="female", link=[link])), references)
    found = people(receiver)
    assert found["new"]["link"] == [{"other": {"reference": f"Patient/{found['old']['id']}"}, "type": "replaces"}]
    assert (found["new"]["gender"], found["new"]["name"]) == ("female", [{"family": "Roe"}])


@pytest.mark.parametrize("remembers", [True, False])
def test_taking_it_back(remembers: bool) -> None:
    """Both are active and linked to nobody; what else was said meanwhile stays.  A receiver that knows neither is told nothing."""
    receiver, references = Receiver(), References()
    before(receiver, references)
    receiver.takes(merge(), references)
    later = updated("Patient", "new", gender="female", link=[{"other": to("old"), "type": "replaces"}])
    receiver.takes(transaction(later, shared("Patient", "old")), references)
    bundle = undoing([MERGE], Identity())
    for _ in range(2):
        outcome = receiver.takes(bundle, references if remembers else None)
        assert outcome.verdict is Verdict.SENT, outcome
    found = people(receiver)
    assert found["old"]["active"] is True and found["new"]["gender"] == "female" and found["old"]["birthDate"] == "1980-01-01"
    assert not any("link" in each for each in found.values())
    receiver.requests.clear()
    receiver.takes(bundle, references)
    assert all(each.method == "GET" for each in receiver.requests)  # there is nothing left to change
    assert Receiver().takes(bundle).verdict is Verdict.SENT


def test_somebody_else_writes_meanwhile() -> None:
    """Read again: nothing of either is lost."""
    receiver, references = Receiver(), References()
    before(receiver, references)
    times: list[Request] = []

    def meanwhile(request: Request) -> None:
        if request.method == "POST" and not times:  # between reading and writing
            times.append(request)
            receiver.takes(transaction(updated("Patient", "new", language="de", birthDate="1980-01-01")), References())

    assert receiver.takes(merge(), references, meanwhile).verdict is Verdict.SENT
    assert people(receiver)["new"]["language"] == "de" and people(receiver)["old"]["active"] is False


def test_a_patient_the_receiver_has_no_longer() -> None:
    """It is made again."""
    receiver, references = Receiver(), References()
    before(receiver, references)
    receiver.resources.clear()
    assert receiver.takes(merge(), references).verdict is Verdict.SENT
    assert set(people(receiver)) == {"old", "new"} and not receiver.dangling()


def test_an_order_of_results_is_as_before() -> None:
    """Nothing is read where nothing is linked."""
    receiver, references = Receiver(), References()
    receiver.takes(laboratory(1), references)
    receiver.requests.clear()
    receiver.takes(laboratory(2), references)
    assert [each.method for each in receiver.requests] == ["POST"]


def test_choices_and_contained_resources() -> None:
    """Of a choice the new type stands alone; contained resources come along with what points at them."""
    theirs = {
        "resourceType": "Patient", "id": "1", "text": {"status": "generated"}, "deceasedBoolean": True, "birthDate": "1980", "_birthDate": {"id": "x"},
        "generalPractitioner": [{"reference": "#a"}], "contained": [{"resourceType": "Organization", "id": "a", "name": "theirs"}],
    }  # fmt: skip
    ours = {
        "resourceType": "Patient", "deceasedDateTime": "2026", "birthDate": "1981", "managingOrganization": {"reference": "#b"},
        "contained": [{"resourceType": "Organization", "id": "b"}], "link": [],
    }  # fmt: skip
    found = overlaid(theirs, ours, nothing)
    assert "deceasedBoolean" not in found and "_birthDate" not in found and "text" not in found and found["id"] == "1"
    assert [each["id"] for each in found["contained"]] == ["b", "a"]
    visit = {"resourceType": "Encounter", "id": "1", "status": "finished", "period": {"start": "2026"}, "class": {"code": "IMP"}}
    retired = {"resourceType": "Encounter", "status": "entered-in-error", "class": {"code": "AMB"}, "partOf": {"reference": "Encounter/2"}}
    assert overlaid(visit, retired, nothing) == {**visit, "status": "entered-in-error", "partOf": {"reference": "Encounter/2"}}


def test_a_visit_is_taken_back() -> None:
    """What its status was is not known."""
    merged = Merge("Encounter", "A50", ("urn:v", "1"), ("urn:v", "2"))
    patch = undoing([merged], Identity())["entry"][0]["resource"]
    theirs = {"resourceType": "Encounter", "status": "entered-in-error", "partOf": {"reference": "Encounter/2"}, "class": {"code": "IMP"}}
    assert amended(theirs, patch, nothing) == {"resourceType": "Encounter", "status": "unknown", "class": {"code": "IMP"}}

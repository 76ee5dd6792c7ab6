"""From a pure bundle to what is sent."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.fhir.plan import ahead, carries, literal_of, pointed, sort, split, token, transaction
from tests.channels.fhir.bundles import laboratory, observation, owned, report, shared, to, uuid
from tests.channels.fhir.bundles import transaction as bundle_of
from transforms.fhir.serialization import dumps, loads
from transforms.mapping.identity import criterion


def test_entries_are_sorted_by_how_they_are_sent() -> None:
    """Shared by criterion, owned by id; the criterion is what a destination remembers."""
    content = sort(laboratory(results=2))
    assert [each.type_name for each in content.shared] == ["Patient", "Practitioner", "ServiceRequest"]
    assert content.shared[0].key == "Patient?identifier=https%3A%2F%2Fsite.example%2FPatient%7Cpatient"
    assert [entry["request"]["url"].partition("/")[0] for entry in content.owned] == ["DiagnosticReport", "Observation", "Observation"]


def test_a_part_is_sent_alone() -> None:
    """Only a part's entries count."""
    content = sort(laboratory(results=2), (0, 3))
    assert [each.type_name for each in content.shared] == ["Patient"] and len(content.owned) == 1


def test_one_identity_twice_becomes_one() -> None:
    """Two entries with one criterion, or one id, are one; what pointed at the second points at the first."""
    first, second = shared("Practitioner", "practitioner"), shared("Practitioner", "practitioner")
    second["fullUrl"] = f"urn:uuid:{uuid('the same again')}"
    content = sort(bundle_of(first, second, observation("a", value="1"), observation("a", value="2")))
    assert len(content.shared) == 1 and content.same == {second["fullUrl"]: first["fullUrl"]}
    assert [str(entry["resource"]["valueQuantity"]["value"]) for entry in content.owned] == ["2"]


def test_known_references_become_literal_and_nothing_else_changes() -> None:
    """The bytes are those of the bundle, but for the references that are known; decimals keep their spelling."""
    bundle = laboratory(results=1)
    content = sort(bundle)
    body = transaction(bundle, content.owned, {f"urn:uuid:{uuid('patient')}": "Patient/123"})
    sent = loads(body)
    assert {entry["resource"]["subject"]["reference"] for entry in sent["entry"]} == {"Patient/123"}
    assert b'"value":98.50' in body and sent["identifier"] == bundle["identifier"]
    assert body.replace(b"Patient/123", f"urn:uuid:{uuid('patient')}".encode()) == dumps({**bundle, "entry": content.owned})


def test_ahead_comes_what_others_point_at() -> None:
    """An order that points at its patient is created after the patient."""
    content = sort(bundle_of(*reversed(laboratory()["entry"][:3])))
    order = [each.type_name for each in ahead(content.shared)]
    assert order.index("ServiceRequest") == 2


@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 3))
def test_portions_hold_everything_once_and_point_backwards(results: int, most: int, reports: int) -> None:
    """However it is split: nothing lost, nothing twice, no portion too large, nothing pointing at what comes later."""
    names = [[f"{number} {result}" for result in range(results)] for number in range(reports)]
    entries = [report(f"report {number}", each) for number, each in enumerate(names)] + [
        observation(each) for some in names for each in some
    ]
    portions = list(split(entries, most))
    sent = [entry["fullUrl"] for portion in portions for entry in portion]
    assert sorted(sent) == sorted(entry["fullUrl"] for entry in entries)
    assert all(len(portion) <= most for portion in portions)
    before: set[str] = set()
    for portion in portions:
        here = {entry["fullUrl"] for entry in portion}
        for entry in portion:
            assert pointed(entry["resource"]) & set(sent) <= here | before
        before |= here


def test_small_reports_stay_whole() -> None:
    """A split runs between reports where it can."""
    entries = [each for n in range(3) for each in (report(f"r{n}", [f"o{n}"]), observation(f"o{n}"))]
    assert [len(portion) for portion in split(entries, 4)] == [4, 2]


def test_a_circle_is_cut() -> None:
    """Resources that point at each other do not stop a split."""
    entries = [owned("Observation", "a", hasMember=[to("b")]), owned("Observation", "b", hasMember=[to("a")])]
    assert [len(portion) for portion in split(entries, 1)] == [1, 1]
    assert literal_of(entries[0]) == f"Observation/{uuid('a')}"


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_criterion_gives_back_what_it_was_made_of(system: str, value: str) -> None:
    """Escaped and encoded, a system and value come back exactly: what a match is compared with."""
    made = "Patient?" + criterion(system, value)
    assert token(made) == (system, value)
    assert carries({"identifier": [{"system": system, "value": value}]}, made) is True
    assert carries({"identifier": [{"system": system, "value": value + "x"}]}, made) is False


@pytest.mark.parametrize("condition", ["name=x", f"identifier={quote('a|b')}&name=x", "identifier=novalue", ""])
def test_other_criteria_cannot_be_compared(condition: str) -> None:
    """What is no single token with a system says nothing about identity."""
    assert token(f"Patient?{condition}") is None and carries({}, f"Patient?{condition}") is None

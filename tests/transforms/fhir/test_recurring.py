"""What fitted once fits again, and nothing else does."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.fhir import recurring
from transforms.fhir.schema import schema_of
from transforms.fhir.validation import is_valid, validate

CODE = {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation", "id": "a1", "status": "final", "category": [{"text": "laboratory"}], "code": CODE,
    "effectiveDateTime": "2026-03-04", "valueQuantity": {"value": 95, "unit": "mg/dL"},
}  # fmt: skip
VALUES = st.sampled_from(
    ["final", "bogus", "", "2026-03-04", "a1", 1, None, True, [], {}, CODE, [CODE], {"text": "x"}, [{"text": ""}], {"reference": "Patient/1"}]
)  # the same objects again and again, some of them where they do not belong


def test_a_value_seen_under_one_element_is_not_known_under_another() -> None:
    """One object, right as `code` and wrong as `category`."""
    assert recurring.check("Observation")(OBSERVATION)
    for _ in range(2):
        assert not recurring.check("Observation")({**OBSERVATION, "category": CODE})
        assert not recurring.check("Observation")({**OBSERVATION, "status": OBSERVATION["id"]})


def test_what_did_not_fit_is_looked_at_again() -> None:
    """A refusal is not remembered as anything."""
    wrong = [{"text": ""}]
    for _ in range(3):
        assert not recurring.check("Observation")({**OBSERVATION, "category": wrong})
    wrong[0]["text"] = "mended"
    assert recurring.check("Observation")({**OBSERVATION, "category": wrong})


@pytest.mark.parametrize("name", ["status", "code"])
def test_elements_that_must_be_there_are_asked_for_each_time(name: str) -> None:
    """Known values do not make up for missing ones."""
    for _ in range(2):
        assert recurring.check("Observation")(OBSERVATION)
        assert not recurring.check("Observation")({key: value for key, value in OBSERVATION.items() if key != name})


def test_no_more_is_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of codes and of combinations of elements cost no more memory than some do."""
    monkeypatch.setattr(recurring, "KEPT", 10)
    check = recurring.check("Patient")
    for number in range(100):
        assert check({"resourceType": "Patient", "maritalStatus": {"text": str(number)}, "id": str(number)})
    assert len(check._known["maritalStatus"]) <= 10  # type: ignore[attr-defined]


def test_a_rule_on_values_keeps_a_type_whole() -> None:
    """org-2 and org-3 look into addresses and telecoms."""
    organization = {"resourceType": "Organization", "name": "x", "address": [{"use": "home"}]}
    assert not recurring.check("Organization")(organization)
    assert recurring.check("Organization")({**organization, "address": [{"use": "work"}]})


def test_what_is_no_type_fits_nothing() -> None:
    """Neither a data type nor a made-up name is a resource."""
    assert not recurring.check("Quantity")({"value": 1}) and not recurring.check("Nothing")({})


@given(st.lists(st.tuples(st.sampled_from([*OBSERVATION, "subject", "wrong", "contained", "valueString"]), VALUES), max_size=3))
@settings(max_examples=300, deadline=None)
def test_quickly_and_in_words_say_the_same(changes: list[tuple[str, Any]]) -> None:
    """Whatever was seen before: with changed elements, old objects in new places, a bundle around."""
    changed = {**OBSERVATION, **dict(changes)}
    whole = recurring.compiled(schema_of("Observation"))
    if changed.get("resourceType") == "Observation":
        assert recurring.check("Observation")(changed) == whole(changed) == whole(copy.deepcopy(changed))
    assert is_valid(changed) == (not validate(changed))


ENTRY = {
    "fullUrl": "urn:uuid:a1", "resource": {"resourceType": "Patient", "id": "a1"}, "request": {"method": "PUT", "url": "Patient/a1"},
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"fullUrl": "urn:uuid:b b"}, {"fullUrl": 1}, {"fullUrl": None}, {"request": {"method": "PUT"}}, {"request": []}, {"resource": []},
        {"request": {"method": "put", "url": "Patient/a1"}}, {"request": {"method": "PUT", "url": "Patient/a1", "ifMatch": ""}},
        {"more": 1}, {"resource": {"resourceType": "Patient", "id": "a b"}}, {"resource": {"resourceType": "Patient", "id": 1}},
        {"resource": {"resourceType": ["Patient"], "id": "a1"}}, {"resource": {"id": "a1"}},
    ],
)  # fmt: skip
def test_entries_of_the_usual_form_are_not_waved_through(change: dict[str, Any]) -> None:
    """An entry that differs in one thing from one that puts a resource by its id is held against the schema."""
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [ENTRY, ENTRY | {"fullUrl": "urn:uuid:a2"} | change]}
    assert not is_valid(bundle) and validate(bundle)
    assert is_valid({**bundle, "entry": [ENTRY]})

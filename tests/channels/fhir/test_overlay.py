"""What an update leaves of what the receiver has."""

from __future__ import annotations

from typing import Any

import pytest

from channels.fhir.overlay import overlaid, same

THEIRS = {
    "resourceType": "Patient",
    "id": "7",
    "meta": {"versionId": "3", "lastUpdated": "2024-01-01T00:00:00Z", "tag": [{"code": "theirs"}]},
    "text": {"status": "generated", "div": "<div>Doe</div>"},
    "identifier": [{"system": "a", "value": "1"}, {"system": "b", "value": "2"}],
    "name": [{"family": "Doe"}],
    "_birthDate": {"extension": [{"url": "u", "valueString": "cut"}]},
    "multipleBirthInteger": 2,
    "extension": [{"url": "x", "valueString": "theirs"}, {"url": "y", "valueString": "theirs"}],
}


@pytest.mark.parametrize(
    ("ours", "found"),
    [
        ({"name": [{"family": "Roe"}]}, {"name": [{"family": "Roe"}]}),
        ({"birthDate": "1970"}, {"birthDate": "1970", "_birthDate": None}),
        ({"multipleBirthBoolean": False}, {"multipleBirthBoolean": False, "multipleBirthInteger": None}),
        ({"identifier": [{"system": "b", "value": "2", "use": "old"}]}, {"identifier": [{"system": "b", "value": "2", "use": "old"}, {"system": "a", "value": "1"}]}),
        ({"extension": [{"url": "x", "valueString": "ours"}]}, {"extension": [{"url": "x", "valueString": "ours"}, {"url": "y", "valueString": "theirs"}]}),
        ({"meta": {"tag": [{"code": "ours"}]}}, {"meta": {"tag": [{"code": "theirs"}, {"code": "ours"}]}}),
    ],
)
def test_what_is_said_replaces_what_is_not_stays(ours: dict[str, Any], found: dict[str, Any]) -> None:
    """An element with what stands beside it, a choice whatever its type, lists by what their items are about; an old narrative goes."""
    made = overlaid(THEIRS, {"resourceType": "Patient", **ours})
    expected = {**THEIRS, "meta": {"tag": [{"code": "theirs"}]}, "text": None, **found}
    assert made == {name: value for name, value in expected.items() if value is not None}


@pytest.mark.parametrize("ours", [{}, {"name": [{"family": "Doe"}]}, {"identifier": [{"system": "b", "value": "2"}]}, {"meta": {"tag": [{"code": "theirs"}]}}])
def test_nothing_new_is_the_very_same(ours: dict[str, Any]) -> None:
    """So that nothing is sent."""
    assert overlaid(THEIRS, {"resourceType": "Patient", **ours}) is THEIRS


def encounter(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Encounter", "id": "1", **more}


def doctor(name: str, id: str = "c1", **more: Any) -> dict[str, Any]:
    return {"resourceType": "PractitionerRole", "id": id, "code": [{"text": name}], **more}


def to(id: str) -> dict[str, str]:
    return {"reference": f"#{id}"}


def test_what_is_contained_stays_as_long_as_something_points_at_it() -> None:
    """Theirs under another name where ours has that one, with what it points at itself; what nothing points at goes."""
    place = {"resourceType": "Location", "id": "p", "name": "Ward"}
    theirs = encounter(
        contained=[doctor("theirs", location=[to("p")]), doctor("gone", "c2"), place],
        participant=[{"individual": to("c1")}],
        serviceProvider=to("c2"),
    )
    ours = encounter(contained=[doctor("ours")], serviceProvider=to("c1"))
    made = overlaid(theirs, ours)
    assert made["contained"] == [doctor("ours"), doctor("theirs", "c1-before", location=[to("p")]), place]
    assert (made["participant"], made["serviceProvider"]) == ([{"individual": to("c1-before")}], to("c1"))


def test_what_both_contain_stands_once() -> None:
    """The same under the same name."""
    theirs = encounter(contained=[doctor("one")], participant=[{"individual": to("c1")}])
    made = overlaid(theirs, encounter(contained=[doctor("one")], serviceProvider=to("c1")))
    assert made["contained"] == [doctor("one")]
    assert same(overlaid(made, encounter(contained=[doctor("one")], serviceProvider=to("c1"))), made)

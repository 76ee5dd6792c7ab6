"""Children keep their parents, in whatever order ORC, OBR, SPM, OBX and NTE come: results, notes and specimens of several orders.

Each order, result and note has a name that says whose it is, so wrong company is seen at once.  All orders may have one placer
number, which must not make one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.transforms.mapping.conftest import Lab
from transforms.fhir.serialization import dumps
from transforms.fhir.validation import validate

Resource = dict[str, Any]
LAB = Lab()


@dataclass(frozen=True)
class Order:
    """What one order of a message holds: numbers of notes, of results with their notes, and whether there is a specimen."""

    common: bool  # there is an ORC
    notes: int
    results: tuple[int, ...]
    specimen: bool
    number: str  # OBR-2; '' for its own


ORDERS = st.lists(
    st.builds(
        Order,
        common=st.booleans(),
        notes=st.integers(0, 2),
        results=st.lists(st.integers(0, 2), min_size=1, max_size=3).map(tuple),
        specimen=st.booleans(),
        number=st.sampled_from(("", "P1^PLACER")),
    ),
    min_size=1,
    max_size=3,
)
SAME = [Order(True, 1, (1, 0), True, "P1^PLACER"), Order(False, 0, (0, 2), False, "P1^PLACER"), Order(True, 2, (2,), True, "P1^PLACER")]


def notes(owner: str, count: int) -> Iterator[str]:
    for number in range(count):
        yield f"NTE|{number + 1}|L|note of {owner} {'xyz'[number]}"


def parts(name: str, order: Order) -> dict[str, list[str]]:
    """An order's segments by what they are."""
    placer = order.number or f"P{name}^PLACER"
    results = []
    for number, count in enumerate(order.results):
        results += [f"OBX|{number + 1}|NM|{name}{number}^Result^L||7|g|||||F", *notes(f"{name}{number}", count)]
    return {
        "ORC": [f"ORC|RE|{placer}|F{name}^FILLER"] if order.common else [],
        "OBR": [f"OBR|1|{placer}|F{name}^FILLER|{name}^Order^L|||20240115080000|||||||||||||||20240115102500|||F"],
        "NTE": [*notes(name, order.notes)],
        "OBX": results,
        "SPM": [f"SPM|1|S{name}^LAB^S{name}^LAB||BLD^Blood^HL70487"] if order.specimen else [],
    }


ARRANGEMENTS = {
    "ORU^R01^ORU_R01": (
        "ORC OBR NTE OBX SPM",
        "OBR ORC NTE OBX SPM",  # the ORC late
        "ORC OBR NTE SPM OBX",  # results behind the specimen: the order's all the same
    ),
    "OUL^R24^OUL_R24": ("OBR ORC NTE SPM OBX", "ORC OBR NTE SPM OBX", "OBR ORC NTE OBX SPM"),
    "OUL^R22^OUL_R22": ("SPM OBR ORC NTE OBX",),
    "OML^O21^OML_O21": ("ORC OBR NTE OBX SPM",),
}
CASES = [(event, order) for event, orders in ARRANGEMENTS.items() for order in orders]


def made(event: str, arrangement: str, orders: list[Order]) -> Resource:
    """The bundle of a message with these orders, their segments in this order."""
    lines = ["PID|||1^^^MRN^MR||Doe^Jo"]
    for name, order in zip("ABC", orders, strict=False):
        held = parts(name, order)
        lines += [line for kind in arrangement.split() for line in held[kind]]
    bundle = LAB.convert(*lines, header=LAB.HEADER.replace("ORU^R01", event)).bundle
    assert validate(bundle) == []
    return bundle


def own_notes(resource: Resource) -> list[str]:
    """The names of those whose notes stand in a resource."""
    return re.findall(r"note of (\w+ \w)", dumps(resource).decode())


def expected(owner: str, count: int) -> list[str]:
    return [f"{owner} {each}" for each in "xyz"[:count]]


def by_code(bundle: Resource, kind: str) -> dict[str, Resource]:
    """The resources of a type by the first letters of their code, which name them."""
    found = [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]
    named = {each["code"]["coding"][0]["code"]: each for each in found}
    assert len(named) == len(found)
    return named


def number_of(bundle: Resource, reference: Resource | None, holder: Resource) -> str:
    """The specimen number that a reference leads to."""
    if reference is None:
        return ""
    urls = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]} | {
        f"#{each['id']}": each for each in holder.get("contained", ())
    }
    numbers = re.findall(r'"value":"(S[ABC])"', dumps(urls[reference["reference"]]).decode())
    assert len(set(numbers)) == 1
    return numbers[0]


@pytest.mark.parametrize(("event", "arrangement"), [case for case in CASES if case[0][:3] != "OML"])
@settings(max_examples=25, deadline=None)
@given(orders=ORDERS)
@example(orders=SAME)
def test_results_notes_and_specimens_stay_with_their_order(event: str, arrangement: str, orders: list[Order]) -> None:
    """A report for each order with just its results; each note where it was written; each result from its order's material."""
    if event == "OUL^R22^OUL_R22":
        orders = [Order(each.common, each.notes, each.results, True, each.number) for each in orders]
    bundle = made(event, arrangement, orders)
    reports, observations = by_code(bundle, "DiagnosticReport"), by_code(bundle, "Observation")
    urls = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    assert sorted(reports) == sorted("ABC"[: len(orders)])
    for name, order in zip("ABC", orders, strict=False):
        codes = [f"{name}{number}" for number in range(len(order.results))]
        assert [urls[each["reference"]]["code"]["coding"][0]["code"] for each in reports[name]["result"]] == codes
        assert sorted(own_notes(reports[name])) == expected(name, order.notes)
        for code, count in zip(codes, order.results, strict=True):
            assert own_notes(observations[code]) == expected(code, count)
            specimen = number_of(bundle, observations[code].get("specimen"), observations[code])
            assert specimen == (f"S{name}" if order.specimen else "")
    assert len(observations) == sum(len(each.results) for each in orders)


@settings(max_examples=25, deadline=None)
@given(orders=ORDERS)
@example(orders=SAME)
def test_what_an_order_asks_for_stays_with_it(orders: list[Order]) -> None:
    """OML: a ServiceRequest for each order, also of one placer number, with its notes, answers and material."""
    orders = [Order(True, each.notes, each.results, each.specimen, "") for each in orders]
    bundle = made("OML^O21^OML_O21", "ORC OBR NTE OBX SPM", orders)
    requests, observations = by_code(bundle, "ServiceRequest"), by_code(bundle, "Observation")
    urls = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    assert sorted(requests) == sorted("ABC"[: len(orders)])
    for name, order in zip("ABC", orders, strict=False):
        codes = [f"{name}{number}" for number in range(len(order.results))]
        assert own_notes(requests[name]) == expected(name, order.notes)
        assert [urls[each["reference"]]["code"]["coding"][0]["code"] for each in requests[name].get("supportingInfo", ())] == codes
        specimens = [number_of(bundle, each, requests[name]) for each in requests[name].get("specimen", ())]
        assert specimens == ([f"S{name}"] if order.specimen else [])
        for code, count in zip(codes, order.results, strict=True):
            assert own_notes(observations[code]) == expected(code, count)

"""Which messages the rules of a filter take."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from transforms import rules
from transforms.component import Resources, discover, registry
from transforms.declaration.building import FAILED, Builder
from transforms.declaration.reading import read
from transforms.document import HL7, Context, Document
from transforms.hl7.message import parse
from transforms.pipeline import prepare

discover(rules)

MESSAGE = "\r".join(
    [
        "MSH|^~\\&|LAB|HOSP|EHR|HOSP|20240101||ORU^R01^ORU_R01|1|P|2.5.1",
        'PID|1||7^^^HOSP^MR~8^^^X^NI||Doe^J||""',
        "OBR|1||F1|GLU^Glucose^L",
        "OBX|1|NM|GLU^Glucose^L||5.5|mmol/L",
        "OBX|2|ST|COL^Colour^L||a\\S\\b",
    ]
)
DOCUMENT = Document(HL7, parse(MESSAGE.encode()), Context(datetime(2024, 1, 1, tzinfo=UTC)))


def rule(text: str):  # noqa: ANN201 - a declaration
    located = read(text, "f")
    builder = Builder(located, registry)
    built = builder.component("rule", located.value, ())
    assert built is not FAILED, builder.problems
    return prepare(built.declaration, Resources())


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("equals: { field: MSH-9.1, to: ORU }", True),
        ("equals: { field: MSH-9.1, to: ADT }", False),
        ("equals: { field: MSH-12, to: 2.5.1 }", True),
        ("equals: { field: PID-1, to: 1 }", True),
        ("equals: { field: PID-3.4, to: X }", False),
        ('equals: { field: "PID-3[*].4", to: X }', True),
        ('equals: { field: "OBX[*]-3.1", to: COL }', True),
        ("equals: { field: OBX-3.1, to: COL }", False),
        ('equals: { field: "OBX[2]-5", to: a^b }', True),
        ("equals: { field: ZZZ-1, to: x }", False),
        ("one_of: { field: MSH-4.1, values: [A, HOSP] }", True),
        ("one_of: { field: MSH-4.1, values: [A, B] }", False),
        ('one_of: { field: "OBX[*]-2", values: [ST, TX] }', True),
        ("matches: { field: OBR-3.1, pattern: 'F[0-9]' }", True),
        ("matches: { field: OBR-4.2, pattern: 'Glu' }", False),
        ("starts_with: { field: OBR-4.2, prefix: Glu }", True),
        ("starts_with: { field: OBR-4.2, prefix: [X, Glu] }", True),
        ("starts_with: { field: OBR-4.2, prefix: lu }", False),
        ("valued: PID-3", True),
        ("valued: { field: PID-3 }", True),
        ("valued: PID-7", False),
        ("valued: PID-8", False),
        ("exists: PID-7", True),
        ("exists: PID-8", False),
        ("exists: OBX", True),
        ("exists: 'OBX[2]'", True),
        ("exists: 'OBX[3]'", False),
        ("exists: SPM", False),
        ("absent: PID-7", False),
        ("absent: PID-8", True),
        ("absent: PV1-19", True),
        ("absent: SPM", True),
        ("absent: OBX", False),
        ("absent: 'OBX[3]'", True),
        ("type: ORU", True),
        ("type: ORU^R01", True),
        ("type: ORU^R02", False),
        ("type: [ADT, ORU^R01]", True),
        ("type: ADT", False),
        ("greater: { field: OBX-5, than: 5 }", True),
        ("greater: { field: OBX-5, than: 5.5 }", False),
        ('greater: { field: "OBX[2]-5", than: 0 }', False),
        ("less: { field: OBX-5, than: 5.51 }", True),
        ("less: { field: OBX-5, than: 5.5 }", False),
        ("not: { type: ORU }", False),
        ("not: { not: { type: ORU } }", True),
        ("all: [ type: ORU, valued: PID-3 ]", True),
        ("all: [ type: ORU, valued: PID-8 ]", False),
        ("any: [ type: ADT, valued: PID-3 ]", True),
        ("any: [ type: ADT, not: { valued: PID-3 } ]", False),
        ("all: [ any: [ type: ADT, type: ORU ], not: { absent: OBR } ]", True),
    ],
)
def test_a_rule_holds_or_not(text: str, holds: bool) -> None:
    assert rule(text)(DOCUMENT) is holds


def test_every_rule_has_its_words() -> None:
    """The names that channels write, each with a description for its editor."""
    known = {name: declaration for name, declaration in registry["rule"].items() if declaration.__module__.startswith("transforms.rules.")}
    assert sorted(known) == [
        "absent", "all", "any", "equals", "exists", "greater", "less", "matches", "not", "one_of", "starts_with", "type", "valued",
    ]  # fmt: skip
    assert all(declaration.__doc__ for declaration in known.values())


def test_the_commonest_rule_costs_next_to_nothing() -> None:
    """`equals` on MSH-9.1 runs for every message: within a few microseconds even on a busy machine (measured: 0.5)."""
    from timeit import repeat

    run = rule(json.dumps({"equals": {"field": "MSH-9.1", "to": "ORU"}}))
    assert min(repeat(lambda: run(DOCUMENT), number=2000, repeat=5)) / 2000 < 5e-6

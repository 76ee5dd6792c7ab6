"""What a map cannot mean is found when it is loaded, all at once, each at its place."""

from __future__ import annotations

import pytest

from transforms.errors import ConfigurationError, Problem
from transforms.mapping.library import Library


def problems(files: dict[str, str]) -> list[Problem]:
    with pytest.raises(ConfigurationError) as caught:
        Library.load(files, {name: f"conf/maps/{name}" for name in files})
    return [*caught.value.problems]


@pytest.mark.parametrize(
    ("rule", "column", "said"),
    [
        ("{ to: statsu, from: OBX-11, codes: observation_status }", 11, "unknown_element: `Observation` has no element `statsu` in R4 (did you mean `status`?)."),
        ("{ to: referenceRange.lower, from: OBX-7, as: quantity }", 11, "unknown_element: `Observation.referenceRange` has no element `lower` in R4 (did you mean `low`?)."),
        ("{ to: code, from: OBX-3, as: codable_concept }", 34, "unknown_function: No function is called `codable_concept` (did you mean `codeable_concept`?)."),
        ("{ to: status, from: OBX-11, codes: observation_statu }", 40, "unknown_table: No table is called `observation_statu` (did you mean `observation_status`?)."),
        ("{ to: code, from: OBX-14, as: date_time }", 35, "wrong_type: `date_time` gives dateTime, and `Observation.code` takes CodeableConcept."),
        ("{ to: code, from: OBX-3 }", 5, "missing: `Observation.code` takes CodeableConcept: say how with `as` or `codes`."),
        ("{ to: code, as: codeable_concept }", 5, "missing: A rule needs `from` or `const`."),
        ("{ to: status, const: finished }", 26, "unknown_code: `finished` is no code of `Observation.status`."),
        ("{ to: status, const: { a: b } }", 26, "wrong_type: `Observation.status` takes code."),
        ("{ to: code, const: { texd: b } }", 26, "unknown_element: `CodeableConcept` has no element `texd` in R4 (did you mean `text`?)."),
        ("{ to: value, from: OBX-5, as: quantity, with: { unti: OBX-6 } }", 53, "unknown_key: `quantity` takes no `unti` (did you mean `unit`?)."),
        ("{ to: code.text, from: OBX-3, with: { a: b } }", 41, "unknown_key: `with` is for functions: there is no `as`."),
        ("{ to: component.code, from: OBX-3, as: codeable_concept, each: components }", 68, "no_list: `components` is no list on the way to `Observation.component.code` (did you mean `component`?)."),
        ("{ to: code, const: { text: a }, when: { matches: { OBX-5: numerous } } }", 45, "unknown_test: No test is called `numerous` (did you mean `numeric`?)."),
        ("{ to: code, const: { text: a }, when: { option: { text_number: text } } }", 45, "unknown_option: There is no map option `text_number` (did you mean `text_numbers`?)."),
        ("{ to: subject, from: OBX-16, as: organization }", 38, "wrong_type: `organization` gives Organization, and `Observation.subject` takes Reference."),
    ],
)  # fmt: skip
def test_a_rule_that_means_nothing_is_found(rule: str, column: int, said: str) -> None:
    """With the place of the value at fault, and what was probably meant."""
    (problem,) = problems({"OBX_Observation.yaml": f"map: m\nrules:\n  - {rule}\n"})
    assert str(problem) == f"conf/maps/OBX_Observation.yaml:3:{column}: {said}"


def test_a_case_that_is_never_taken_is_found() -> None:
    """A value has one case."""
    text = "map: m\nrules:\n  - to: value\n    choose: OBX-2\n    cases:\n      - { when: NM, from: OBX-5, as: quantity }\n      - { when: [ST, NM], from: OBX-5, as: text }\n"
    (problem,) = problems({"OBX_Observation.yaml": text})
    assert (problem.line, problem.code) == (7, "duplicate_case")


def test_a_code_that_r4_does_not_have_is_found_in_the_table() -> None:
    """A required binding is known where the table is used."""
    (problem, *_) = problems({"observation_status.yaml": "table: observation_status\ncodes:\n  F: final\n  P: preliminery\n"})
    assert (problem.file, problem.line, problem.code) == ("conf/maps/observation_status.yaml", 4, "unknown_code")
    assert "did you mean `preliminary`" in problem.sentence


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        ("{ make: Observatoin, at: X }", "unknown_type", "R4 has no type `Observatoin` (did you mean `Observation`?)."),
        ("{ make: Observation, with: OBX }", "missing", "A make needs `at` or `each`: the group or segment it is made for."),
        ("{ make: Observation, at: X, with: OBZ }", "unknown_map", "There is no map `OBZ_Observation` (did you mean `OBX_Observation`?)."),
        ("{ make: Observation, at: X, with: NTE_Annotation }", "wrong_type", "The map `NTE_Annotation` writes Annotation, not Observation."),
        ("{ make: Observation, at: X, identify: observatio }", "unknown_identity", "`observatio` is no identity (did you mean `observation`?)."),
        ("{ make: Observation, at: X, link: { subjekt: patient } }", "unknown_element", "`Observation` has no element `subjekt` in R4 (did you mean `subject`?)."),
        ("{ make: Observation, at: X, link: { subject: pat } }", "unknown_make", "No make is called `pat` (did you mean `patient`?)."),
        ("{ make: Observation, at: X, link: { encounter: patient } }", "wrong_type", "`Observation.encounter` cannot refer to Patient."),
        ('{ make: Observation, at: X, link: { subject: "patient[]" } }', "cardinality", "`Observation.subject` takes one."),
        ("{ make: Annotation, at: X }", "missing", "Annotation is no resource: say which make it goes `into`."),
        ("{ make: Annotation, at: X, into: patient.note }", "unknown_element", "`Patient` has no element `note` in R4."),
        ("{ make: Annotation, at: X, into: patient.name }", "wrong_type", "`Patient.name` takes HumanName, not Annotation."),
        ("{ make: Annotation, at: X, into: patent.name }", "unknown_make", "No make is called `patent` (did you mean `patient`?)."),
        ("{ make: Observation as again, at: X, into: patient }", "wrong_type", "`patient` is Patient, not Observation."),
    ],
)
def test_a_make_that_means_nothing_is_found(make: str, code: str, said: str) -> None:
    """Types, maps, links, owners."""
    text = f"map: MINE\nmessages: [ADT_A01]\nresources:\n  - {{ make: Patient as patient, at: PATIENT, with: PID }}\n  - {make}\n"
    assert [(each.code, each.sentence) for each in problems({"MINE.yaml": text})] == [(code, said)]


def test_an_unknown_arrangement_is_found() -> None:
    """There are few."""
    (problem,) = problems({"MINE.yaml": "map: MINE\nmessages: [ADT_A01]\narrange: result\nresources: []\n"})
    assert (problem.line, problem.code) == (3, "unknown_arrangement")


def test_all_problems_of_all_files_come_at_once() -> None:
    """In the order of their places."""
    found = problems({
        "OBX_Observation.yaml": "map: m\nrules:\n  - { to: statsu, from: OBX-11 }\n  - { to: code, from: OBX-3, as: x }\n",
        "PID_Patient.yaml": "map: m\nrules:\n  - { to: nam, from: PID-5, as: human_name, foo: 1 }\n",
    })  # fmt: skip
    assert [(each.file.rpartition("/")[2], each.line, each.code) for each in found] == [
        ("OBX_Observation.yaml", 3, "unknown_element"),
        ("OBX_Observation.yaml", 4, "unknown_function"),
        ("PID_Patient.yaml", 3, "unknown_key"),
    ]


def test_the_packages_own_maps_check() -> None:
    """As they stand."""
    assert Library.load().problems() == []

"""The tests that channels carry."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channels import loading, trials

CHANNEL = """\
channel: lab
source:
  mllp: { listen: "tcp:2575" }
identity: { base: "https://x.example/id" }
processing: [P]
filter:
  - type: ORU
transform:
  - replace: { field: PID-3.1, pattern: "^0+", with: "" }
destinations:
  - name: repository
    transform: [ map_to_fhir ]
    fhir: { url: "http://x" }
  - name: archive
    filter: [ valued: PID-5 ]
    file: { folder: out }
"""
HEAD = "MSH|^~\\&|A|B|||20240101||ORU^R01|1|P|2.5\n"
GIVEN = HEAD + "PID|1||007\n"


def run(load: Callable[..., loading.Loading], expect: str, given: str = GIVEN, channel: str = CHANNEL) -> tuple[str, ...]:
    lines = "".join(f"      {line}\n" for line in given.splitlines())
    text = f"{channel}tests:\n  - name: it works\n    expect: {expect}\n    given: |\n{lines}"
    loaded = load(text)
    assert loaded.problems == ()
    (version,) = loaded.channels
    (result,) = trials.run(version.channel, version.route, version.located)
    assert (result.channel, result.name, result.passed) == ("lab", "it works", not result.failures)
    assert "name: it works" in text.splitlines()[result.line - 1]
    return result.failures


@pytest.mark.parametrize(
    "expect",
    [
        "{ answer: AA }",
        "{ repository: [ { fhirpath: Patient.id, equals: ['7'] } ] }",
        "{ repository: [ { fhirpath: Patient.id, equals: [7] } ] }",
        "{ repository: [ { fhirpath: Patient.active, equals: [true] }, { contains: Patient } ] }",
        "{ repository: [ { fhirpath: Patient.name.family, equals: [] }, { fhirpath: 'Patient.count()', equals: [1] } ] }",
        "{ answer: AA, archive: filtered }",
    ],
)
def test_what_is_so(load: Callable[..., loading.Loading], expect: str) -> None:
    assert run(load, expect) == ()


@pytest.mark.parametrize(
    ("expect", "failure"),
    [
        ("{ answer: AE }", "answer: expected AE, the answer was AA"),
        ("{ repository: [ { fhirpath: Patient.id, equals: ['007'] } ] }", "repository: Patient.id gave [7], expected [007]"),
        ("{ repository: [ { fhirpath: Patient.active, equals: ['true'] } ] }", "repository: Patient.active gave [true], expected [true]"),
        (
            "{ repository: [ { fhirpath: Patient.nothing(), equals: [] } ] }",
            "repository: Patient.nothing() cannot be evaluated: Not implemented: nothing",
        ),
        ("{ repository: [ { contains: Mueller } ] }", "repository: the output does not contain 'Mueller'"),
        ("{ repository: [ { held: invalid } ] }", "repository: expected it to be held as invalid, it was not held"),
        ("{ repository: filtered }", "repository: expected it to be filtered, and it was not"),
        ("{ error: { code: 101 } }", "error: expected an error, there was none"),
    ],
)
def test_what_is_not_so_is_told(load: Callable[..., loading.Loading], expect: str, failure: str) -> None:
    assert run(load, expect) == (failure,)


def test_hl7_output(load: Callable[..., loading.Loading]) -> None:
    given = GIVEN.replace("007", "007||Doe^J~Roe^R")
    expect = "{ archive: [ { path: PID-5.1, equals: [Doe, Roe] }, { path: PID-3, equals: [7] }, { contains: '|7|' } ] }"
    assert run(load, expect, given) == ()


def test_a_message_that_is_filtered(load: Callable[..., loading.Loading]) -> None:
    given = GIVEN.replace("ORU^R01", "ADT^A01")
    assert run(load, "{ answer: AA, repository: filtered, archive: filtered }", given) == ()
    (failure,) = run(load, "{ repository: [ { contains: x } ] }", given)
    assert failure.startswith("repository: it was filtered by type (") and failure.endswith("channel.yaml:7)")


def test_a_message_that_is_refused(load: Callable[..., loading.Loading]) -> None:
    """By the channel (a test message in production), by a step, or because it is no message."""
    training = GIVEN.replace("|P|", "|T|")
    assert run(load, "{ answer: AR, error: { code: 202, place: MSH-11 } }", training) == ()
    assert run(load, "{ answer: AR, error: { code: unsupported_processing_id } }", training) == ()
    assert run(load, "{ answer: AR, error: { code: 101 } }", "MSHX") == ()
    failures = run(load, "{ answer: AA, error: { code: 101, place: PID-3 }, repository: [ { contains: x } ] }", training)
    assert [each.split(":")[0] for each in failures] == ["answer", "error", "error", "repository"]
    strict = CHANNEL.replace("  - replace: { field: PID-3.1", "  - set: { field: PV1-2, to: I }\n  - replace: { field: PID-3.1")
    assert run(load, "{ answer: AE, error: { code: 101, place: PV1-2 } }", channel=strict) == ()


def test_fields_nobody_reads_are_refused_where_the_channel_says_so(load: Callable[..., loading.Loading]) -> None:
    given = GIVEN + "ZZZ|x\n"
    assert run(load, "{ answer: AA }", given) == ()
    assert run(load, "{ answer: AE, error: { place: ZZZ-1 } }", given, CHANNEL.replace("processing:", "unmapped: error\nprocessing:")) == ()


def test_a_message_in_a_file(load: Callable[..., loading.Loading]) -> None:
    text = CHANNEL + "tests:\n  - { name: x, given: messages/a.hl7, expect: { repository: [ { fhirpath: Patient.id, equals: [7] } ] } }\n"
    (version,) = load(text, {"messages/a.hl7": GIVEN.replace("\n", "\r")}).channels
    assert [each.passed for each in trials.run(version.channel, version.route, version.located)] == [True]

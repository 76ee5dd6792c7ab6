"""`flue validate`: an OperationOutcome for each document."""

from __future__ import annotations

import json

import pytest

from tests.engine.cli.conftest import Flue

GOOD = b'{"resourceType":"Observation","status":"final","code":{"text":"Glucose"}}'
BAD = b'{"resourceType":"Observation","code":{"text":"Glucose"}}'


def said(stdout: str) -> list[str]:
    """The first sentence of each outcome."""
    return [json.loads(line)["issue"][0]["details"]["text"] for line in stdout.splitlines()]


def test_documents_one_a_line_or_one_alone(flue: Flue) -> None:
    """As `flue convert` prints them, or indented, with a byte order mark or without."""
    pretty = b"\xef\xbb\xbf" + json.dumps(json.loads(GOOD), indent=2).encode()
    for text in (GOOD, GOOD + b"\r\n", pretty):
        done = flue("validate", "-", stdin=text)
        assert (done.exit_code, said(done.stdout)) == (0, ["Nothing is wrong"])
    done = flue("validate", "-", stdin=GOOD + b"\n" + BAD + b"\n\n" + GOOD)
    assert (done.exit_code, said(done.stdout)) == (1, ["Nothing is wrong", "Observation lacks status", "Nothing is wrong"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "$this: is no JSON"),
        (b"{nope", "$this: is no JSON"),
        (bytes(range(256)), "$this: is no JSON"),
        (b'{"resourceType":"Patient","birthDate":NaN}', "$this: is no JSON"),
        (b"[" * 200_000, "$this: is nested too deeply"),
        (b"[1]", "$this is no JSON object"),
        (b'{"a":1}', "Resource is no resource of R4: its resourceType is missing or unknown"),
    ],
)
def test_what_is_no_resource(flue: Flue, text: bytes, sentence: str) -> None:
    """Is said in an outcome, too, and the status is 1."""
    done = flue("validate", "-", stdin=text)
    assert (done.exit_code, said(done.stdout)) == (1, [sentence])


def test_files_that_are_not_there(flue: Flue) -> None:
    """The command line is at fault."""
    done = flue("validate", "nothere.json")
    assert done.exit_code == 2 and "File 'nothere.json' does not exist." in done.stderr
    assert flue("validate", ".").exit_code == 2

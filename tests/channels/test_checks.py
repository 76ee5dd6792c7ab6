"""What `flue check` says: every mistake at once, each at its line, with what was probably meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from channels import checks, loading

GOOD = """\
channel: lab
source:
  mllp: { listen: "tcp:2575" }
identity: { base: "https://x.example/id" }
filter:
  - equals: { field: MSH-9.1, to: ORU }
transform:
  - map_to_fhir
destinations:
  - name: repository
    fhir: { url: "http://x" }
"""

BROKEN = """\
channel: lab results
source:
  mllp: { listen: "tcp:2575", conections: 3 }
acknowledge: when_transformd
timezone: Europe/Zurch
identity: { secret: swordfish }
filter:
  - equal: { field: MSH-9.1, to: ORU }
  - equals: { field: MSH.9, to: ORU }
transform:
  - look_up: { field: OBX-3, table: lab_code, to: loinc }
  - map_to_fhir: { map: ORU_R01 }
  - validate: { strict: yes }
destinations:
  - name: repository
    fhir: { url: "http://x", timeout: 30 }
    retry: { attempts: 10, first: 1s, longest: 5m, atempts: 3 }
  - name: archive
tests:
  - name: x
"""

GOLDEN = """\
channel.yaml:1:10: out_of_range: `channel` does not have the form ^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$.
channel.yaml:3:31: unknown_key: `conections` is not known here (did you mean `connections`?).
channel.yaml:4:14: not_one_of: `acknowledge` should be when_stored, when_transformed or when_delivered (did you mean `when_transformed`?).
channel.yaml:5:11: timezone: `timezone` should be a time zone of the IANA list, such as Europe/Zurich (did you mean `Europe/Zurich`?).
channel.yaml:6:21: literal_secret: `secret` stands here in the open; write ${secret:name} or ${env:NAME}.
channel.yaml:8:5: unknown_rule: No rule is called `equal` (did you mean `equals`?).
channel.yaml:9:22: field_path: `field` should be a place in a message, such as PID-5, PID-3[2].4.1 or OBX[3]-5.
channel.yaml:13:25: wrong_type: `strict` should be true or false.
channel.yaml:16:39: duration: `timeout` should be a duration such as 30s, 5m or 24h.
channel.yaml:17:52: unknown_key: `atempts` is not known here (did you mean `attempts`?).
channel.yaml:18:5: missing: A destination is missing: fhir or file.
channel.yaml:20:5: missing: `expect` is missing.
channel.yaml:20:5: missing: `given` is missing.
"""

MEANING = """\
channel: lab
source:
  inbox: { folder: in }
lane: PID-3.1
filter:
  - equals: { field: MSH-9.1, to: ORU }
  - not: { any: [ type: ADT ] }
transform:
  - look_up: { field: OBX-3, table: lab_code, to: loinc }
  - parse_hl7
  - look_up: { field: OBX-3, table: lab_codes, to: loinc }
  - map_to_fhir: { map: ORU_R99 }
  - mask_names
destinations:
  - name: repository
    fhir: { url: "${FHIR_URL}" }
    retry: { first: 10m }
  - name: repository
    filter: [ valued: PID-3 ]
    file: { folder: out }
  - name: answer
    file: { folder: out }
tests:
  - name: x
    given: messages/none.hl7
    expect: { anser: AA, answer: AB, repository: filterd, archive: [] }
  - name: y
    given: MSH|x
    expect:
      repository:
        - { fhirpath: "Patient.where(", equals: [1] }
        - { equals: [1] }
"""

GOLDEN_MEANING = """\
channel.yaml:6:5: does_not_fit: `equals` takes HL7, and gets application/octet-stream here.
channel.yaml:7:19: does_not_fit: `type` takes HL7, and gets application/octet-stream here.
channel.yaml:9:5: does_not_fit: `look_up` takes HL7, and gets application/octet-stream here.
channel.yaml:9:37: unknown_table: There is no table terminology/lab_code.csv (did you mean `lab_codes`?).
channel.yaml:12:25: unknown_map: There is no map `ORU_R99`.
channel.yaml:13:5: does_not_fit: `mask_names` takes HL7, and gets FHIR here.
channel.yaml:16:5: does_not_fit: `fhir` takes FHIR, and gets HL7 here.
channel.yaml:16:5: no_identity_base: A fhir destination needs `identity: { base: … }`: a number without a system would match another patient's.
channel.yaml:16:18: reference: A reference is written ${env:NAME}, ${env:NAME:-default} or ${secret:name}.
channel.yaml:17:21: out_of_range: `first` is longer than `longest`.
channel.yaml:18:11: duplicate_name: A destination is called `repository` already.
channel.yaml:21:11: reserved: A destination cannot be called `answer`: tests use the word.
channel.yaml:25:12: no_file: There is no file `messages/none.hl7` beside the channel.
channel.yaml:26:15: unknown_key: `anser` is neither a destination nor `answer` nor `error` (did you mean `answer`?).
channel.yaml:26:34: not_one_of: `answer` should be AA, AE or AR.
channel.yaml:26:50: not_one_of: `repository` should be filtered (did you mean `filtered`?).
channel.yaml:26:59: unknown_key: `archive` is neither a destination nor `answer` nor `error`.
channel.yaml:31:23: fhirpath: This is no FHIRPath, from its character 15 on.
channel.yaml:32:11: wrong_type: An expectation has one of `fhirpath`, `path`, `contains` and `held`.
"""


def said(loaded: loading.Loading) -> str:
    """What is printed, files named as inside the folder."""
    return "".join(f"{Path(each.file).name}{str(each).removeprefix(each.file)}\n" for each in loaded.problems)


def test_a_good_channel(load: Callable[..., loading.Loading]) -> None:
    loaded = load(GOOD)
    assert loaded.problems == ()
    assert loaded.channels[0].name == "lab"


def test_twelve_mistakes_are_twelve_lines(load: Callable[..., loading.Loading]) -> None:
    """Each at its line and column, none hiding another, none told twice (the last lacks two options)."""
    loaded = load(BROKEN)
    assert said(loaded) == GOLDEN
    assert loaded.channels == ()


def test_what_does_not_fit_together(load: Callable[..., loading.Loading]) -> None:
    """Where every option is right by itself, their meaning is checked: all of it at once, too."""
    loaded = load(MEANING, {"terminology/lab_codes.csv": "code,to\nA,1\n"})
    assert said(loaded) == GOLDEN_MEANING
    assert loaded.channels == ()


@pytest.mark.parametrize(
    ("endpoint", "claimed"),
    [
        ("tcp:2575", ("2575", "")),
        ("tcp:port=2575", ("2575", "")),
        ("tcp:2575:interface=127.0.0.1", ("2575", "127.0.0.1")),
        ("tcp:2575:interface=0.0.0.0:backlog=9", ("2575", "")),
        ("tcp6:2575:interface=\\:\\:1", ("2575", "::1")),
        ("ssl:2575:privateKey=a.pem", ("2575", "")),
        ("tcp:0", None),
        ("unix:/tmp/x", None),
        ("${env:LISTEN}", None),
        ("", None),
    ],
)
def test_which_port_an_endpoint_claims(endpoint: str, claimed: tuple[str, str] | None) -> None:
    class Declaration:
        listen = endpoint

    assert checks.listening(Declaration()) == claimed


def test_two_channels_of_one_name_or_on_one_port(folder: Callable[[dict[str, str]], Path]) -> None:
    other = GOOD.replace("channel: lab", "channel: other")
    apart = GOOD.replace("channel: lab", "channel: apart").replace('"tcp:2575"', '"tcp:2576:interface=127.0.0.1"')
    near = GOOD.replace("channel: lab", "channel: near").replace('"tcp:2575"', '"tcp:2576:interface=127.0.0.2"')
    texts = {"a": GOOD, "b": other, "c": GOOD, "d": apart, "e": near}
    path = folder({f"channels/{name}.yaml": text for name, text in texts.items()})
    loaded = loading.load(path)
    assert [version.name for version in loaded.channels] == ["lab", "apart", "near"]
    assert [(Path(each.file).name, each.line, each.column, each.code) for each in loaded.problems] == [
        ("b.yaml", 3, 19, "port_taken"),
        ("c.yaml", 1, 10, "duplicate_name"),
        ("c.yaml", 3, 19, "port_taken"),
    ]

"""Channels out of folders and files, whatever stands in them; and out of what was stored of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels import loading
from channels.loading import from_files, surroundings
from transforms.errors import ConfigurationError
from transforms.hl7.local import read_all

Make = Callable[[dict[str, str]], Path]
Load = Callable[..., loading.Loading]

CHANNEL = """\
channel: lab
source:
  mllp: { listen: "${env:LISTEN:-tcp:2575}", connections: "${env:CONNECTIONS:-7}" }
identity: { base: "https://x.example/id", secret: "${secret:identity}" }
transform:
  - look_up: { field: OBX-3, table: codes, to: loinc }
  - map_to_fhir: { map: site.yaml }
destinations:
  - name: repository
    fhir: { url: "${env:FHIR_URL}", password: "${secret:fhir}" }
"""
FILES = {"maps/site.yaml": "map: x\n", "maps/segments/PID.yaml": "map: y\n", "terminology/codes.csv": "code,to\nA,1\n"}
ENVIRONMENT = {("env", "FHIR_URL"): "http://x", ("secret", "identity"): "s1", ("secret", "fhir"): "0815"}


def lookup(kind: str, name: str) -> str | None:
    return ENVIRONMENT.get((kind, name))


def codes(loaded: loading.Loading) -> list[tuple[int, str, str]]:
    return [(each.line, each.code, each.severity) for each in loaded.problems]


def test_a_folder_with_one_channel(load: Load) -> None:
    loaded = load(CHANNEL, FILES, lookup=lookup)
    (version,) = loaded.channels
    assert loaded.problems == ()
    assert (version.name, version.located.file) == ("lab", str(version.folder / "channel.yaml"))
    assert sorted(version.files) == ["channel.yaml", "maps/segments/PID.yaml", "maps/site.yaml", "terminology/codes.csv"]
    assert dict(version.resources.tables) == {"codes": "code,to\nA,1\n"}
    assert sorted(version.resources.maps) == ["segments/PID.yaml", "site.yaml"]


def test_a_folder_with_several_and_a_file_of_it(folder: Make) -> None:
    path = folder({"channels/a.yaml": CHANNEL, "channels/b.yaml": "channel: [", **FILES})
    loaded = loading.load(path, lookup=lookup)
    assert [version.name for version in loaded.channels] == ["lab"]
    assert [Path(each.file).name for each in loaded.problems] == ["b.yaml"]
    alone = loading.load(path / "channels/a.yaml", lookup=lookup)
    assert [version.digest for version in alone.channels] == [version.digest for version in loaded.channels]


@pytest.mark.parametrize(
    ("files", "problems"),
    [
        ({}, [("no_channel", "error")]),
        ({"engine.yaml": ""}, [("no_channel", "warning")]),
        ({"channel.yaml": ""}, [("empty", "error")]),
        ({"channel.yaml": "just text"}, [("wrong_type", "error")]),
        ({"channel.yaml": "- a\n- b"}, [("wrong_type", "error")]),
    ],
)
def test_folders_without_a_channel(folder: Make, files: dict[str, str], problems: list[tuple[str, str]]) -> None:
    assert [(each.code, each.severity) for each in loading.load(folder(files)).problems] == problems


def test_files_that_cannot_be_read(folder: Make) -> None:
    path = folder({"channel.yaml": ""})
    (path / "channel.yaml").write_bytes(b"channel: a\nsource: \xff\n")
    assert codes(loading.load(path)) == [(2, "encoding", "error")]
    assert codes(loading.load(path / "nothing.yaml")) == [(1, "unreadable", "error")]


def test_windows_files_are_read(load: Load) -> None:
    loaded = load("\ufeff" + CHANNEL.replace("\n", "\r\n"), FILES, lookup=lookup)
    assert loaded.problems == ()


def test_what_is_unset_warns_in_a_check_and_stops_a_start(load: Load) -> None:
    loaded = load(CHANNEL, FILES)
    assert codes(loaded) == [(4, "unset", "warning"), (10, "unset", "warning"), (10, "unset", "warning")]
    assert [version.name for version in loaded.channels] == ["lab"]
    assert codes(load(CHANNEL, FILES, starting=True)) == [(4, "unset", "error"), (10, "unset", "error"), (10, "unset", "error")]


def test_references_stay_until_the_channel_is_opened(load: Load) -> None:
    """What is stored and compared has no secret in it; what runs has."""
    (version,) = load(CHANNEL, FILES, lookup=lookup).channels
    assert version.channel.identity.secret == "${secret:identity}"
    assert version.channel.destinations[0].connector.declaration.url == "${env:FHIR_URL}"
    opened = version.opened(lookup)
    assert opened.channel.identity.secret == opened.route.identity.secret == "s1"
    assert opened.channel.source.declaration.listen == "tcp:2575"
    assert opened.channel.source.declaration.connections == version.channel.source.declaration.connections == 7
    assert opened.channel.destinations[0].connector.declaration.url == "http://x"
    assert opened.channel.destinations[0].connector.declaration.password == "0815"
    assert (opened.digest, opened.files) == (version.digest, version.files)
    assert "0815" not in "".join(opened.files.values())


def test_opening_prepares_again_only_what_references_changed(load: Load) -> None:
    (version,) = load(CHANNEL, FILES, lookup=lookup).channels
    assert version.opened(lookup).route.common is version.route.common
    with_reference = CHANNEL.replace("  - map_to_fhir", '  - set: { field: MSH-5.1, to: "${env:FHIR_URL}" }\n  - map_to_fhir')
    (version,) = load(with_reference, FILES, lookup=lookup).channels
    opened = version.opened(lookup)
    assert opened.route.common is not version.route.common
    assert opened.channel.transform[1].declaration.to == "http://x"


def test_opening_without_what_it_needs_says_what(load: Load) -> None:
    (version,) = load(CHANNEL, FILES, lookup=lookup).channels
    with pytest.raises(ConfigurationError) as caught:
        version.opened(lambda kind, name: None)
    assert [(each.line, each.code) for each in caught.value.problems] == [(4, "unset"), (10, "unset"), (10, "unset")]


def test_what_a_reference_stands_for_is_checked_when_it_is_opened(load: Load) -> None:
    (version,) = load(CHANNEL, FILES, lookup=lookup).channels
    with pytest.raises(ConfigurationError) as caught:
        version.opened(lambda kind, name: "ftp://x" if name == "FHIR_URL" else "7")
    assert [(each.line, each.code) for each in caught.value.problems] == [(10, "out_of_range")]


def test_a_number_that_is_not_set_yet_is_no_mistake(load: Load) -> None:
    loaded = load(CHANNEL.replace("${env:CONNECTIONS:-7}", "${env:CONNECTIONS}"), FILES, lookup=lookup)
    assert codes(loaded) == [(3, "unset", "warning")]
    loaded = load(CHANNEL.replace("CONNECTIONS:-7", "CONNECTIONS:-many"), FILES, lookup=lookup)
    assert codes(loaded) == [(3, "wrong_type", "error")]


def test_the_digest_is_over_everything_and_nothing_else(load: Load) -> None:
    """The same files give the same version, in any order and any folder; any other byte gives another."""
    (version,) = load(CHANNEL, FILES, lookup=lookup).channels
    assert version.digest == load(CHANNEL, dict(reversed(FILES.items()))).channels[0].digest
    assert version.digest == loading.digest(dict(reversed(version.files.items())))
    others = [load(CHANNEL + "description: x\n", FILES), load(CHANNEL, {**FILES, "maps/site.yaml": "map: z\n"})]
    others += [load(CHANNEL, {**FILES, "terminology/codes.csv": "code,to\nA,2\n"}), load(CHANNEL, {**FILES, "terminology/more.csv": ""})]
    others += [load(CHANNEL, FILES, identity={"patient": ["MR"]})]
    assert len({version.digest, *(each.channels[0].digest for each in others)}) == 6


def test_the_engines_identity_fills_in_what_a_channel_does_not_say(load: Load) -> None:
    text = CHANNEL.replace('identity: { base: "https://x.example/id", secret: "${secret:identity}" }\n', "")
    defaults = {"base": "https://engine.example/id", "secret": "${secret:identity}", "patient": ["MR"]}
    (version,) = load(text, FILES, lookup=lookup, identity=defaults).channels
    assert (version.channel.identity.base, version.channel.identity.patient) == ("https://engine.example/id", ("MR",))
    (own,) = load(CHANNEL, FILES, lookup=lookup, identity=defaults).channels
    assert (own.channel.identity.base, own.channel.identity.patient) == ("https://x.example/id", ("MR",))
    assert version.opened(lookup).channel.identity.secret == "s1"


def test_a_version_is_made_anew_from_what_was_stored(load: Load, tmp_path: Path) -> None:
    """Recovery and replay run a message under the version it came in by, though the files have changed since."""
    (version,) = load(CHANNEL, FILES, lookup=lookup, identity={"patient": ["MR"]}).channels
    for name in version.files:
        (version.folder / name).unlink(missing_ok=True)
    again = from_files(version.files, version.folder)
    assert (again.digest, again.channel.channel, again.channel.identity) == (version.digest, "lab", version.channel.identity)
    assert again.opened(lookup).channel.identity.secret == "s1"


def test_a_stored_version_that_this_release_cannot_run_is_refused(load: Load) -> None:
    (version,) = load(CHANNEL, FILES, lookup=lookup).channels
    with pytest.raises(ConfigurationError):
        from_files({**version.files, "channel.yaml": CHANNEL.replace("look_up", "look_out")}, version.folder)


def test_secrets_are_files_and_the_environment_is_a_mapping(folder: Make, tmp_path: Path) -> None:
    path = folder({"secrets/fhir": "s3\n", "credentials/other": "s4"})
    find = surroundings(path, {"A": "1", "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})
    assert [find("env", "A"), find("env", "B")] == ["1", None]
    assert [find("secret", "fhir"), find("secret", "other"), find("secret", "none")] == ["s3", "s4", None]


WORDS = """
channel source mllp listen destinations name fhir url filter equals transform look_up tests given expect identity lane lab
tcp:2575 MSH-9.1 ${env:X} { } [ ] &a *a | " #
""".split() + ["- ", ": ", "\n", "  "]
ODD_WORDS = [*WORDS, "1", "1.5", "true", "x", "30s", "[]", "{}", "''"]
SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@SLOW
@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join) | st.text(max_size=200))
@example("channel: &a [*a]")
@example("tests: [ { name: x, given: MSH, expect: { answer: { a: 1 } } } ]")
def test_no_text_breaks_loading(load: Load, text: str) -> None:
    """Whatever stands in a file: problems with their lines, never a traceback."""
    assert_told(load(text.encode("utf-8", "replace").decode()))


@SLOW
@given(st.data())
def test_no_change_to_a_good_file_breaks_loading(load: Load, data: Any) -> None:
    """Lines taken out, doubled, swapped, indented; words replaced: a channel or problems, each at a line there is."""
    lines = FULL.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(["drop", "double", "indent", "outdent", "swap", "word", "character"]))
        line = lines[index]
        if change == "drop" and len(lines) > 1:
            del lines[index]
        elif change == "double":
            lines.insert(index, line)
        elif change == "indent":
            lines[index] = "  " + line
        elif change == "outdent":
            lines[index] = line[2:]
        elif change == "swap":
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[index], lines[other] = lines[other], lines[index]
        elif change == "word":
            words = line.split(" ")
            words[data.draw(st.integers(0, len(words) - 1))] = data.draw(st.sampled_from(ODD_WORDS))
            lines[index] = " ".join(words)
        else:
            at = data.draw(st.integers(0, len(line)))
            lines[index] = line[:at] + data.draw(st.sampled_from("{}[]:,'\"#&*!|>-%@x1 \t")) + line[at + 1 :]
    text = "\n".join(lines)
    assert_told(load(text), text.count("\n") + 1)


FULL = """\
channel: lab
description: What comes from the laboratory.
source:
  mllp: { listen: "tcp:2575", limit: 16KiB, connections: 3 }
acknowledge: when_delivered
answer_within: 20s
processing: [P, T]
timezone: Europe/Zurich
identity:
  base: https://x.example/id
  secret: "${env:SECRET:-x}"
  authorities:
    - { namespace: H, uri: "urn:oid:1.2" }
  patient: [H, MR]
unmapped: warn
lane: PID-3.1
duplicates: { window: 24h }
filter:
  - equals: { field: MSH-9.1, to: ORU }
  - any: [ valued: PID-3, not: { exists: SPM } ]
transform:
  - replace: { field: OBR-3, pattern: "^0+", with: "" }
  - map_to_fhir: { map: auto }
  - validate: { on_invalid: hold }
destinations:
  - name: repository
    fhir: { url: "${env:FHIR_URL:-http://x}", timeout: 10s }
    retry: { attempts: 10, first: 1s, longest: 5m }
    on_dead_letter: park
    in_flight: 4
  - name: archive
    file: { folder: out }
tests:
  - name: one
    given: "MSH|^~\\\\&|A|B|||20240101||ORU^R01|1|P|2.5\\rPID|1||7"
    expect:
      answer: AA
      repository: [ { fhirpath: Patient.id, equals: ["7"] } ]
"""


def test_the_good_file_is_good(load: Load) -> None:
    loaded = load(FULL)
    assert loaded.problems == () and len(loaded.channels) == 1


def assert_told(loaded: loading.Loading, lines: int | None = None) -> None:
    assert loaded.channels or loaded.problems
    for problem in loaded.problems:
        assert problem.line >= 1 and problem.column >= 1 and problem.sentence
        assert lines is None or problem.line <= lines + 1


SEGMENTS = "segments:\n  ZLR: { after: OBR, in: ORDER_OBSERVATION, fields: { 2: Laboratory } }\n"


def test_a_channel_may_declare_segments_of_its_own(load: Load) -> None:
    """They stand beside those of the site's maps, and in the version that is stored."""
    loaded = load(CHANNEL + SEGMENTS, {**FILES, "maps/local.yaml": "structures: { ORU_Z01: { extends: ORU_R01 } }"}, lookup=lookup)
    (version,) = loaded.channels
    assert loaded.problems == () and version.channel.segments["ZLR"].after == "OBR"
    for each in (version, loading.from_files(version.files, version.folder)):
        declared = read_all(each.resources.maps, {}, [])
        assert ([one.name for one in declared.segments], [one.name for one in declared.structures]) == (["ZLR"], ["ORU_Z01"])


def test_what_a_channel_declares_wrongly_is_told_at_its_line(load: Load) -> None:
    """Whether a map uses it or not."""
    lines = CHANNEL.count("\n")
    for wrong, code in (("OBX_OBSERVATION", "unknown_group"), ("[1]", "wrong_type")):
        loaded = load(CHANNEL + SEGMENTS.replace("ORDER_OBSERVATION", wrong), FILES, lookup=lookup)
        assert ((lines + 2, code, "error") in codes(loaded), loaded.channels) == (True, ()), loaded.problems

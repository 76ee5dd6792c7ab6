"""What the READMEs show is true: their YAML checks, their commands are ones that work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from engine.cli.folders import find
from engine.cli.main import LazyGroup, main
from transforms.hl7.local import declares

ROOT = Path(__file__).resolve().parents[1]
README, EXAMPLE = ROOT / "README.md", ROOT / "examples" / "lab_results" / "README.md"
SURROUNDINGS = {"FLUE_FHIR_URL": "http://127.0.0.1:8090/fhir", "FLUE_IDENTITY_SECRET": "x"}
NEEDS_AN_ENGINE = ("send", "merges", "messages", "replay", "channels", "store", "run", "sink", "demo", "bench")


def blocks(language: str) -> list[str]:
    """The fenced blocks of both pages in a language."""
    return [block for page in (README, EXAMPLE) for block in re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.S)]


def commands() -> list[str]:
    """Every `flue` command of both pages, without comments, environment and `&`."""
    lines = [line.split("  #")[0].strip().removesuffix("&").strip() for block in blocks("sh") for line in block.splitlines()]
    named = [re.sub(r"^([A-Z_]+=\S+ )+", "", line) for line in lines]
    spoken = re.findall(r"`(flue [^`]+)`", README.read_text())
    return sorted({line for line in named if line.startswith("flue ")} | {line for line in spoken if len(line.split()) > 2})


def parsed(arguments: list[str]) -> None:
    """Let click read a command line as `flue` would, and run nothing."""
    group: click.Command = main
    while isinstance(group, click.Group):
        found = group.get_command(click.Context(group), arguments[0]) if arguments and not arguments[0].startswith("-") else None
        if found is None:
            break
        group, arguments = found, arguments[1:]
    assert not isinstance(group, LazyGroup) or arguments[0].startswith("-"), arguments
    group.make_context("flue", list(arguments), resilient_parsing="--help" in arguments or "--schema" in arguments)


@pytest.mark.parametrize("text", [block for block in blocks("yaml") if "channel:" in block])
def test_channels_of_the_readme_check(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a problem, given the table they name and the secrets."""
    for name, value in SURROUNDINGS.items():
        monkeypatch.setenv(name, value)
    for folder, name in (("terminology", "lab_codes.csv"), ("secrets", "identity"), ("secrets", "repository_token")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text("code,to,display\nGLU,2345-7,Glucose\n")
    (tmp_path / "channel.yaml").write_text(text)
    found = find(tmp_path)
    assert [str(problem) for problem in found.problems] == []
    assert len(found.channels) == 1


@pytest.mark.parametrize("text", [block for block in blocks("yaml") if "channel:" not in block])
def test_maps_of_the_readme_check_and_pass_their_tests(text: str, tmp_path: Path) -> None:
    """Each names its file in the first line, and stands beside the others."""
    (tmp_path / "maps").mkdir()
    for each in blocks("yaml"):
        if "channel:" not in each:
            (tmp_path / each.splitlines()[0].removeprefix("# ")).write_text(each)
    found = find(tmp_path / text.splitlines()[0].removeprefix("# "))
    assert [str(problem) for problem in found.problems] == []
    results = found.maps.run_tests()
    assert (results or declares(text)) and [failure for each in results for failure in each.failures] == []


@pytest.mark.parametrize("line", commands())
def test_commands_of_the_readme_exist(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands, options and files are there as they are written."""
    monkeypatch.chdir(ROOT)
    placeholders = {"FOLDER": "examples", "FILE": "copy.db", "ID": "1"}
    for piece in line.split("|"):
        parsed([placeholders.get(word, word) for word in shlex.split(piece)][1:])


@pytest.mark.parametrize("line", [line for line in commands() if line.split()[1] not in NEEDS_AN_ENGINE])
def test_commands_that_need_no_engine_work(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They end with status 0, and what a person asked for stands on stdout."""
    monkeypatch.chdir(ROOT)
    said = b""
    for piece in line.split("|"):
        result = CliRunner().invoke(main, shlex.split(piece)[1:], input=said)
        assert result.exit_code == 0, result.output
        said = result.stdout_bytes
    assert said or "--ledger" in line or line.startswith(("flue test", "flue check"))


def test_the_example_makes_what_it_says_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message of the example gives, byte for byte, the Bundle in `expected`.

    Where a map changed on purpose: `flue convert --pretty --conf examples/lab_results MESSAGE > EXPECTED`, and read the difference.
    """
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("FLUE_IDENTITY_SECRET", raising=False)
    messages = sorted((EXAMPLE.parent / "messages").glob("*.hl7"))
    assert len(messages) == 4
    for message in messages:
        result = CliRunner().invoke(main, ["convert", "--pretty", "--conf", "examples/lab_results", str(message)])
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == (EXAMPLE.parent / "expected" / f"{message.stem}.json").read_text(), message.name

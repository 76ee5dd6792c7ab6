"""The `flue` command itself: what it offers, and how it ends when something is wrong that no command foresaw."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from engine.cli import validate
from engine.cli.main import COMMANDS
from tests.engine.cli.conftest import Flue


def test_every_command_has_help_and_an_example(flue: Flue) -> None:
    """Each option says what it is for."""
    assert all(f"  {name} " in flue("--help").stdout for name in COMMANDS)
    for name in COMMANDS:
        command = importlib.import_module(f"engine.cli.{name}").command
        assert command.help and flue(name, "--help").exit_code == 0
        for each in [command, *(command.commands.values() if isinstance(command, click.Group) else ())]:
            assert each.help, each.name
            assert isinstance(each, click.Group) or (each.epilog or "").startswith("Example: flue "), each.name
            assert [option.name for option in each.params if isinstance(option, click.Option) and not option.help] == [], each.name


def test_a_command_that_is_none(flue: Flue) -> None:
    """With the one that was probably meant; status 2."""
    done = flue("convrt")
    assert done.exit_code == 2 and "there is no command 'convrt' (did you mean convert?)" in done.stderr
    assert flue().exit_code == 2 and flue("--version").stdout == "flue, version 0.1.0\n"


def test_a_defect_ends_in_a_sentence_without_a_value(flue: Flue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is, and nothing of the message; so do files that cannot be read."""

    def broken(document: object) -> None:
        raise KeyError("Keller, Ana")

    monkeypatch.setattr(validate, "loads", broken)
    done = flue("validate", "-", stdin=b"{}", FLUE_TRACEBACK="")
    assert done.exit_code == 1
    assert done.stderr.startswith("a defect of flue: KeyError in tests/engine/cli/test_main.py:") and "Keller" not in done.stderr

    def unreadable(document: object) -> None:
        raise PermissionError(13, "Permission denied", "result.json")

    monkeypatch.setattr(validate, "loads", unreadable)
    done = flue("validate", "-", stdin=b"{}", FLUE_TRACEBACK="")
    assert (done.exit_code, done.stderr) == (1, "result.json: Permission denied\n")


def test_whoever_has_read_enough_ends_it_quietly(tmp_path: Path) -> None:
    """`flue … | head -1` says nothing about a broken pipe."""
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.cli.main", "check", "--schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait(20) in (0, 1)


def test_the_maps_are_listed(flue: Flue, tmp_path: Path) -> None:
    """What each makes, reads and tests; a site's over the package's."""
    done = flue("maps", "coverage", FLUE_SHARED="")
    (row,) = [line.split() for line in done.stdout.splitlines() if line.startswith("OBX_Observation ")]
    assert row[1] == "Observation" and int(row[2]) > 20 and "v2-to-FHIR, OBX[Observation]" in " ".join(row)
    (tmp_path / "site" / "maps").mkdir(parents=True)
    (tmp_path / "site" / "maps" / "ZXX_Observation.yaml").write_text(
        "map: ours\nsegment: ZXX\nresource: Observation\nrules:\n  - { to: status, const: final }\n"
    )
    assert "ZXX_Observation" in flue("maps", "coverage", "--conf", "site", FLUE_SHARED="").stdout


def test_a_sink_on_a_taken_port(flue: Flue) -> None:
    """Says so; status 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = flue("sink", "--port", port)
    assert (done.exit_code, done.stderr) == (1, f"port {port} cannot be listened on: Address already in use\n")


def test_run_without_a_folder(flue: Flue) -> None:
    """The command line is at fault."""
    done = flue("run")
    assert done.exit_code == 2 and "Directory 'conf' does not exist." in done.stderr


def test_run_on_what_cannot_run(tmp_path: Path) -> None:
    """An address that is not set, and an HTTP port that is taken, are told in a line; status 1."""

    def said(**environment: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "engine.cli.main", "run", "--conf", str(tmp_path)]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stderr

    channel = 'channel: lab\nsource: { mllp: { listen: "tcp:0" } }\ndestinations: [ { name: out, file: { folder: "${env:FLUE_OUT}" } } ]\n'
    (tmp_path / "channel.yaml").write_text(channel)
    status, words = said()
    assert (status, words) == (1, f"{tmp_path}/channel.yaml:3:46: unset: ${{env:FLUE_OUT}} is not set and has no default.\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "engine.yaml").write_text(f'http: {{ listen: "tcp:{port}:interface=127.0.0.1" }}\n')
        status, words = said(FLUE_OUT="out")
    assert status == 1 and words.splitlines()[-1] == f"HTTP cannot listen on 127.0.0.1, port {port}: Address already in use"

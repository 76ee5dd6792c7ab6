"""engine.yaml: defaults where nothing is said, problems with their places where something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import configuration
from engine.configuration import Configuration, load


def configured(folder: Path, text: str, **options: object) -> configuration.Configured:
    (folder / "engine.yaml").write_text(text, "utf-8")
    return load(folder, lookup=lambda kind, name: {"PORT": "tcp:9090"}.get(name), **options)


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert (found.configuration, found.problems) == (Configuration(), ())
    assert (found.configuration.http.listen, found.configuration.store.path) == ("tcp:8080:interface=127.0.0.1", "data")


def test_the_starter_file_is_the_defaults() -> None:
    """What conf/engine.yaml shows is what holds without it."""
    found = load(Path(__file__).parents[2] / "conf")
    assert (found.configuration, found.problems) == (Configuration(), ())


def test_what_is_said_holds(tmp_path: Path) -> None:
    found = configured(
        tmp_path,
        'http: { listen: "${env:PORT}" }\nstore: { path: /var/lib/flue }\nlog: { level: debug, format: json }\ncommitter: loop\n'
        'identity: { base: "https://x.example/id/", secret: "${env:KEY:-k}" }\n',
    )
    assert found.problems == ()
    made = found.configuration
    assert (made.http.listen, made.store.path, made.log.level, made.committer) == ("tcp:9090", "/var/lib/flue", "debug", "loop")
    assert (made.identity.base, made.identity.secret) == ("https://x.example/id", "k")
    assert found.identity == {"base": "https://x.example/id/", "secret": "${env:KEY:-k}"}


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    found = configured(tmp_path, 'htp: {}\nlog: { level: loud }\nstore: { path: "" }\ncommitter: thred\nidentity: { secret: x, base: y }\n')
    assert [(each.line, each.column, each.code) for each in found.problems] == [
        (1, 1, "unknown_key"),
        (2, 15, "not_one_of"),
        (3, 16, "out_of_range"),
        (4, 12, "not_one_of"),
        (5, 21, "literal_secret"),
        (5, 30, "uri"),
    ]
    assert found.configuration == Configuration()
    assert len(found.errors) == 6


@pytest.mark.parametrize(("starting", "severity"), [(False, "warning"), (True, "error")])
def test_what_is_unset(tmp_path: Path, starting: bool, severity: str) -> None:
    found = configured(tmp_path, 'identity: { base: "${env:BASE}" }\n', starting=starting)
    assert [(each.line, each.code, each.severity) for each in found.problems] == [(1, "unset", severity)]


@pytest.mark.parametrize("text", ["", "x", "[", "- 1", "http:", "http: []", "\x00"])
def test_no_text_breaks_it(tmp_path: Path, text: str) -> None:
    assert configured(tmp_path, text).problems


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "engine.yaml").write_bytes(b"\xff\xfe\xfa")
    assert [each.code for each in load(tmp_path).problems] == ["unreadable"]

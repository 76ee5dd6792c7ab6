"""How the tests of the commands call them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engine.cli.main import main

Flue = Callable[..., Result]


@pytest.fixture
def flue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flue:
    """Call `flue` in an empty folder, where no engine answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLUE_IDENTITY_SECRET", raising=False)
    monkeypatch.setenv("FLUE_TRACEBACK", "1")  # what is not foreseen fails the test

    def call(*arguments: object, stdin: bytes | None = None, **environment: str) -> Result:
        result = CliRunner(env={"FLUE_URL": "http://127.0.0.1:1", **environment}).invoke(main, list(map(str, arguments)), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call

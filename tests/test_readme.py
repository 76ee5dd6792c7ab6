"""The README's YAML checks, and its channel is one that runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from channels import loading

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


@pytest.mark.parametrize("text", BLOCKS)
def test_yaml_of_the_readme_checks(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every YAML block is a channel without a problem."""
    monkeypatch.setenv("FLUE_FHIR_URL", "http://127.0.0.1:8090/fhir")
    monkeypatch.setenv("FLUE_IDENTITY_SECRET", "x")
    (tmp_path / "channel.yaml").write_text(text)
    loaded = loading.load(tmp_path)
    assert [str(problem) for problem in loaded.problems] == []
    assert len(loaded.channels) == 1

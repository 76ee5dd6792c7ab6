"""What is installed: the package's data goes with its code, wherever it stands below it."""

from __future__ import annotations

from pathlib import Path

import pytest
from setuptools import Distribution

ROOT = Path(__file__).parents[1]
PACKAGES = ("transforms", "channels", "engine")


def test_wheels_carry_maps_tables_and_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file below a package that is not Python is built into a wheel."""
    monkeypatch.chdir(ROOT)
    distribution = Distribution()
    distribution.parse_config_files(["pyproject.toml", "setup.cfg"])
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()
    built = {(ROOT / source / name).resolve() for _, source, _, names in build.data_files for name in names}
    found = {
        each.resolve()
        for package in PACKAGES
        for each in (ROOT / package).rglob("*")
        if each.is_file() and each.suffix not in (".py", ".pyc", ".md") and "__pycache__" not in each.parts
    }
    assert (ROOT / "transforms/mapping/maps/segments/OBX_Observation.yaml").resolve() in found
    assert sorted(str(each.relative_to(ROOT)) for each in found - built) == []

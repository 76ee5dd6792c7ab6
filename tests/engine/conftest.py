"""What tests of the doors share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.laboratory import Laboratory
from tests.reactor import Runner


@pytest.fixture
def laboratory(runner: Runner, tmp_path: Path) -> Laboratory:
    """An engine to tell a story with."""
    return Laboratory(runner, tmp_path)

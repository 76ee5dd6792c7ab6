"""What all tests share: the folder of corpus and reference data, where it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.reactor import Runner


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without FLUE_SHARED, what reads it is deselected, and the closing line says how much that was."""
    if os.environ.get("FLUE_SHARED"):
        return
    without = [item for item in items if item.get_closest_marker("shared")]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data (corpus, reference, peers ...)."""
    return Path(os.environ["FLUE_SHARED"])


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """The reactor and event loop that tests with real sockets share; see tests/reactor.py."""
    from tests.reactor import Runner

    runner = Runner()
    yield runner
    runner.close()

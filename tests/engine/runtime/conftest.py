"""Fixtures of the runtime's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engine.runtime.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Set a stage with a channel's YAML, and start the engine on it."""
    with ExitStack() as stack:

        def set_stage(*args: str, **channels: str) -> Stage:
            return stack.enter_context(Stage(tmp_path, *args, **channels).running())

        yield set_stage

"""Stores for the tests of this room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from engine.store.sqlite import SqliteStore, open_store


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., object]:
    """Plays a scene on a store in `tmp_path`; what it returns is returned."""

    def play(scene: Callable[[SqliteStore], Awaitable[object]], committer: str = "loop", **options: object) -> object:
        async def run() -> object:
            store = await open_store(tmp_path / "data", loop=asyncio.get_running_loop(), committer=committer, **options)
            try:
                return await scene(store)
            finally:
                await store.close()

        return asyncio.run(run())

    return play

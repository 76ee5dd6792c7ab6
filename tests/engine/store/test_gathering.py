"""Look-ups of one turn share one read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from engine.store.gathering import Gathering

ROWS = {"a": 1, "b": 2}


def test_what_is_asked_in_one_turn_is_looked_up_once_and_everyone_gets_his_own() -> None:
    """Three questions, two scopes, two reads."""
    reads: list[tuple[str, tuple[str, ...]]] = []

    def look(scope: str, keys: Sequence[str]) -> Mapping[str, int]:
        reads.append((scope, tuple(keys)))
        return {key: ROWS[key] for key in keys if key in ROWS}

    async def asking() -> list[Mapping[str, int]]:
        gathering = Gathering(asyncio.get_running_loop(), look)
        return await asyncio.gather(gathering.ask("one", ["a"]), gathering.ask("one", ["b", "c"]), gathering.ask("two", ["a"]))

    assert asyncio.run(asking()) == [{"a": 1}, {"b": 2}, {"a": 1}]
    assert reads == [("one", ("a", "b", "c")), ("two", ("a",))]


def test_a_disk_that_fails_is_everyones_error_and_the_next_turn_asks_again() -> None:
    """Nobody waits for ever."""
    fails = [True]

    def look(scope: str, keys: Sequence[str]) -> Mapping[str, int]:
        if fails.pop():
            fails.append(False)
            raise OSError("the disk")
        return {}

    async def asking() -> None:
        gathering = Gathering(asyncio.get_running_loop(), look)
        with pytest.raises(OSError, match="the disk"):
            await gathering.ask("one", ["a"])
        assert await gathering.ask("one", ["a"]) == {}

    asyncio.run(asking())

"""Small look-ups of one turn of the loop, asked of the database in one piece.

A reading connection has to look at the log again after every commit, which costs more than the row it then finds.  What is
asked in the same turn shares that.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

Row = TypeVar("Row")
Look = Callable[[str, Sequence[str]], Mapping[str, Row]]
"""Looks keys up within a scope; unknown ones are left out."""


class Gathering(Generic[Row]):
    """Look-ups by (scope, keys), answered at the end of the turn in which they are asked."""

    def __init__(self, loop: AbstractEventLoop, look: Look[Row]) -> None:
        self._loop, self._look = loop, look
        self._asked: dict[str, list[tuple[Sequence[str], Future[Mapping[str, Row]]]]] = {}

    def ask(self, scope: str, keys: Sequence[str]) -> Future[Mapping[str, Row]]:
        """A future of the rows found; it fails as the look-up fails."""
        future: Future[Mapping[str, Row]] = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._answer)
        self._asked.setdefault(scope, []).append((keys, future))
        return future

    def _answer(self) -> None:
        asked, self._asked = self._asked, {}
        for scope, waiting in asked.items():
            try:
                found = self._look(scope, [key for keys, _ in waiting for key in keys])
            except Exception as why:  # noqa: BLE001 - handed to whoever asked
                self._fail(waiting, why)
                continue
            for keys, future in waiting:
                if not future.done():
                    future.set_result({key: found[key] for key in keys if key in found} if found else {})

    @staticmethod
    def _fail(waiting: list[tuple[Sequence[str], Future]], why: Exception) -> None:
        for _, future in waiting:
            if not future.done():
                future.set_exception(why)

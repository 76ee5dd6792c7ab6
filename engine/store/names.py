"""Texts that recur in millions of rows, as numbers: a table and, before it, a dictionary."""

from __future__ import annotations

import apsw

from engine.store.queries import STATEMENTS

MOST = 10_000
"""So many are remembered; after that the dictionary begins anew."""


class Names:
    """Text to number and back, on one connection.  A writer gives unknown texts a number, a reader does not (0)."""

    def __init__(self, connection: apsw.Connection, writing: bool) -> None:
        self._connection, self._writing = connection, writing
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._routes: dict[tuple[int, str], int] = {}
        self._destinations: dict[int, str] = {}

    def forget(self) -> None:
        """Begin anew: a rollback may have taken numbers back."""
        for each in (self._numbers, self._texts, self._routes, self._destinations):
            each.clear()

    def number(self, text: str) -> int:
        """The number of a text."""
        return self._numbers.get(text) or self._find(text)

    def _find(self, text: str) -> int:
        number = self._connection.execute(STATEMENTS["name_number"], (text,)).get
        if number is None:
            if not self._writing:
                return 0
            number = self._connection.execute(STATEMENTS["number_name"], (text,)).get
        self._bounded(self._numbers)[text] = number
        return number

    def text(self, number: int) -> str:
        """The text of a number."""
        found = self._texts.get(number)
        if found is None:
            found = self._bounded(self._texts)[number] = self._connection.execute(STATEMENTS["name_text"], (number,)).get
        return found

    def route(self, channel: int, destination: str) -> int:
        """The number of a destination of a channel (a number itself)."""
        return self._routes.get((channel, destination)) or self._find_route(channel, destination)

    def _find_route(self, channel: int, destination: str) -> int:
        pair = (channel, self.number(destination))
        route = self._connection.execute(STATEMENTS["route_number"], pair).get
        if route is None:
            if not self._writing:
                return 0
            route = self._connection.execute(STATEMENTS["number_route"], pair).get
        self._bounded(self._routes)[channel, destination] = route
        return route

    def destination(self, route: int) -> str:
        """The destination that a route leads to."""
        found = self._destinations.get(route)
        if found is None:
            _, found = self._connection.execute(STATEMENTS["route_names"], (route,)).get
            self._bounded(self._destinations)[route] = found
        return found

    @staticmethod
    def _bounded(remembered: dict) -> dict:
        if len(remembered) >= MOST:
            remembered.clear()
        return remembered

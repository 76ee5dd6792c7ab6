"""What one destination knows of its receiver: references by criterion, and how large a conditional transaction may be.

Kept in memory, bounded; the store keeps what must outlive it (`Outcome.learned`).  No I/O, no clock.
"""

from __future__ import annotations

from collections import OrderedDict

LIMIT = 20_000
"""References held; the least recently used go first.  About 8 MB when full."""

NEVER = 1 << 30


class References:
    """Criterion (`Patient?identifier=…`) -> reference (`Patient/123`)."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._known: OrderedDict[str, str] = OrderedDict()
        self._taken = 0  # entries of the largest conditional transaction that the receiver took
        self._refused = NEVER  # and of the smallest that it refused for being one

    def get(self, key: str) -> str | None:
        """The reference, if it is known."""
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    def learn(self, key: str, reference: str) -> None:
        """Remember a reference; an empty one means that it is known no longer."""
        if not reference:
            self._known.pop(key, None)
            return
        self._known[key] = reference
        self._known.move_to_end(key)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)

    # Medplum takes no more than 8 entries in all where one is conditional, others any number: so it is tried, once.

    def may_be_conditional(self, entries: int, modest: int) -> bool:
        """A transaction of that many entries may have conditional ones, as far as is known; after a refusal only a modest number."""
        return entries <= self._taken or (entries < self._refused and (self._refused == NEVER or entries <= modest))

    def doubtful(self, entries: int) -> bool:
        """None of that size was ever taken: a refusal may be about the size."""
        return entries > self._taken

    def taken(self, entries: int) -> None:
        """The receiver took a conditional transaction of that size."""
        self._taken = max(self._taken, entries)

    def refused(self, entries: int) -> None:
        """It refused one of that size, and took the same without conditions."""
        self._refused = min(self._refused, entries)

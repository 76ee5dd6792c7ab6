"""The order deliveries leave in: first come, first out inside a lane; lanes side by side.

A lane has at most one delivery under way.  No I/O, no clock: whoever sends asks for the `next` lane, and says when it is
done with it.
"""

from __future__ import annotations

from asyncio import Task, TimerHandle
from collections import deque
from collections.abc import Iterator

from engine.runtime.in_hand import Delivery


class Lane:
    """Deliveries that must keep their order; the first is the one to send.

    It is ready, or busy: its first is being sent or settled (`task`), or waits for its time (`timer`).
    """

    __slots__ = ("key", "queue", "task", "timer")

    def __init__(self, key: str) -> None:
        self.key = key
        self.queue: deque[Delivery] = deque()
        self.task: Task[None] | None = None
        self.timer: TimerHandle | None = None


class Lanes:
    """The lanes of one destination that hold anything, and which of them may send."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self.count = 0  # deliveries held
        self.weight = 0  # bytes of memory they take, about

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __len__(self) -> int:
        return len(self._lanes)

    def get(self, key: str) -> Lane | None:
        """The lane of that key, if it holds anything."""
        return self._lanes.get(key)

    def append(self, delivery: Delivery) -> Lane | None:
        """Hold a delivery at the end of its lane.  Returns the lane if it is new: it is not ready before `again`."""
        lane, new = self._lanes.get(delivery.lane), None
        if lane is None:
            lane = new = self._lanes[delivery.lane] = Lane(delivery.lane)
        lane.queue.append(delivery)
        self.count += 1
        self.weight += delivery.weight
        return new

    def again(self, lane: Lane) -> None:
        """The lane's first may be sent, after the other lanes that are ready."""
        self._ready.append(lane)

    def next(self) -> Lane | None:
        """The lane that has been ready longest, now busy; None if none is."""
        return self._ready.popleft() if self._ready else None

    def done(self, lane: Lane) -> None:
        """The first of a busy lane is over: the next may go."""
        delivery = lane.queue.popleft()
        self.count -= 1
        self.weight -= delivery.weight
        if lane.queue:
            self._ready.append(lane)
        else:
            del self._lanes[lane.key]

    def clear(self, lane: Lane) -> list[Delivery]:
        """Let go of a busy lane and of everything it holds."""
        held = list(lane.queue)
        lane.queue.clear()
        self.count -= len(held)
        self.weight -= sum(delivery.weight for delivery in held)
        del self._lanes[lane.key]
        return held

    def cut(self, lane: Lane) -> list[Delivery]:
        """Let go of everything in a lane but its first."""
        first, *others = lane.queue
        lane.queue = deque((first,))
        self.count -= len(others)
        self.weight -= sum(delivery.weight for delivery in others)
        return others

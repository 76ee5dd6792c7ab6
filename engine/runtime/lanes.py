"""The order deliveries leave in: first come, first out inside a lane; lanes side by side.

A lane has at most one delivery under way.  No I/O, no clock: whoever sends asks for the `next` lane, and says when it is
done with it.

A merge of two patients takes the lanes of both (rule 8): it stands in its own and keeps a place in the other, is sent when it is
the first of both, and what comes behind it in either waits until it is over.
"""

from __future__ import annotations

from asyncio import Task, TimerHandle
from collections import deque
from collections.abc import Iterator
from typing import Any

from engine.runtime.in_hand import Delivery


class Lane:
    """Deliveries that must keep their order; the first is the one to send.

    It is ready, or busy: its first is being sent or settled (`task`), or waits for its time (`timer`).
    """

    __slots__ = ("key", "queue", "task", "timer")

    def __init__(self, key: str) -> None:
        self.key = key
        self.queue: deque[Any] = deque()  # deliveries, and places of such as take several lanes
        self.task: Task[None] | None = None
        self.timer: TimerHandle | None = None


class Place:
    """What a delivery that takes several lanes keeps in those that are not its own."""

    __slots__ = ("delivery",)

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery


class _Join:
    """A delivery that takes several lanes: its places by lane, in how many lanes it is not the first, whether its own lane is ready."""

    __slots__ = ("behind", "own", "places", "ready")

    def __init__(self, own: Lane) -> None:
        self.own, self.places = own, dict[Lane, Place]()
        self.behind, self.ready = 0, False


class Lanes:
    """The lanes of one destination that hold anything, and which of them may send."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._joins: dict[Delivery, _Join] = {}
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
        if delivery.also:
            self._join(delivery, lane)
        return new

    def again(self, lane: Lane) -> None:
        """The lane's first may be sent, after the other lanes that are ready."""
        self._ready.append(lane)

    def next(self) -> Lane | None:
        """The lane that has been ready longest, now busy; None if none is."""
        while self._ready:
            lane = self._ready.popleft()
            if not self._joins or self._may_go(lane):
                return lane
        return None

    def done(self, lane: Lane) -> None:
        """The first of a busy lane is over: the next may go."""
        delivery = lane.queue.popleft()
        self.count -= 1
        self.weight -= delivery.weight
        if delivery.also:
            self._part(delivery)
        self._advance(lane)

    def clear(self, lane: Lane) -> list[Delivery]:
        """Let go of a busy lane and of everything it holds."""
        return self._let_go(lane, 0)

    def cut(self, lane: Lane) -> list[Delivery]:
        """Let go of everything in a lane but its first."""
        return self._let_go(lane, 1)

    def _let_go(self, lane: Lane, kept: int) -> list[Delivery]:
        others = list(lane.queue)[kept:]
        lane.queue = deque(list(lane.queue)[:kept])
        held = [each for each in others if type(each) is not Place]
        self.count -= len(held)
        self.weight -= sum(delivery.weight for delivery in held)
        if not lane.queue:
            del self._lanes[lane.key]
        for each in others:
            if type(each) is Place:
                self._wait_no_more(lane, each)
            elif each.also:
                self._part(each)
        return held

    def _advance(self, lane: Lane) -> None:
        """The first of a lane is gone."""
        if not lane.queue:
            del self._lanes[lane.key]
        elif type(lane.queue[0]) is Place:
            self._reach(lane.queue[0])
        else:
            self._ready.append(lane)

    # -- deliveries that take several lanes

    def joined(self, lane: Lane) -> bool:
        """Whether somebody in another lane waits for what is in this one."""
        return bool(self._joins) and any(type(each) is Place for each in lane.queue)

    def _join(self, delivery: Delivery, own: Lane) -> None:
        join = self._joins[delivery] = _Join(own)
        for key in dict.fromkeys(delivery.also):
            if key == own.key:
                continue
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = Lane(key)
            join.behind += bool(lane.queue)
            join.places[lane] = place = Place(delivery)
            lane.queue.append(place)

    def _may_go(self, lane: Lane) -> bool:
        join = self._joins.get(lane.queue[0])
        if join is None or not join.behind:
            return True
        join.ready = True
        return False

    def _reach(self, place: Place) -> None:
        """A place has come to the front of its lane, which waits now."""
        join = self._joins[place.delivery]
        join.behind -= 1
        if not join.behind and join.ready:
            join.ready = False
            self._ready.append(join.own)

    def _wait_no_more(self, lane: Lane, place: Place) -> None:
        """A lane was let go of, with the place in it: what was in it waits for a person, or for its time, and the delivery does not."""
        del self._joins[place.delivery].places[lane]
        self._reach(place)

    def _part(self, delivery: Delivery) -> None:
        """A delivery is over, or leaves memory: its places go."""
        for lane, place in self._joins.pop(delivery).places.items():
            first = lane.queue[0] is place
            lane.queue.remove(place)
            if first:
                self._advance(lane)

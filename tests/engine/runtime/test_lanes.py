"""Lanes: order inside, side by side, and deliveries that take several.  Values only."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.in_hand import Delivery, Joining
from engine.runtime.lanes import Lane, Lanes


def delivery(lane: str, *also: str) -> Delivery:
    plain = Delivery("repository", 0, lane, None)  # type: ignore[arg-type]
    return Joining(plain, also) if also else plain


def put(lanes: Lanes, *deliveries: Delivery) -> None:
    for each in deliveries:
        new = lanes.append(each)
        if new is not None:
            lanes.again(new)


def drained(lanes: Lanes) -> list[Delivery]:
    """Everything, sent one after the other."""
    sent = []
    while (lane := lanes.next()) is not None:
        sent.append(lane.queue[0])
        lanes.done(lane)
    return sent


def test_a_joining_delivery_waits_and_is_waited_for() -> None:
    """It goes when it is the first of all its lanes; other lanes do not care."""
    lanes = Lanes()
    a1, b1, both, a2, b2, c = delivery("A"), delivery("B"), delivery("B", "A"), delivery("A"), delivery("B"), delivery("C")
    put(lanes, a1, b1, both, a2, b2, c)
    sent = drained(lanes)
    assert set(sent[:3]) == {a1, b1, c} and sent[3] is both and set(sent[4:]) == {a2, b2}
    assert lanes.count == 0 and len(lanes) == 0


def test_a_place_in_an_empty_lane() -> None:
    """Nothing to wait for; what comes later into that lane waits."""
    lanes = Lanes()
    both, later = delivery("B", "A"), delivery("A")
    put(lanes, both, later)
    assert drained(lanes) == [both, later] and len(lanes) == 0


def test_a_lane_that_is_let_go_of() -> None:
    """What is parked waits for a person; a delivery of another lane that has a place there does not."""
    lanes = Lanes()
    put(lanes, delivery("A"), both := delivery("B", "A"), delivery("A"))
    dead = lanes.next()
    assert dead is not None and dead.key == "A" and lanes.next() is None
    assert len(lanes.clear(dead)) == 2 and drained(lanes) == [both] and lanes.count == len(lanes) == 0


def test_a_joining_delivery_that_leaves_memory() -> None:
    """Its places go with it, and those behind them go on."""
    lanes = Lanes()
    put(lanes, delivery("B"), delivery("B", "A"), later := delivery("A"))
    first = lanes.next()
    assert first is not None and lanes.joined(lanes.get("A")) and lanes.next() is None  # type: ignore[arg-type]
    assert len(lanes.cut(first)) == 1 and lanes.next() is lanes.get("A") and lanes.get("A").queue[0] is later  # type: ignore[union-attr]


KEYS = st.sampled_from("ABCD")


@given(st.lists(st.tuples(KEYS, st.lists(KEYS, max_size=3)), max_size=20), st.integers(0, 10**6))
def test_any_order_of_any_deliveries(wanted: list[tuple[str, list[str]]], seed: int) -> None:
    """However sending, finishing, retrying and arriving mix: no lane is used twice at once or out of order, and all are sent."""
    chance = random.Random(seed)
    lanes, waiting = Lanes(), [delivery(lane, *also) for lane, also in wanted]
    order = {key: [each for each in waiting if key in (each.lane, *each.also)] for key in "ABCD"}
    sending: list[Lane] = []
    left = list(waiting)
    done: list[Delivery] = []
    while left or sending or len(done) < len(waiting):
        lane = lanes.next()
        if lane is not None:
            first = lane.queue[0]
            mine = {first.lane, *first.also}
            assert not any(mine & {each.queue[0].lane, *each.queue[0].also} for each in sending)
            sending.append(lane)
        elif left and (not sending or chance.random() < 0.5):
            put(lanes, left.pop(0))
            continue
        assert sending or left, "nobody can go on"
        if sending and chance.random() < 0.5:
            finished = sending.pop(chance.randrange(len(sending)))
            if chance.random() < 0.25:
                lanes.again(finished)  # it will be tried again
                continue
            done.append(finished.queue[0])
            lanes.done(finished)
    assert len(done) == len(waiting) and lanes.count == len(lanes) == 0
    assert all([each for each in done if each in order[key]] == order[key] for key in "ABCD")

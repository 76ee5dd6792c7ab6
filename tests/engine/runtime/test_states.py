"""The channel's machine, cell by cell, and what a message has come to."""

from __future__ import annotations

import pytest

from engine.runtime.states import CHANNEL, ChannelState, ImpossibleStep, outcome, step
from engine.store.records import DeliveryStatus as D
from engine.store.records import MessageStatus as M

C = ChannelState
MAY = {
    C.UNDEPLOYED: "deployed",
    C.DEPLOYED: "started failed stopped undeployed",
    C.STARTED: "paused stopping failed",
    C.PAUSED: "started stopping failed",
    C.STOPPING: "stopped failed",
    C.STOPPED: "deployed started failed undeployed",
    C.FAILED: "started paused stopping undeployed",
}


@pytest.mark.parametrize("now", list(C))
@pytest.mark.parametrize("then", list(C))
def test_every_cell_of_the_channels_table(now: ChannelState, then: ChannelState) -> None:
    """A channel takes the steps of its table and no other."""
    if then.value in MAY[now].split():
        assert step(now, then) is then
    else:
        with pytest.raises(ImpossibleStep):
            step(now, then)


def test_every_state_can_be_left_and_reached() -> None:
    """No state is a trap: a failed or stopped channel can be started again."""
    assert CHANNEL.states == {each.value for each in C}
    for state in C:
        assert CHANNEL.follows[state.value], state
        assert any(state.value in after for after in CHANNEL.follows.values()), state


@pytest.mark.parametrize(
    ("statuses", "message"),
    [
        ([], M.FILTERED),
        ([D.SENT], M.SENT),
        ([D.SENT, D.SUPERSEDED], M.SENT),
        ([D.SUPERSEDED], M.SENT),
        ([D.SENT, D.DEAD_LETTER], M.PARTLY_SENT),
        ([D.SENT, D.QUEUED], M.PARTLY_SENT),
        ([D.SENT, D.DISMISSED], M.PARTLY_SENT),
        ([D.DEAD_LETTER], M.ERROR),
        ([D.DEAD_LETTER, D.DISMISSED], M.ERROR),
        ([D.HELD], M.HELD),
        ([D.QUEUED], M.HELD),
        ([D.UNSURE, D.DEAD_LETTER], M.HELD),
    ],
)
def test_what_a_message_has_come_to(statuses: list[D], message: M) -> None:
    """Sent means all of it; partly sent some of it; an error that it was given up; held that it waits for somebody."""
    assert outcome(statuses) is message

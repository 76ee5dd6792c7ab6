"""The state tables, cell by cell."""

from __future__ import annotations

from itertools import product

import pytest

from engine.store.records import DeliveryStatus, MessageStatus
from engine.store.states import ANSWER, DELIVERY, DELIVERY_MAY, MACHINES, MESSAGE, MESSAGE_MAY, NEW, Machine

# What may be written over what: a row for what is kept, a letter for each state that may follow.
MESSAGES = """
             received filtered error held sent partly_sent
new             x        x       x    x    x       x
received        x        x       x    x    x       x
filtered        .        x       .    .    .       .
error           x        x       x    x    x       x
held            x        x       x    x    x       x
sent            .        .       .    .    x       .
partly_sent     x        x       x    x    x       x
"""
DELIVERIES = """
             queued sending sent superseded dead_letter unsure dismissed held
new             x      x      x       x          x         x       .      x
queued          x      x      x       x          x         x       .      x
sending         x      x      x       x          x         x       .      x
sent            .      .      x       .          .         .       .      .
superseded      .      .      .       x          .         .       .      .
dead_letter     x      x      x       x          x         x       x      x
unsure          x      x      x       x          x         x       x      x
dismissed       .      .      .       .          .         .       x      .
held            x      x      x       x          x         x       x      x
"""


def cells(table: str) -> list[tuple[str, str, bool]]:
    """State, following state, and whether it may be written."""
    head, *rows = (line.split() for line in table.strip().splitlines())
    return [(NEW if row[0] == "new" else row[0], after, mark == "x") for row in rows for after, mark in zip(head, row[1:], strict=True)]


@pytest.mark.parametrize(("before", "after", "may"), cells(MESSAGES))
def test_what_a_message_may_become(before: str, after: str, may: bool) -> None:
    """Each cell of the message table, as it is written."""
    assert ((before, after) in MESSAGE_MAY) is may


@pytest.mark.parametrize(("before", "after", "may"), cells(DELIVERIES))
def test_what_a_delivery_may_become(before: str, after: str, may: bool) -> None:
    """Each cell of the delivery table, as it is written."""
    assert ((before, after) in DELIVERY_MAY) is may


def test_the_tables_know_every_state() -> None:
    """A status that can be stored is a state, and the tables above have a cell for every pair."""
    assert MESSAGE.states == set(MessageStatus) and DELIVERY.states == set(DeliveryStatus)
    assert {(before, after) for before, after, _ in cells(MESSAGES)} == set(product([NEW, *MessageStatus], MessageStatus))
    assert {(before, after) for before, after, _ in cells(DELIVERIES)} == set(product([NEW, *DeliveryStatus], DeliveryStatus))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_is_written_or_derived_and_can_be_reached(machine: Machine) -> None:
    """No state is left out, none leads to a state that is not in the table."""
    assert machine.written | machine.derived == machine.states
    reached, edge = set(), {NEW}
    while edge:
        edge = {after for state in edge for after in machine.follows[state]} - reached
        reached |= edge
    assert reached == machine.states


def test_final_deliveries_stay(machine: Machine = DELIVERY) -> None:
    """Nothing follows what is final."""
    assert {state for state in DeliveryStatus if not machine.follows[state]} == {state for state in DeliveryStatus if state.final}


def test_an_answer_that_was_given_stays_given() -> None:
    """Its states are derived: only what was answered is written."""
    assert ANSWER.written == frozenset() and not ANSWER.follows["given"]

"""What a sender waits for with `when_delivered`: one attempt at each destination, but only for so long.

The answer to a message becomes known once.  The one who sent it waits, and whoever sent the same again meanwhile; when all of
them have gone, or the time is up, the answer is that it is not delivered yet.  Delivery goes on either way.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from channels.message import Outcome, Verdict
from engine.runtime.in_hand import Delivery, Hands, InHand
from engine.store.records import Answer
from transforms.errors import ErrorCode, MessageError

NOT_DELIVERED = MessageError(ErrorCode.INTERNAL, "MSH", "it is kept, and will be delivered when the receiver takes it")
GOOD = (Verdict.SENT, Verdict.HELD)  # what is held is in our hands, and a person looks

T = TypeVar("T")
Make = Callable[[MessageError | None], Answer]
"""The answer to a message that came to nothing wrong, or to an error."""


class FirstAttempts:
    """The answer to one message, until it is known.

    `accepted` is what its sender was told at once, when the message was durable; None in original mode.  `on_known` is called
    with the message as it is in hand when the answer is known, and whatever writes it by itself has had its turn.
    """

    def __init__(
        self, hand: InHand, to_come: int, accepted: Answer | None, make: Make, hands: Hands, loop: AbstractEventLoop,
        on_known: Callable[[InHand], None],
    ) -> None:  # fmt: skip
        self.accepted = accepted
        self._hand, self._to_come, self._make, self._hands, self._loop, self._on_known = hand, to_come, make, hands, loop, on_known
        self._wrong: Outcome | None = None  # the first that went wrong
        self._asked: list[tuple[Future, Callable[[Answer], object]]] = []
        self._timer: TimerHandle | None = None
        self._known = False
        hand.first = self._first

    def begin(self, within: float) -> None:
        """The message is with its destinations."""
        self._timer = self._loop.call_later(within, self.answer, NOT_DELIVERED)
        if not self._to_come:
            self.answer(None)

    def wait(self, form: Callable[[Answer], T]) -> Future[T]:
        """What `form` makes of the answer, when it is known.  Cancelled by who does not wait any more."""
        asked: Future[T] = self._loop.create_future()
        self._asked.append((asked, form))
        asked.add_done_callback(self._left)
        return asked

    def answer(self, error: MessageError | None) -> None:
        """The answer is known."""
        if self._known:
            return
        self._known = True
        if self._timer is not None:
            self._timer.cancel()
        hand = self._hands.by_id.get(self._hand.id) or self._hand  # it may have been read back from the store meanwhile
        self._hand.first = hand.first = None
        hand.answer = self._make(error)
        for asked, form in self._asked:
            if not asked.done():
                asked.set_result(form(hand.answer))
        self._loop.call_soon(partial(self._on_known, hand))

    def _first(self, delivery: Delivery, outcome: Outcome) -> None:
        self._to_come -= 1
        if outcome.verdict not in GOOD and self._wrong is None:
            self._wrong = outcome
        if not self._to_come:
            self.answer(_not_delivered(self._wrong) if self._wrong else None)

    def _left(self, asked: Future) -> None:
        """Where nobody waits any more, who asks again is told the truth: not delivered yet."""
        if asked.cancelled() and all(each.done() for each, _ in self._asked):
            self.answer(NOT_DELIVERED)


def _not_delivered(outcome: Outcome) -> MessageError:
    if outcome.verdict is Verdict.REFUSED:
        return MessageError(ErrorCode.INTERNAL, "MSH", f"the receiver refused it ({outcome.code})")
    return NOT_DELIVERED

"""A batch of messages, or a file of batches, that came as one: each message goes the usual way, one batch answers them.

Every message is stored, answered and replayable by itself; the answer is given when all of them are durable.  So after a crash in
the middle the sender, who has no answer, sends the batch again: what was kept is recognised and gets the answer of the day.  A
wrong count costs no message: it is reported, and said in the answer (rule 10).

In enhanced mode the batch that answers holds what is owed at once (CA); an application acknowledgment is a message of its own, and
follows.  A message that wants no answer has no place in the batch, and where no message wants one, nothing is answered.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from channels.message import RawMessage, Response
from engine.events import BatchAtFault, Events
from engine.runtime.delivery import World
from transforms.hl7.batch import Envelope, acknowledge_envelope, read_envelope

TOGETHER = 8  # messages begun before the loop may do something else
IN_HAND = 256  # messages of one batch whose answers are waited for before more are begun

Receive = Callable[[RawMessage], Awaitable[Response]]


class Batches:
    """Takes batches apart for one channel."""

    def __init__(self, channel: str, receive: Receive, events: Events, world: World) -> None:
        self._channel, self._receive, self._events, self._world = channel, receive, events, world

    async def receive(self, raw: RawMessage) -> Response:
        """Take charge of every message of a batch, and say what its sender is owed.  Never raises."""
        envelope = read_envelope(raw.content)
        if faults := envelope.all_faults:
            self._events.tell(BatchAtFault(self._channel, len(envelope.messages), faults))
        responses = await self._all_of([replace(raw, content=message) for message in envelope.messages])
        return self._answer(envelope, responses)

    async def _all_of(self, messages: Sequence[RawMessage]) -> list[Response]:
        """What is owed for each, begun in their order."""
        tasks: list[Task[Response]] = []
        try:
            for number, message in enumerate(messages):
                if number % TOGETHER == TOGETHER - 1:
                    await asyncio.sleep(0)
                if number >= IN_HAND:
                    await tasks[number - IN_HAND]
                tasks.append(self._world.loop.create_task(self._taken(message)))
            return [await task for task in tasks]
        except asyncio.CancelledError:  # the connection is dropped
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _taken(self, message: RawMessage) -> Response:
        return await self._receive(message)

    def _answer(self, envelope: Envelope, responses: Sequence[Response]) -> Response:
        firsts = [response.contents[0] if response.contents else None for response in responses]
        following = [content for response in responses for content in response.contents[1:]]
        contents = following
        if not responses or any(firsts):
            when, control_id = datetime.fromtimestamp(self._world.now(), UTC), self._world.new_id()
            contents = [acknowledge_envelope(envelope, firsts, control_id=control_id, when=when), *following]
        later = [response.later for response in responses if response.later is not None]
        return Response(tuple(contents), _together(later, self._world.loop) if later else None, _lost(responses))


def _together(later: Sequence[Future[Response]], loop: asyncio.AbstractEventLoop) -> Future[Response]:
    """What follows for the messages of a batch, when all of it is known; who cancels it cancels all of them."""
    together: Future[Response] = loop.create_future()

    def known(_: Future[Response]) -> None:
        if together.done() or not all(each.done() for each in later):
            return
        responses = [each.result() for each in later if not each.cancelled()]
        together.set_result(Response(tuple([content for each in responses for content in each.contents]), None, _lost(responses)))

    def left(_: Future[Response]) -> None:
        if together.cancelled():
            for each in later:
                each.cancel()

    for each in later:
        each.add_done_callback(known)
    together.add_done_callback(left)
    return together


def _lost(responses: Sequence[Response]) -> Callable[[], None]:
    def lost() -> None:
        for response in responses:
            if response.lost is not None and response.contents:
                response.lost()

    return lost

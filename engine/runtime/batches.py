"""A batch of messages, or a file of batches, that came as one: each message goes the usual way, one batch answers them.

Every message is stored, answered and replayable by itself; the answer is given when all of them are durable.  So after a crash in
the middle the sender, who has no answer, sends the batch again: what was kept is recognised and gets the answer of the day.  A
wrong count costs no message: it is reported, and said in the answer (rule 10).

In enhanced mode the batch that answers holds what is owed at once (CA); application acknowledgments follow in a batch of their own,
when all of them are known.  A message that wants no answer has no place in either, and where no message wants one, nothing is answered.
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
        seconds = [response.contents[1] if len(response.contents) > 1 else None for response in responses]
        batches = [firsts] if any(firsts) or not responses else []
        contents = tuple([self._batch(envelope, each) for each in ([*batches, seconds] if any(seconds) else batches)])
        later = [response.later for response in responses]
        codes, ids = [response.code for response in responses], [response.id for response in responses]
        code = codes[0] if codes and not any(ids) else "AA"  # nothing of it is kept: the whole of it shall come again
        together = self._together(envelope, later) if any(later) else None
        return Response(contents, together, _lost(responses), code if contents else "", max(ids, default=0))

    def _batch(self, envelope: Envelope, answers: Sequence[bytes | None]) -> bytes:
        when = datetime.fromtimestamp(self._world.now(), UTC)
        return acknowledge_envelope(envelope, answers, control_id=self._world.new_id(), when=when)

    def _together(self, envelope: Envelope, later: Sequence[Future[Response] | None]) -> Future[Response]:
        """The batch that follows, when all that it holds is known; who cancels it cancels all of that."""
        together: Future[Response] = self._world.loop.create_future()
        awaited = [each for each in later if each is not None]

        def known(_: Future[Response]) -> None:
            if together.done() or not all(each.done() for each in awaited):
                return
            responses = [each.result() if each is not None and not each.cancelled() else Response() for each in later]
            answers = [response.contents[0] if response.contents else None for response in responses]
            contents = (self._batch(envelope, answers),) if any(answers) else ()
            together.set_result(Response(contents, None, _lost(responses)))

        def left(_: Future[Response]) -> None:
            if together.cancelled():
                for each in awaited:
                    each.cancel()

        for each in awaited:
            each.add_done_callback(known)
        together.add_done_callback(left)
        return together


def _lost(responses: Sequence[Response]) -> Callable[[], None]:
    def lost() -> None:
        for response in responses:
            if response.lost is not None and response.contents:
                response.lost()

    return lost

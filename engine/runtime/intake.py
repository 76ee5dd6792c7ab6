"""The one door of a channel: raw bytes in, what the sender is owed out.

Bytes are handed to the store first; while it commits them, the pipeline runs, for that has no effect on anything.  Only when
they are durable is anything promised.  Whatever goes wrong on the way becomes an answer and, where the message is kept, its status.

In enhanced mode the sender is told that the message is durable at once; what it came to is told at once too where that is known, or
later, where deliveries have to be waited for.
"""

from __future__ import annotations

from asyncio import CancelledError, Future, sleep
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from channels.message import RawMessage, Response
from engine.events import Answered, Duplicate, Fault, Noted, Received, Refused, Undelivered, Unmapped
from engine.runtime.answer import Answering
from engine.runtime.batches import Batches
from engine.runtime.dispatch import Dispatch
from engine.runtime.first_attempts import NOT_DELIVERED, FirstAttempts
from engine.runtime.in_hand import InHand
from engine.runtime.keys import duplicate_key
from engine.runtime.merges import Standing
from engine.runtime.outcomes import Outcomes
from engine.runtime.plan import Plan, broken, refused
from engine.runtime.versions import Unrunnable
from engine.store.contract import StoreUnavailable
from engine.store.records import Answer, Arrival, MergeRow, MessageRow, MessageStatus, SearchKeys, Settlement, Stored
from transforms.document import HL7, Document, Merge
from transforms.errors import ErrorCode, MessageError
from transforms.hl7.batch import is_batch
from transforms.hl7.header import peek
from transforms.hl7.message import Message

if TYPE_CHECKING:
    from engine.runtime.channel import Channel, Plant

PROBLEMS = {
    "too_long": MessageError(ErrorCode.VALUE_TOO_LONG, "MSH", "the message is longer than this channel accepts", fatal=True),
    "truncated": MessageError(ErrorCode.SEGMENT_SEQUENCE, "MSH", "the message broke off before its end", fatal=True),
}
"""What a source may find wrong with a frame (RawMessage.problem)."""

OVER = (MessageStatus.SENT, MessageStatus.FILTERED)  # nothing of it is undelivered


class Intake:
    """Takes charge of messages under one channel version."""

    def __init__(self, channel: Channel, dispatch: Dispatch, digest: str, answering: Answering | Outcomes, plant: Plant) -> None:
        self._channel, self._dispatch, self._digest, self._answering = channel, dispatch, digest, answering
        self._store, self._settling, self._events, self._merges = plant.store, plant.settling, plant.events, plant.merges
        self._loop, self._now = plant.world.loop, plant.world.now
        declared = dispatch.channel
        self.name, self._when = declared.channel, declared.acknowledge
        self._window, self._within = declared.duplicates.window, declared.answer_within
        self._resends = self._window > 0 and dispatch.gives == HL7  # only HL7 says by itself that it is the same message again
        self._owed: dict[int, FirstAttempts] = {}  # answers that wait for deliveries
        self._batches = Batches(self.name, self.receive, plant.events, plant.world) if dispatch.gives == HL7 else None

    async def receive(self, raw: RawMessage) -> Response:
        """Take charge of a message, or of a batch of them, and say what its sender is owed.  Never raises."""
        if raw.content[:3] != b"MSH" and self._batches is not None and not raw.problem and is_batch(raw.content):
            return await self._batches.receive(raw)
        id, later = 0, None
        try:
            id, answer, later = await self._receive(raw)
        except CancelledError:  # the connection is dropped: nobody can be told
            self._events.tell(Undelivered(self.name, 0, ""))
            raise
        except StoreUnavailable as error:
            self._settling.watch.failed(error)
            self._events.tell(Refused(self.name))
            answer = self._answering.not_kept(raw.content)
        except Exception as error:  # a defect of ours must not leave a sender without an answer
            self._events.tell(Fault(f"intake {self.name}", type(error).__name__))
            answer = self._answering.not_kept(raw.content)
        self._events.tell(Answered(self.name, id, answer.code, self._now() - raw.received))
        return Response(answer.contents, later, partial(self._lost, id, answer.code), answer.code, id)

    def _lost(self, id: int, code: str) -> None:
        self._events.tell(Undelivered(self.name, id, code))

    async def _receive(self, raw: RawMessage) -> tuple[int, Answer, Future[Response] | None]:
        """The message's id, what its sender is told now, and what later."""
        content, merges = raw.content, self._merges
        read = self._read(raw)
        merging = merges.concerns(read)
        if merging or merges.busy:
            await merges.enter(merging)
            read = self._read(raw)
        control_id = self._control_id(read, content)
        key = duplicate_key(self.name, control_id, content) if self._resends and not raw.problem else b""
        arrival = Arrival(self.name, self._digest, content, raw.received, raw.peer, control_id, key, about=raw.about)
        if merging:
            stored, plan = await self._merge(arrival, read)
        else:
            storing = self._store.receive(arrival)
            plan = read if isinstance(read, Plan) else None if self._when == "when_stored" else self._dispatch.plan(read)
            stored = await storing
        if self._settling.watch.failing_since:
            self._settling.watch.worked()
        if stored.duplicate:
            first = await self._store.message(stored.id)
            if first is not None and raw.received - first.received <= self._window:
                return stored.id, *await self._same_again(first, raw)
            stored = await self._store.receive(replace(arrival, duplicate_key=b""))
            merges.add(stored.id, arrival.merges)
        self._events.tell(Received(self.name, stored.id, len(content), self._now() - raw.received))
        hand = InHand(stored.id, control_id, raw.received, len(content))
        try:
            message = read.body if isinstance(read, Document) and read.media_type == HL7 else content
            if plan is None:
                assert isinstance(read, Document)
                return stored.id, self._answer_first(hand, read, message), None
            if self._when == "when_delivered" and plan.status is None:
                return stored.id, *await self._delivered(hand, plan, message)
            return stored.id, self._transformed(hand, plan, message), None
        except Exception as error:  # it is kept: as an error, to be replayed when the defect is mended
            self._events.tell(Fault(f"dispatch {self.name}", type(error).__name__))
            return stored.id, self._transformed(hand, broken(error), content), None

    async def _merge(self, arrival: Arrival, read: Document | Plan) -> tuple[Stored, Plan | None]:
        """Store a message that may merge something, in one transaction with that; others are read when it is durable."""
        try:
            plan = self._dispatch.plan(read) if isinstance(read, Document) else read
            arrival.merges = plan.merges
            storing = self._store.receive(arrival)
        except BaseException:
            self._merges.leave()
            raise
        stored = await self._merges.written(storing, plan.merges)
        return stored, None if self._when == "when_stored" and isinstance(read, Document) else plan

    def _control_id(self, read: Document | Plan, content: bytes) -> str:
        """MSH-10, as far as it can be made out."""
        if isinstance(read, Document) and read.media_type == HL7:
            return "".join(read.body.header[10:11])
        return peek(content).control_id

    def _read(self, raw: RawMessage) -> Document | Plan:
        """The message as the first rule sees it, or the plan for one that cannot be read."""
        try:
            if raw.problem:
                raise PROBLEMS[raw.problem]
            return self._dispatch.read(raw.content, raw.received, self._merges.now.aliases, raw.about)
        except MessageError as error:
            return refused(error, SearchKeys(control_id=peek(raw.content).control_id))
        except Exception as error:
            return broken(error)

    # -- when_stored, when_transformed

    def _answer_first(self, hand: InHand, document: Document, message: Message | bytes) -> Answer:
        """The message is durable, and that is all its sender wants to know."""
        hand.answer = self._answering.answer(message)
        self._channel.distribution.hands.take(hand)
        self._loop.call_soon(self._go_on, hand, document)
        return hand.answer

    def _go_on(self, hand: InHand, document: Document) -> None:
        self._hand_over(hand, self._dispatch.plan(document))

    def _transformed(self, hand: InHand, plan: Plan, message: Message | bytes) -> Answer:
        """What the message comes to is known."""
        answer = hand.answer = self._answering.answer(message, plan.error)
        self._hand_over(hand, plan)
        return answer

    def _hand_over(self, hand: InHand, plan: Plan) -> None:
        hand.keys, hand.leftover = plan.keys, plan.leftover
        if plan.leftover:
            self._events.tell(Unmapped(self.name, hand.id, plan.leftover))
        if plan.notes:
            self._events.tell(Noted(self.name, hand.id, tuple([note.code for note in plan.notes])))
        if plan.status is None:
            self._channel.distribution.hand_out(hand, plan)
        else:
            self._channel.distribution.hands.take(hand)
            self._channel.distribution.end(hand, plan)
            self._channel.distribution.pass_by(hand.id, plan)

    # -- when_delivered

    async def _delivered(self, hand: InHand, plan: Plan, message: Message | bytes) -> tuple[Answer, Future[Response] | None]:
        """The first attempt at every destination decides; in enhanced mode the sender is told so later."""
        answering, owed = self._answering, self._answering.owed(message)
        if not owed.application_due(True) and not owed.application_due(False):
            return self._transformed(hand, plan, message), None
        accepted = None if owed.original else answering.accept(message, owed)
        make = partial(answering.answer, message) if accepted is None else partial(answering.complete, message, owed, accepted)
        waiting = FirstAttempts(hand, _to_send(plan), accepted, make, self._channel.distribution.hands, self._loop, self._known)
        self._hand_over(hand, plan)
        self._owed[hand.id] = waiting
        waiting.begin(min(self._within, max(0.0, hand.received + self._within - self._now())))
        return await self._awaited(hand.id, waiting, hand.received)

    async def _awaited(self, id: int, waiting: FirstAttempts, since: float) -> tuple[Answer, Future[Response] | None]:
        """What a sender is told now, and what when the first attempts have been made.  `since`: when its message was there."""
        accepted = waiting.accepted
        if accepted is None:
            return await waiting.wait(_as_it_is), None
        later = waiting.wait(partial(self._later, id, since, accepted))
        later.add_done_callback(partial(self._dropped, id))
        return accepted, later

    def _later(self, id: int, since: float, accepted: Answer, answer: Answer) -> Response:
        """What follows the answer that has been given."""
        contents = answer.contents[len(accepted.contents) :]
        if contents:
            self._events.tell(Answered(self.name, id, answer.code, self._now() - since))
        return Response(contents, lost=partial(self._lost, id, answer.code))

    def _dropped(self, id: int, later: Future[Response]) -> None:
        if later.cancelled():
            self._lost(id, "")

    def _known(self, hand: InHand) -> None:
        """The answer is known: if nothing else will write it, it is written by itself."""
        self._owed.pop(hand.id, None)
        if hand.unsaid and hand.id not in self._channel.distribution.hands.by_id:
            self._settling.soon(Settlement(hand.id, None, answer=hand.answer))

    # -- duplicates

    async def _same_again(self, first: MessageRow, raw: RawMessage) -> tuple[Answer, Future[Response] | None]:
        """The answer the first one was given, once that is known."""
        self._events.tell(Duplicate(self.name, first.id))
        hands = self._channel.distribution.hands
        for _ in range(2):
            if (waiting := self._owed.get(first.id)) is not None:
                return await self._awaited(first.id, waiting, raw.received)
            hand = hands.by_id.get(first.id)
            answer = (hand.answer if hand is not None else None) or first.answer
            if answer is not None:
                break
            await sleep(0)  # the engine stopped before it was written, or is about to know it
        else:
            answer = await self._made_again(first, raw)
        if self._when == "when_delivered" and answer.code in ("AE", "CE") and first.status is MessageStatus.SENT:
            answer = self._answering.answer(raw.content, None)
            self._settling.soon(Settlement(first.id, None, answer=answer))
        return answer, None

    async def _made_again(self, first: MessageRow, raw: RawMessage) -> Answer:
        """The answer to a message that was stored when the engine stopped, and never answered."""
        dispatch = await self._channel.versions.load(first.version)
        received = await self._channel.distribution.first_received(first)
        plan = dispatch.again(first.content, received, (), self._merges.standing(first.id), first.about)
        error = plan.error
        if error is None and self._when == "when_delivered" and first.status not in OVER and _to_send(plan):
            error = NOT_DELIVERED
        answer = self._answering.answer(raw.content, error)
        hand = self._channel.distribution.hands.by_id.get(first.id)
        if hand is None:
            self._settling.soon(Settlement(first.id, None, answer=answer))
        else:
            hand.answer = answer = hand.answer or answer
        return answer

    # -- replays

    async def replay(
        self, original: MessageRow, dispatch: Dispatch | Unrunnable, digest: str, destinations: tuple[str, ...], force: bool
    ) -> int:
        """Take charge of a message once more, for some or all of its destinations.  Returns its new id."""
        return await self._again(original, dispatch, digest, destinations, force)

    async def undo(self, original: MessageRow, dispatch: Dispatch | Unrunnable, rows: Sequence[MergeRow]) -> int:
        """Take back what a message merged, for all its destinations that take FHIR.  Returns the id of the message that does it."""
        undone = tuple([row.merge for row in rows])
        return await self._again(original, dispatch, original.version, original.destinations, True, undone)

    async def _again(
        self, original: MessageRow, dispatch: Dispatch | Unrunnable, digest: str, destinations: tuple[str, ...], force: bool,
        undone: tuple[Merge, ...] = (),
    ) -> int:  # fmt: skip
        root, merges = original.replay_of or original.id, self._merges
        received = await self._channel.distribution.first_received(original)
        await merges.enter(True)
        try:
            standing = Standing(merges.now.aliases, undone) if undone else merges.now
            plan = dispatch.again(original.content, received, destinations, standing, original.about)
            arrival = Arrival(
                self.name, digest, original.content, self._now(), control_id=original.control_id, replay_of=root,
                destinations=destinations, force=force, merges=() if undone else plan.merges, undoes=original.id if undone else 0, about=original.about,
            )  # fmt: skip
            storing = self._store.receive(arrival)
        except BaseException:
            merges.leave()
            raise
        stored = await merges.written(storing, plan.merges, arrival.undoes)
        hand = InHand(stored.id, original.control_id, arrival.received, len(original.content), force, root)
        hand.unsaid = False
        self._events.tell(Received(self.name, stored.id, hand.size, self._now() - arrival.received))
        self._hand_over(hand, plan)
        return stored.id


def _to_send(plan: Plan) -> int:
    """How many deliveries may leave as they are."""
    return sum(not delivery.hold for deliveries in plan.deliveries.values() for delivery in deliveries)


def _as_it_is(answer: Answer) -> Answer:
    return answer

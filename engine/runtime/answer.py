"""Which acknowledgments a sender is owed, by the channel's declaration, MSH-15/16 and what became of the message.

AE says that the content is wrong, AR that it is not the content's fault or no message at all; CE that nothing could be kept,
CR that the header is not acceptable.  Table and forms are `transforms.hl7.acknowledgment`'s; this decides the codes, and gives
our acknowledgments control ids and times of their own.
"""

from __future__ import annotations

from datetime import datetime, timezone

from channels.definition import Channel
from engine.runtime.delivery import World
from engine.store.records import Answer
from transforms.errors import ErrorCode, MessageError
from transforms.hl7.acknowledgment import Owed, acknowledge, answers_due
from transforms.hl7.header import header_fields
from transforms.hl7.message import Message

NOT_DELIVERED = MessageError(ErrorCode.INTERNAL, "MSH", "it is kept, and will be delivered when the receiver takes it")
NOT_KEPT = MessageError(ErrorCode.INTERNAL, "MSH", "the message cannot be kept now; send it again", fatal=True)
NOT_OWED = Answer("", ())


class Answering:
    """Makes the answers of one channel version."""

    def __init__(self, channel: Channel, world: World) -> None:
        self._mode, self._new_id, self._now = channel.acknowledgment_mode, world.new_id, world.now

    def answer(self, message: Message | bytes, error: MessageError | None = None) -> Answer:
        """The message is kept, and this is what it came to: nothing wrong, or `error`."""
        owed = self._owed(message)
        fatal = error is not None and error.fatal
        code = "AA" if error is None else "AR" if fatal else "AE"
        if owed.original:
            return self._answer([(code, error, False)], message)
        acknowledgments: list[tuple[str, MessageError | None, bool]] = []
        if owed.accept_due(not fatal):
            acknowledgments.append(("CR", error, False) if fatal else ("CA", None, False))
        if owed.application_due(error is None) and not (fatal and acknowledgments):
            acknowledgments.append((code, error, bool(acknowledgments)))
        return self._answer(acknowledgments, message)

    def not_kept(self, message: Message | bytes) -> Answer:
        """Nothing could be kept: the sender shall send it again."""
        owed = self._owed(message)
        if owed.original:
            return self._answer([("AR", NOT_KEPT, False)], message)
        if owed.accept_due(False):
            return self._answer([("CE", NOT_KEPT, False)], message)
        return self._answer([("AR", NOT_KEPT, False)] if owed.application_due(False) else [], message)

    def _owed(self, message: Message | bytes) -> Owed:
        if isinstance(message, Message):
            header = message.segments[0]
            return answers_due(header.raw(15), header.raw(16), self._mode)
        fields = header_fields(message, 16)
        return answers_due(*(fields[14:16] if len(fields) >= 16 else (*fields[14:15], "", "")[:2]), self._mode)

    def _answer(self, acknowledgments: list[tuple[str, MessageError | None, bool]], message: Message | bytes) -> Answer:
        if not acknowledgments:
            return NOT_OWED
        when = datetime.fromtimestamp(self._now(), timezone.utc)
        contents = tuple(
            acknowledge(message, code, control_id=self._new_id(), when=when, errors=(error,) if error is not None else (), own_message=own)
            for code, error, own in acknowledgments
        )
        return Answer(acknowledgments[-1][0], contents)

"""Which acknowledgments a sender is owed, by the channel's declaration, MSH-15/16 and what became of the message.

AE says that the content is wrong, AR that it is not the content's fault or no message at all; CE that nothing could be kept,
CR that the header is not acceptable.  Table and forms are `transforms.hl7.acknowledgment`'s; this decides the codes, and gives
our acknowledgments control ids and times of their own.

In original mode a message has one answer.  In enhanced mode it may have two: what is owed when it is durable (`accept`), and what
is owed when it is known what it came to (`complete`); `answer` gives all of it, where that is known at once.
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

NOT_KEPT = MessageError(ErrorCode.INTERNAL, "MSH", "the message cannot be kept now; send it again", fatal=True)
NOT_OWED = Answer("", ())


class Answering:
    """Makes the answers of one channel version."""

    def __init__(self, channel: Channel, world: World) -> None:
        self._mode, self._new_id, self._now = channel.acknowledgment_mode, world.new_id, world.now
        self._silence = answers_due("", "", self._mode)

    def answer(self, message: Message | bytes, error: MessageError | None = None) -> Answer:
        """The message is kept, and this is what it came to: nothing wrong, or `error`."""
        owed = self.owed(message)
        if owed.original:
            code = _application_code(error)
            return Answer(code, (self._acknowledge(message, code, error),))
        if error is None or not error.fatal:
            return self.complete(message, owed, self.accept(message, owed), error)
        if owed.accept_due(False):
            return Answer("CR", (self._acknowledge(message, "CR", error),))
        return self.complete(message, owed, NOT_OWED, error)

    def accept(self, message: Message | bytes, owed: Owed) -> Answer:
        """In enhanced mode: the message is durable, and nothing is wrong with its header."""
        return Answer("CA", (self._acknowledge(message, "CA"),)) if owed.accept_due(True) else NOT_OWED

    def complete(self, message: Message | bytes, owed: Owed, accepted: Answer, error: MessageError | None) -> Answer:
        """What a message came to that has been `accepted`: that answer, and the application's acknowledgment if it is owed."""
        if not owed.application_due(error is None):
            return accepted
        code = _application_code(error)
        return Answer(code, (*accepted.contents, self._acknowledge(message, code, error, bool(accepted.contents))))

    def not_kept(self, message: Message | bytes) -> Answer:
        """Nothing could be kept: the sender shall send it again."""
        owed = self.owed(message)
        if not owed.original and owed.accept_due(False):
            return Answer("CE", (self._acknowledge(message, "CE", NOT_KEPT),))
        return Answer("AR", (self._acknowledge(message, "AR", NOT_KEPT),)) if owed.application_due(False) else NOT_OWED

    def owed(self, message: Message | bytes) -> Owed:
        """Which acknowledgments a message's sender is owed."""
        if isinstance(message, Message):
            accept, application = (*message.header[15:17], "", "")[:2]
        else:
            accept, application = (*header_fields(message, 16)[14:16], "", "")[:2]
        return answers_due(accept, application, self._mode) if accept or application else self._silence

    def _acknowledge(self, message: Message | bytes, code: str, error: MessageError | None = None, own: bool = False) -> bytes:
        when = datetime.fromtimestamp(self._now(), timezone.utc)
        return acknowledge(message, code, control_id=self._new_id(), when=when, errors=(error,) if error is not None else (), own_message=own)


def _application_code(error: MessageError | None) -> str:
    return "AA" if error is None else "AR" if error.fatal else "AE"

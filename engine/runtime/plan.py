"""What a message comes to when its channel's pipeline has run: documents for destinations, or why not."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.runtime.in_hand import Delivery
from engine.store.records import Answer, MessageStatus, SearchKeys, Settlement
from transforms.document import Merge, Note
from transforms.errors import ErrorCode, MessageError


@dataclass(slots=True)
class Plan:
    """What is to be done with a message.

    `status` is set when nothing is to be delivered: `filtered`, by the rule named in `why` at `origin`; or `error`.
    `deliveries` are by destination, not in anybody's hand yet; a destination whose own filter wants nothing has none.
    """

    status: MessageStatus | None = None
    deliveries: dict[str, list[Delivery]] = field(default_factory=dict)
    keys: SearchKeys = SearchKeys()
    leftover: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    error: MessageError | None = None
    origin: str = ""  # `file:line` of the rule or step
    why: str = ""
    merges: tuple[Merge, ...] = ()  # in force for the messages after this one

    def settlement(self, message_id: int, answer: Answer | None) -> Settlement:
        """What is written of a message that ends here."""
        if self.error is None:
            return Settlement(
                message_id, self.status, answer=answer, keys=self.keys, error_code="filtered", error_origin=self.origin,
                error_text=self.why,
            )  # fmt: skip
        error = self.error
        return Settlement(
            message_id, MessageStatus.ERROR, answer=answer, keys=self.keys, error_code=error.code.code, error_place=error.place,
            error_origin=error.origin, error_text=error.why, leftover=self.leftover,
        )  # fmt: skip


def refused(error: MessageError, keys: SearchKeys = SearchKeys(), leftover: tuple[str, ...] = ()) -> Plan:
    """The plan for a message that cannot be used."""
    return Plan(MessageStatus.ERROR, keys=keys, leftover=leftover, error=error, origin=error.origin)


def broken(error: BaseException, keys: SearchKeys = SearchKeys()) -> Plan:
    """The plan for a message over which something of ours broke.  Only the kind of the error is told: its words may hold a value."""
    return refused(MessageError(ErrorCode.INTERNAL, "MSH", f"the engine failed with {type(error).__name__}", origin="engine"), keys)

"""One message sent, and which of the frames that come back is its answer.  No I/O, no clock.

HL7 v2 chapter 2.9: in original mode one acknowledgment comes; in enhanced mode (MSH-15, MSH-16) an accept acknowledgment, an
application acknowledgment, both or none.  An answer belongs to a message by MSA-2: a late one is never taken for the next message's.
A refusal without MSA-2, from a receiver that could not read the message, is taken too: one message at a time is under way on a
connection, and a connection does not outlive a message that was not answered in time.
"""

from __future__ import annotations

from typing import Literal

from channels.message import Outcome, Verdict
from transforms.errors import ErrorCode
from transforms.hl7.acknowledgment import answers_due, read_acknowledgment
from transforms.hl7.header import header_fields
from transforms.hl7.message import Message

Wait = Literal["as_asked", "accept", "application"]
Pairing = Literal["control_id", "order"]

VERDICTS = {
    "AA": (Verdict.SENT, "the receiver has accepted it"),
    "CA": (Verdict.SENT, "the receiver has taken charge of it"),
    "AE": (Verdict.REFUSED, "the receiver finds the message at fault"),
    "CE": (Verdict.REFUSED, "the receiver finds the message at fault"),
    "AR": (Verdict.COUNTED, "the receiver rejects it for a reason that may pass"),
    "CR": (Verdict.COUNTED, "the receiver rejects it for a reason that may pass"),
}

_ERRORS = {each.code: each.text.lower() for each in ErrorCode if each is not ErrorCode.ACCEPTED}


class Exchange:
    """Waits for the answer to `message`, as MSH-15 and MSH-16 ask for it or as `wait` insists."""

    def __init__(self, message: Message, wait: Wait = "as_asked", pairing: Pairing = "control_id") -> None:
        self.content = bytes(message)
        header = (header_fields(self.content, 16) + [""] * 16)[:16]  # `[n - 1]` is MSH-n: the other segments are not looked at
        self._control_id = (header[9] if message.delimiters.escape not in header[9] else message.get("MSH-10") or "").strip()
        self._any_order = pairing == "order" or not self._control_id
        owed = answers_due(header[14], header[15])
        enhanced = wait == "as_asked" and not owed.original
        self._to_come = owed.application_due(good=True) if enhanced else wait == "application"
        self._silence_is_consent = enhanced and not owed.accept_due(good=True) and not owed.application_due(good=True)
        self._asks = not self._silence_is_consent or owed.accept_due(good=False) or owed.application_due(good=False)
        self.stray = 0  # frames that answered something else, or nothing

    def sent(self) -> Outcome | None:
        """The message has left: its outcome where it asks for no answer at all."""
        return None if self._asks else Outcome(Verdict.SENT, "sent", "it asks for no answer", sent=self.content)

    def receive(self, frame: bytes) -> Outcome | None:
        """What a frame that came back says of the message; None where it is not the answer, or not yet the one waited for."""
        answer = read_acknowledgment(frame)
        code = answer.code
        if not code or not self._is_ours(answer.control_id, code):
            self.stray += 1
            return None
        if code == "CA" and self._to_come:
            return None
        verdict, reason = VERDICTS.get(code, (Verdict.COUNTED, "the receiver answers with a code that is none of table 0008"))
        if answer.error_code in _ERRORS:
            reason += f": {_ERRORS[answer.error_code]} (0357#{answer.error_code})"
        return Outcome(verdict, code if code in VERDICTS else "unknown", reason, response=frame, sent=self.content)

    def silent(self) -> Outcome:
        """Nothing has come for as long as we wait."""
        if self._silence_is_consent:
            return Outcome(Verdict.SENT, "silence", "it asks for answers to what fails, and none came", sent=self.content)
        return self.failed("timeout", "the receiver does not answer in time")

    def failed(self, code: str, reason: str) -> Outcome:
        """The receiver, or the way there, is at fault."""
        return Outcome(Verdict.FAILING, code, reason, sent=self.content)

    def _is_ours(self, control_id: str, code: str) -> bool:
        """By MSA-2; a refusal may lack it."""
        if self._any_order or control_id == self._control_id:
            return True
        return not control_id and code in VERDICTS and VERDICTS[code][0] is not Verdict.SENT

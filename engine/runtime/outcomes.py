"""What the sender of something other than HL7 v2 is answered: an OperationOutcome, always exactly one.

Has the face of `answer.Answering`, and its codes: AA, AE and AR say the same of a document over HTTP as of a message over MLLP.
"""

from __future__ import annotations

from engine.runtime.answer import NOT_KEPT
from engine.store.records import Answer
from transforms.errors import MessageError
from transforms.fhir.outcome import accepted, of_error
from transforms.fhir.serialization import dumps
from transforms.hl7.acknowledgment import Owed, answers_due

ONE = answers_due("", "", "original")


class Outcomes:
    """Makes the answers of a channel that takes no HL7."""

    def answer(self, content: object, error: MessageError | None = None) -> Answer:
        """It is kept, and this is what it came to: nothing wrong, or `error`."""
        code = "AA" if error is None else "AR" if error.fatal else "AE"
        return Answer(code, (dumps(accepted() if error is None else of_error(error)),))

    def accept(self, content: object, owed: Owed) -> Answer:
        """There is no second answer, and so no first."""
        return Answer("", ())

    def complete(self, content: object, owed: Owed, accepted: Answer, error: MessageError | None) -> Answer:
        """The one answer."""
        return self.answer(content, error)

    def not_kept(self, content: object) -> Answer:
        """Nothing could be kept: the sender shall send it again."""
        return Answer("AR", (dumps(of_error(NOT_KEPT)),))

    def owed(self, content: object) -> Owed:
        """One answer, whatever happens."""
        return ONE

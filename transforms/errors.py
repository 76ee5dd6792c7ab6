"""What can be wrong with a message or a configuration, and how it is said.

An error carries a place and a code, never a value: a value may be about a patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ErrorCode(Enum):
    """Message error condition codes, HL7 table 0357: (code, text)."""

    ACCEPTED = ("0", "Message accepted")
    SEGMENT_SEQUENCE = ("100", "Segment sequence error")
    REQUIRED_FIELD_MISSING = ("101", "Required field missing")
    DATA_TYPE = ("102", "Data type error")
    TABLE_VALUE = ("103", "Table value not found")
    VALUE_TOO_LONG = ("104", "Value too long")
    UNSUPPORTED_MESSAGE_TYPE = ("200", "Unsupported message type")
    UNSUPPORTED_EVENT_CODE = ("201", "Unsupported event code")
    UNSUPPORTED_PROCESSING_ID = ("202", "Unsupported processing id")
    UNSUPPORTED_VERSION = ("203", "Unsupported version id")
    UNKNOWN_KEY = ("204", "Unknown key identifier")
    DUPLICATE_KEY = ("205", "Duplicate key identifier")
    RECORD_LOCKED = ("206", "Application record locked")
    INTERNAL = ("207", "Application internal error")

    @property
    def code(self) -> str:
        """The code of table 0357."""
        return self.value[0]

    @property
    def text(self) -> str:
        """The display of table 0357."""
        return self.value[1]


class TransformError(Exception):
    """Anything a transform refuses."""


class MessageError(TransformError):
    """An HL7 message cannot be used as it stands; becomes ERR-2 (`place`) and ERR-3 (`code`, table 0357).

    `place` is a path such as `PID-3[2].4`, `MSH-9` or `OBX[3]-5`; `origin` the rule's own place
    (`file:line`) where a map or step refused it.  `fatal` says that what came is no HL7 message at
    all (AR); else the content is at fault (AE).
    """

    def __init__(self, code: ErrorCode, place: str, why: str, *, origin: str = "", fatal: bool = False) -> None:
        super().__init__(f"{place}: {why} ({code.name.lower()})")
        self.code, self.place, self.why, self.origin, self.fatal = code, place, why, origin, fatal


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with a configuration file.  Lines and columns count from 1."""

    file: str
    line: int
    column: int
    code: str
    sentence: str
    severity: str = "error"  # or "warning"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.code}: {self.sentence}"


class ConfigurationError(TransformError):
    """A configuration does not check; carries every problem found, in the order of their places."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class OptionError(TransformError):
    """An option of a step, rule or connector cannot be used: a table that is not there, a pattern that is none.

    Raised by `prepare`; whoever loads makes a Problem of it, at the option's own place.
    """

    def __init__(self, option: str, code: str, sentence: str) -> None:
        super().__init__(f"{option}: {sentence}")
        self.option, self.code, self.sentence = option, code, sentence

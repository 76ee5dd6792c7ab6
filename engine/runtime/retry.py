"""When to try again, and whose fault a failure was.  No clock, no timers: times come in, times go out.

A failing *receiver* pauses its destination, which probes it; that costs no message an attempt.  A *message* that alone
goes wrong uses up its attempts.  Which of the two it is, an answer such as 500 does not say: what tells is whether
others get through meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DOUBT = 3  # lanes in a row that get an undecided answer (500, 409, AR), none getting through between: then it is the receiver


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first` to `longest`, each shortened by chance up to half, so that retries spread."""

    first: float = 1.0
    longest: float = 300.0
    attempts: int = 10

    def wait(self, failures: int, chance: float, asked: float = 0.0) -> float:
        """Seconds after the `failures`-th failure in a row; `chance` is in [0, 1); `asked` is the receiver's Retry-After."""
        full = min(self.longest, self.first * 2 ** min(failures - 1, 32))
        return max(full * (1 - chance / 2), min(asked, self.longest))


class Health:
    """What a destination knows of its receiver, from how attempts ended.

    `successes` counts what got through: a delivery compares it with what it was at its own last failure.
    """

    __slots__ = ("backoff", "chance", "code", "failures", "failing_since", "next_probe", "successes", "_doubtful", "_last_failed")

    def __init__(self, backoff: Backoff, chance: Callable[[], float]) -> None:
        self.backoff, self.chance = backoff, chance
        self.successes = self.failures = 0
        self.code = ""
        self.failing_since = self.next_probe = 0.0
        self._doubtful: set[str] = set()
        self._last_failed = False

    @property
    def failing(self) -> bool:
        """The destination is paused for its receiver's sake."""
        return self.failing_since > 0

    def succeeded(self, now: float) -> float:
        """The receiver took or judged something.  Returns how long it had been failing, 0 if it had not."""
        self.successes += 1
        self._last_failed = False
        if self._doubtful:
            self._doubtful.clear()
        if not self.failing_since:
            return 0.0
        lasted, self.failures, self.failing_since, self.next_probe, self.code = now - self.failing_since, 0, 0.0, 0.0, ""
        return max(lasted, 1e-9)

    def failed(self, now: float, code: str, asked: float = 0.0) -> bool:
        """The receiver is at fault.  Returns whether that is news; `next_probe` is when to try again."""
        news = not self.failing_since
        if news or now >= self.next_probe:  # several that fail together are one failure
            self.failures += 1
            self.next_probe = now + self.backoff.wait(self.failures, self.chance(), asked)
        elif asked:
            self.next_probe = max(self.next_probe, now + min(asked, self.backoff.longest))
        self.failing_since, self.code, self._last_failed = self.failing_since or now, code, True
        return news

    def counts(self, seen: int | None) -> bool:
        """Whether an undecided failure is the message's: others got through since its last one (`seen`), or just before its first."""
        return not self._last_failed if seen is None else self.successes > seen

    def doubted(self, lane: str, now: float, code: str) -> bool:
        """An undecided failure in `lane`.  Returns whether the receiver is newly held to be at fault."""
        self._last_failed = True
        self._doubtful.add(lane)
        return len(self._doubtful) >= DOUBT and self.failed(now, code)

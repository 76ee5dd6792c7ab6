"""Named places where a crash can be asked for, so that journeys can prove what a crash costs: nothing.

`FLUE_FAULT=after_commit:3` kills the process the third time `reach("after_commit")` is passed.  Unset, it is a
function that returns.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "before_frame", "after_frame", "before_insert", "after_insert", "before_commit", "after_commit", "before_ack", "after_ack",
    "before_send", "after_send", "before_response", "after_response", "before_settle", "after_settle",
)  # fmt: skip


def _nothing(point: str) -> None:
    """No fault is asked for."""


def _killer(wanted: str, times: int):  # noqa: ANN202 - a closure
    left = times

    def reach(point: str) -> None:
        nonlocal left
        if point == wanted:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return reach


def _from(setting: str):  # noqa: ANN202
    if not setting:
        return _nothing
    name, _, times = setting.partition(":")
    if name not in POINTS:
        raise ValueError(f"FLUE_FAULT names no fault point: {name} (known: {', '.join(POINTS)})")
    return _killer(name, int(times or 1))


asked = bool(os.environ.get("FLUE_FAULT"))
"""Whether a crash was asked for: whoever must work to reach a point at the right moment does so only then."""

reach = _from(os.environ.get("FLUE_FAULT", ""))

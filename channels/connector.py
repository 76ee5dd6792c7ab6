"""What every connector offers: a frozen declaration whose `open` makes the thing that runs."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from channels.message import Outcome, Outgoing, RawMessage, Response

Receive = Callable[[RawMessage], Awaitable[Response]]
"""The engine's one door: hands a message in, and waits for what the sender is owed.  Never raises.

The answers of a connection are written in the order of its messages.  What a Response promises for `later` is written when it is
known, after the Response's own contents, and holds up nothing; a source tells the engine of what it could not write (`lost`).
"""

Recall = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
"""What a destination learned before (Outcome.learned), by key; unknown keys are left out."""


@dataclass(frozen=True)
class Surroundings:
    """What running connectors are given: loop, reactor, the folder that paths are relative to, memory."""

    loop: AbstractEventLoop
    reactor: object
    folder: Path
    recall: Recall


class Listening(Protocol):
    """A source that runs."""

    port: int  # 0 where there is none

    def pause(self) -> None: ...  # stop taking messages; connections stay
    def resume(self) -> None: ...
    async def close(self) -> None: ...  # stop listening, let what is in hand be answered, hang up
    def reload(self) -> None: ...  # read certificates again


class Source(Protocol):
    """A source connector's declaration."""

    async def open(self, surroundings: Surroundings, receive: Receive) -> Listening: ...


class Sending(Protocol):
    """A destination that runs."""

    async def send(self, outgoing: Outgoing) -> Outcome: ...  # never raises for what a receiver does
    async def close(self) -> None: ...
    def reload(self) -> None: ...


class Destination(Protocol):
    """A destination connector's declaration.

    `idempotent`: sending the same thing twice leaves one at the receiver; where False, the engine writes
    `sending` before it sends.  `in_flight`: how many lanes may be sending at once.
    """

    idempotent: bool
    in_flight: int

    async def open(self, surroundings: Surroundings) -> Sending: ...

"""Events reach those who listen, and nobody who listens can disturb the others."""

from __future__ import annotations

import logging

import pytest

from engine.events import Duplicate, Events, Filtered


def test_listeners_hear_what_they_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """In the order they asked; one that fails is reported, the next one hears it all the same."""
    events, heard = Events(), []

    def broken(event: Duplicate) -> None:
        raise ValueError("a broken metric")

    events.listen(Duplicate, broken)
    events.listen(Duplicate, heard.append)
    with caplog.at_level(logging.ERROR):
        events.tell(Duplicate("lab", 1))
        events.tell(Filtered("lab", 2, "channel.yaml:7"))
    assert heard == [Duplicate("lab", 1)] and "Duplicate" in caplog.text
    assert events.wants(Duplicate) and not events.wants(Filtered)

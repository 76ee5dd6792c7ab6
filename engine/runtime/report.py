"""What the log says of what happens: a line for what a person may want to look into, none for what goes as it should.

Lines name channels, destinations, ids and codes; a patient never stands in the log.
"""

from __future__ import annotations

import logging

from engine import events
from engine.events import Events

log = logging.getLogger("flue")


def listen(bus: Events) -> None:
    """Write what is told to the log."""
    for kind, teller in _TELLERS.items():
        bus.listen(kind, teller)


def _failed(event: events.Failed) -> None:
    origin = event.origin or "the message"
    log.warning("%s: message %d is in error: %s at %s (%s)", event.channel, event.message_id, event.code, event.place, origin)


def _refused(event: events.Refused) -> None:
    log.warning("%s: a message could not be kept, the sender was asked to send it again", event.channel)


def _held(event: events.Held) -> None:
    log.warning("%s to %s: message %d is held: %s", event.channel, event.destination, event.message_id, event.code)


def _noted(event: events.Noted) -> None:
    if event.destination:  # others may come with every message of a sender: they are counted
        log.warning("%s to %s: message %d: %s", event.channel, event.destination, event.message_id, ", ".join(event.codes))


def _batch(event: events.BatchAtFault) -> None:
    log.warning("%s: a batch of %d messages: %s", event.channel, event.messages, "; ".join(event.faults))


def _retrying(event: events.Retrying) -> None:
    if event.counted:
        words = "%s to %s: message %d failed with %s, next try in %.0f s"
        log.info(words, event.channel, event.destination, event.message_id, event.code, event.wait)


def _dead(event: events.DeadLetter) -> None:
    log.error("%s to %s: message %d was given up: %s", event.channel, event.destination, event.message_id, event.code)


def _unsure(event: events.Unsure) -> None:
    log.error("%s to %s: message %d may have arrived before the engine stopped, or not", event.channel, event.destination, event.message_id)


def _destination_failing(event: events.DestinationFailing) -> None:
    log.error("%s to %s: the receiver is failing (%s); what is for it waits", event.channel, event.destination, event.code)


def _destination_recovered(event: events.DestinationRecovered) -> None:
    log.info("%s to %s: the receiver is back after %.0f s", event.channel, event.destination, event.seconds)


def _channel(event: events.ChannelChanged) -> None:
    if event.state == "failed":
        log.error("%s: failed: %s", event.channel, event.why)
    else:
        log.info("%s: %s", event.channel, event.state)


def _store_failing(event: events.StoreFailing) -> None:
    log.critical("the store takes nothing: %s", event.why)


def _store_recovered(event: events.StoreRecovered) -> None:
    log.info("the store works again after %.0f s", event.seconds)


def _fault(event: events.Fault) -> None:
    log.error("a defect of the engine in %s: %s", event.where, event.kind)


_TELLERS = {
    events.Failed: _failed, events.Refused: _refused, events.Held: _held, events.Noted: _noted,
    events.BatchAtFault: _batch, events.Retrying: _retrying,
    events.DeadLetter: _dead, events.Unsure: _unsure, events.DestinationFailing: _destination_failing, events.DestinationRecovered: _destination_recovered,
    events.ChannelChanged: _channel, events.StoreFailing: _store_failing, events.StoreRecovered: _store_recovered, events.Fault: _fault,
}  # fmt: skip

"""What happens in the engine is counted, and can be scraped."""

from __future__ import annotations

from engine import events
from engine.metrics.counting import Metrics


def scraped(*told: events.Event) -> str:
    """The exposition after some events."""
    metrics, bus = Metrics(), events.Events()
    metrics.listen(bus)
    for event in told:
        bus.tell(event)
    return metrics.exposition().decode()


def test_a_message_on_its_straight_way_is_counted_at_every_station() -> None:
    """Received, answered and delivered each show, with how long they took."""
    text = scraped(
        events.Received("lab", 1, 1500, 0.002), events.Answered("lab", 1, "AA", 0.004), events.Delivered("lab", "repository", 1, 0.02, 0.01)
    )
    assert 'flue_messages_received_total{channel="lab"} 1.0' in text
    assert 'flue_answers_total{channel="lab",code="AA"} 1.0' in text
    assert 'flue_answer_seconds_bucket{channel="lab",le="0.005"} 1.0' in text
    assert 'flue_deliveries_sent_total{channel="lab",destination="repository"} 1.0' in text


def test_left_over_fields_are_counted_by_path_not_by_place() -> None:
    """The third OBX's field 15 and the first's are the same path."""
    text = scraped(events.Unmapped("lab", 1, ("OBX[1]-15", "OBX[3]-15", "PID-3[2]")))
    assert 'flue_unmapped_fields_total{channel="lab",path="OBX-15"} 2.0' in text
    assert 'flue_unmapped_fields_total{channel="lab",path="PID-3"} 1.0' in text


def test_messages_are_counted_by_what_was_odd_about_them() -> None:
    """Once a message and code, however often it holds that."""
    text = scraped(events.Noted("lab", 1, ("zone_unknown", "number", "number")), events.Noted("lab", 2, ("number",), "repository"))
    assert 'flue_messages_noted_total{channel="lab",code="number"} 2.0' in text
    assert 'flue_messages_noted_total{channel="lab",code="zone_unknown"} 1.0' in text


def test_paths_cannot_grow_without_end() -> None:
    """A sender of nonsense makes a bounded number of series."""
    text = scraped(events.Unmapped("lab", 1, tuple(f"Z{number:02d}-{field}" for number in range(90) for field in range(1, 11))))
    assert 'path="other"} 400.0' in text


def test_what_is_no_path_is_no_label() -> None:
    """Whatever a sender calls a segment, nothing of a message becomes a label."""
    text = scraped(events.Unmapped("lab", 1, ("Keller^Ana", "PID-5.KELLER", "pid-5", "ZKA[2]-3[1].4.5", "", "PID")))
    assert 'path="other"} 5.0' in text and 'path="ZKA-3.4.5"} 1.0' in text
    assert "Keller" not in text and "KELLER" not in text


def test_a_failing_receiver_shows_until_it_recovers() -> None:
    """The gauge goes up and down again."""
    failing = events.DestinationFailing("lab", "repository", "timeout")
    assert 'flue_destination_failing{channel="lab",destination="repository"} 1.0' in scraped(failing)
    assert 'destination="repository"} 0.0' in scraped(failing, events.DestinationRecovered("lab", "repository", 5.0))

"""Retries: how long, and at whose cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import floats, integers

from engine.runtime.retry import DOUBT, Backoff, Health


@given(failures=integers(1, 5000), chance=floats(0, 1, exclude_max=True))
def test_waits_double_up_to_the_longest(failures: int, chance: float) -> None:
    """However often it fails, the wait stays between half the first and the longest."""
    wait = Backoff(first=1, longest=300).wait(failures, chance)
    assert 0.5 <= wait <= 300
    assert Backoff(first=1, longest=300).wait(failures, 0.0) == min(300, 2 ** (min(failures, 10) - 1))


def test_the_receiver_may_ask_for_longer() -> None:
    """Retry-After is obeyed, up to the longest wait."""
    backoff = Backoff(first=1, longest=60)
    assert backoff.wait(1, 0.0, asked=30) == 30
    assert backoff.wait(1, 0.0, asked=3600) == 60


def health() -> Health:
    return Health(Backoff(first=1, longest=8), lambda: 0.0)


def test_failures_together_are_one_failure() -> None:
    """Eight requests in flight when the receiver goes down do not make the first probe wait eight times doubled."""
    it = health()
    assert [it.failed(100.0, "timeout") for _ in range(8)] == [True] + [False] * 7
    assert it.next_probe == 101.0
    it.failed(101.0, "timeout")
    assert it.next_probe == 103.0


def test_recovery_is_told_once() -> None:
    """The first success after an outage says how long it lasted; waits begin anew."""
    it = health()
    it.failed(100.0, "timeout")
    assert it.failing and it.succeeded(130.0) == 30.0
    assert not it.failing and it.succeeded(131.0) == 0.0
    it.failed(200.0, "timeout")
    assert it.next_probe == 201.0


def test_a_message_pays_only_while_others_get_through() -> None:
    """An answer of 500 is the message's fault if others passed since its last one."""
    it = health()
    it.succeeded(1.0)
    assert it.counts(None)
    it.doubted("a", 1.0, "500")
    seen = it.successes
    assert not it.counts(seen)
    it.succeeded(2.0)
    assert it.counts(seen)


def test_many_lanes_in_doubt_are_the_receivers_fault() -> None:
    """When no lane gets through, the receiver is at fault, and no message has paid more than its first attempt."""
    it = health()
    news = [it.doubted(f"lane {n}", 1.0, "500") for n in range(DOUBT + 2)]
    assert news == [False] * (DOUBT - 1) + [True] + [False] * 2
    assert it.failing and not it.counts(None)


def test_one_poisonous_lane_is_not_the_receivers_fault() -> None:
    """One lane that fails again and again pauses nobody else."""
    it = health()
    assert not any(it.doubted("a", float(n), "500") for n in range(20))
    assert not it.failing

"""Failures in a row, and how long who failed is left alone."""

from __future__ import annotations

from chiral.kad.backoff import MAX_PEERS, Backoff
from tests.fakes.stream_node import peer_id

PEER = peer_id(1)


def test_one_failure_does_not_block() -> None:
    backoff = Backoff(base_s=1.0)
    assert backoff.failed(PEER, 0.0) == 1
    assert not backoff.blocked(PEER, 0.5)


def test_failures_at_once_count_once() -> None:
    backoff = Backoff(base_s=1.0)
    assert [backoff.failed(PEER, 0.1 * i) for i in range(5)] == [1] * 5


def test_each_further_failure_doubles_the_wait_up_to_the_cap() -> None:
    backoff = Backoff(base_s=1.0, cap_s=10.0)
    now, waits = 0.0, []
    for _ in range(7):
        backoff.failed(PEER, now)
        start = now
        while backoff.blocked(PEER, now):
            now += 0.5
        waits.append(now - start)
        now += 1.0
    assert waits == [0.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


def test_a_sign_of_life_forgives() -> None:
    backoff = Backoff(base_s=1.0)
    backoff.failed(PEER, 0.0)
    assert backoff.failed(PEER, 5.0) == 2
    assert backoff.blocked(PEER, 5.0)
    backoff.succeeded(PEER)
    assert not backoff.blocked(PEER, 5.0)
    assert backoff.failed(PEER, 6.0) == 1


def test_memory_is_bounded() -> None:
    backoff = Backoff()
    for number in range(MAX_PEERS + 10):
        backoff.failed(peer_id(number), 0.0)
    assert backoff.failed(peer_id(0), 100.0) == 1
    assert backoff.failed(peer_id(MAX_PEERS), 100.0) == 2

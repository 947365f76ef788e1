"""Token buckets: never more than rate and burst allow, never less, whatever is asked when."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.limiter.token_bucket import TokenBucket

AMOUNTS = st.integers(1, 50)
STEPS = st.lists(st.tuples(st.floats(0, 5), AMOUNTS), max_size=60)


def bucket(rate: float = 10.0, burst: float = 5.0, now: float = 0.0) -> TokenBucket:
    return TokenBucket(rate=rate, burst=burst, now=now)


def test_a_full_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    full = bucket()
    assert [full.take(1, 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert full.wait_s(1, 0.0) == pytest.approx(0.1)
    assert not full.take(1, 0.09)
    assert full.take(1, 0.1)
    assert not full.take(1, 0.1)


def test_it_never_holds_more_than_its_burst() -> None:
    full = bucket()
    assert full.take(5, 1000.0)
    assert not full.take(1, 1000.0)


def test_more_than_the_burst_is_had_from_a_full_bucket_and_what_follows_pays_for_it() -> None:
    full = bucket()
    assert full.take(25, 0.0)
    assert full.wait_s(1, 0.0) == pytest.approx(2.1)
    assert full.wait_s(25, 0.0) == pytest.approx(2.5)
    assert not full.take(25, 2.4)
    assert full.take(25, 2.51)


def test_reservations_are_served_in_their_order() -> None:
    full = bucket()
    waits = [full.reserve(5, 0.0) for _ in range(4)]
    assert waits == pytest.approx([0.0, 0.5, 1.0, 1.5])
    full.give_back(5, 0.0)
    assert full.reserve(5, 0.0) == pytest.approx(1.5)


def test_what_is_given_back_does_not_overfill() -> None:
    full = bucket()
    full.give_back(100, 0.0)
    assert full.take(5, 0.0)
    assert not full.take(1, 0.0)


def test_the_rate_changes_at_run_time_and_what_was_gained_stays() -> None:
    full = bucket()
    full.take(5, 0.0)
    full.set_rate(100.0, 0.2, burst=50)
    assert full.wait_s(2, 0.2) == pytest.approx(0)
    assert full.wait_s(12, 0.2) == pytest.approx(0.1)
    full.set_rate(1.0, 10.0, burst=3)
    assert full.take(3, 10.0)
    assert not full.take(1, 10.5)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    full = bucket(now=100.0)
    full.take(5, 100.0)
    assert not full.take(1, 50.0)
    assert not full.take(1, 100.05)
    assert full.take(1, 100.11)


@pytest.mark.parametrize("value", [0.0, -1.0, inf, nan])
def test_rates_and_bursts_that_make_no_sense(value: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        bucket(rate=value)
    with pytest.raises(ValueError, match="burst"):
        bucket(burst=value)
    with pytest.raises(ValueError, match="rate"):
        bucket().set_rate(value, 0.0)


@given(st.floats(0.1, 100), st.floats(1, 100), STEPS)
def test_what_is_taken_stays_within_rate_and_burst(rate: float, burst: float, steps: list[tuple[float, int]]) -> None:
    some, now, taken = bucket(rate, burst), 0.0, 0.0
    for pause_s, amount in steps:
        now += pause_s
        if some.take(amount, now):
            taken += amount
            # The last one may have been larger than the bucket: it is the debt that the next one waits for.
            assert taken - max(0.0, amount - burst) <= burst + rate * now + 1e-6


@given(st.floats(0.1, 100), st.floats(1, 100), STEPS)
def test_after_the_wait_it_is_to_be_had_and_not_long_before(
    rate: float, burst: float, steps: list[tuple[float, int]]
) -> None:
    some, now = bucket(rate, burst), 0.0
    for pause_s, amount in steps:
        now += pause_s
        wait_s = some.wait_s(amount, now)
        if wait_s > 0.001:
            assert not some.take(amount, now + wait_s - 0.0005)
        now += wait_s + 1e-6
        assert some.take(amount, now)


@given(st.floats(0.1, 100), st.floats(1, 100), st.lists(AMOUNTS, max_size=40))
def test_reserved_amounts_leave_no_faster_than_the_rate(rate: float, burst: float, amounts: list[int]) -> None:
    some = bucket(rate, burst)
    waits = [some.reserve(amount, 0.0) for amount in amounts]
    for index, wait_s in enumerate(waits):
        owed = sum(amounts[:index]) + min(amounts[index], burst) - burst
        assert wait_s == pytest.approx(max(0.0, owed / rate), abs=1e-6)

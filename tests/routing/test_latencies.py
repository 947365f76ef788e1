"""Quantiles of how long lookups took."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.routing.latencies import Latencies, LatencyQuantiles

DURATIONS = st.lists(st.floats(0, 100), min_size=1, max_size=60)


def filled(durations: list[float], size: int = 1024) -> Latencies:
    latencies = Latencies(size)
    for duration_s in durations:
        latencies.add(duration_s)
    return latencies


def test_without_any_there_is_nothing_to_say() -> None:
    assert Latencies().quantiles() == LatencyQuantiles(0, None, None, None)


def test_known_quantiles() -> None:
    hundred = filled([float(number) for number in range(100, 0, -1)])
    assert hundred.quantiles() == LatencyQuantiles(100, 50.0, 90.0, 99.0)
    assert hundred.quantile(0) == 1.0
    assert hundred.quantile(1) == 100.0
    assert filled([2.0]).quantiles() == LatencyQuantiles(1, 2.0, 2.0, 2.0)


def test_only_the_last_are_kept() -> None:
    assert filled([9.0, 9.0, 1.0, 2.0, 3.0], size=3).quantiles() == LatencyQuantiles(3, 2.0, 3.0, 3.0)


def test_a_clock_that_went_back_took_no_time() -> None:
    assert filled([-1.0]).quantile(0.5) == 0.0


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_shares_past_the_ends(share: float) -> None:
    with pytest.raises(ValueError, match="quantile"):
        filled([1.0]).quantile(share)


@given(DURATIONS, st.floats(0, 1))
def test_so_many_ended_within_it_and_it_was_measured(durations: list[float], share: float) -> None:
    quantile = filled(durations).quantile(share)
    assert quantile in durations
    within = [duration_s for duration_s in durations if duration_s <= quantile]
    below = [duration_s for duration_s in durations if duration_s < quantile]
    assert len(within) >= share * len(durations) - 1e-9
    assert len(below) < max(share * len(durations), 1) + 1e-9

"""What nodes send: idle, and to announce."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation import traffic
from tests.simulation.idle import idle
from tests.simulation.population import remembered_points
from tests.simulation.report import upkeep


@pytest.fixture(autouse=True)
def _points() -> Iterator[None]:
    with remembered_points():
        yield


def test_a_sweep_places_keys_rightly_with_few_lookups() -> None:
    priced = traffic.prices(300, (10, 2_000), 20, 1)
    few, many = priced.sweeps
    assert few.lookups <= 10
    assert many.lookups < 100
    assert many.placed > 0.97
    assert priced.lookup.requests / (many.cost.requests / many.keys) > 20
    assert 100 < priced.add_provider.sent_bytes / priced.add_provider.requests < 200
    day = traffic.day(priced, many, traffic.Cost(24.0, 100.0), searches=10)
    assert day.by_sweep.sent_bytes < day.one_by_one.sent_bytes
    assert day.adding.requests == 2_000 * 2 * 20


def test_an_idle_network_is_nearly_silent() -> None:
    small, large = idle(10, 0.5, 1), idle(25, 0.5, 1)
    assert 0 < small.bytes_second < large.bytes_second < 2_000
    assert large.probes_hour <= large.requests_hour
    assert upkeep([small, large], 25).requests == pytest.approx(24 * large.requests_hour)

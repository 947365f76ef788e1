"""Providers are found when many peers are dead, after hours of churn, and hidden by those who surround a key."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.simulation import finding, sybil
from tests.simulation.churn import Churn, Sessions
from tests.simulation.conditions import Conditions
from tests.simulation.population import remembered_points
from tests.simulation.swarm import Swarm


@pytest.fixture(autouse=True)
def _points() -> Iterator[None]:
    with remembered_points():
        yield


def test_providers_are_found_with_30_percent_dead_at_once() -> None:
    figures = finding.after_deaths(1_000, 0.3, keys=30, searches=300, seed=1)
    assert (figures.nodes, figures.searches) == (700, 300)
    assert figures.share >= 0.999


def test_providers_are_found_after_an_interval_of_churn() -> None:
    figures = finding.after_interval(400, 0.3, keys=20, searches=150, seed=1, real=False)
    assert figures.nodes == 400
    assert figures.gone == pytest.approx(0.3, abs=0.06)
    assert figures.share >= 0.99


def test_churn_by_messages_keeps_the_network_together() -> None:
    swarm = Swarm(30, 1, Conditions(refresh_s=1800.0))
    keys = list(finding.publish(swarm, 5))
    churn = Churn(swarm, Sessions(7200.0, sigma=1.0), real=True)
    churn.start(3600.0)
    swarm.engine.run(3600.0)
    assert churn.left > 3
    assert len(swarm.ring) == 30
    assert finding.search(swarm, keys, 40).share == 1.0


def test_a_key_that_nobody_provides_is_not_found() -> None:
    swarm = Swarm(200, 1)
    assert finding.search(swarm, [swarm.random_key()], 10).found == 0


@pytest.mark.parametrize("sigma", [None, 1.5])
def test_sessions_lose_the_share_that_was_asked(sigma: float | None) -> None:
    sessions, rng = Sessions.losing(0.3, 1000.0, sigma), random.Random(1)
    ended = sum(sessions.draw(rng) <= 1000.0 for _ in range(5_000))
    assert ended / 5_000 == pytest.approx(0.3, abs=0.02)


def test_attackers_hide_what_is_published_after_them_and_not_what_was_before() -> None:
    few = sybil.around_keys(300, 5, one_network=False, keys=3, searches=15, seed=1)
    assert (few.published_before, few.published_after) == (1.0, 1.0)
    many = sybil.around_keys(300, 40, one_network=False, keys=3, searches=15, seed=1)
    assert many.published_before > 0.8
    assert many.published_after < 0.2

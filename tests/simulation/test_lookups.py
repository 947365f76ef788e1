"""Lookups on the real cores: exact, deterministic, and as many hops as an independent model needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation import lookups, tables
from tests.simulation.conditions import NODE, Conditions, Links
from tests.simulation.model import Model
from tests.simulation.population import remembered_points
from tests.simulation.swarm import Swarm

_NODES = 1_000
_HOPS_WITHIN = 0.15


@pytest.fixture(autouse=True)
def _points() -> Iterator[None]:
    with remembered_points():
        yield


def test_the_same_seed_gives_the_same_figures() -> None:
    first, again, other = (lookups.look_up(Swarm(200, seed), 20) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_without_loss_every_lookup_ends_with_the_true_closest() -> None:
    swarm = Swarm(300, 1, Conditions(links=Links(loss=0.0)))
    figures = lookups.look_up(swarm, 40)
    assert figures.lookups == 40
    assert figures.exact == 1.0
    assert figures.kept == pytest.approx(swarm.conditions.k, abs=0.3)


def test_hops_are_those_of_a_model_that_knows_the_whole_network() -> None:
    model = Model(_NODES, 1, k=NODE.k, alpha=NODE.alpha).mean_hops(400)
    swarm = Swarm(_NODES, 1)
    swarm.network.asks_doubted = False
    for paths in (1, NODE.disjoint_paths):
        figures = lookups.look_up(swarm, 150, paths)
        assert figures.hops == pytest.approx(model, rel=_HOPS_WITHIN)


def test_the_model_needs_more_hops_in_a_larger_network() -> None:
    small, large = (Model(size, 1).mean_hops(100) for size in (50, 3_000))
    assert 1.0 <= small < large < 3.0


def test_a_lookup_of_the_model_ends_with_the_nearest_of_all() -> None:
    model = Model(500, 1)
    points = model._points
    assert all(model.hops(points[0], target) >= 1 for target in points[1:50])


def test_joining_by_messages_gives_the_tables_of_a_warm_start() -> None:
    warm, joined = tables.compare(80, 30, 1)
    for one, other in zip(warm.buckets[:5], joined.buckets[:5], strict=True):
        assert other == pytest.approx(one, rel=0.1)
    assert joined.neighbours == pytest.approx(warm.neighbours, abs=1.0)
    assert joined.lookups.contacts == pytest.approx(warm.lookups.contacts, rel=0.05)
    assert joined.lookups.exact > 0.9

"""Measures whether providers are found after many peers died at once, and after hours of coming and going."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.churn import Churn, Sessions
from tests.simulation.conditions import Conditions
from tests.simulation.figures import mean, quantile
from tests.simulation.lookups import spread
from tests.simulation.node import Node
from tests.simulation.seek import Seek
from tests.simulation.swarm import Swarm

_PROVIDERS = 10
"""One node in so many may provide: those are spared, and the others are to be as many as the share of the dead says."""


@dataclass(frozen=True, slots=True)
class FindFigures:
    """Of `searches` searches for a provider: how many found one, requests sent and virtual seconds of a search.

    `gone` is the share of the nodes, as they were when the records were published, that has died since.
    """

    nodes: int
    gone: float
    searches: int
    found: int
    requests: float
    seconds_p50: float
    seconds_p95: float

    @property
    def share(self) -> float:
        return self.found / self.searches


def publish(swarm: Swarm, count: int) -> dict[bytes, Node]:
    """`count` random keys, each provided by a random node, all of them by a tenth of the nodes at most."""
    nodes = [swarm.pick() for _ in range(max(1, min(count, len(swarm.ring) // _PROVIDERS)))]
    providers = {swarm.random_key(): nodes[number % len(nodes)] for number in range(count)}
    pairs = list(providers.items())
    spread(swarm, count, lambda number: swarm.provide(pairs[number][1], pairs[number][0]))
    return providers


def search(swarm: Swarm, keys: Sequence[bytes], count: int, gone: float = 0.0) -> FindFigures:
    """`count` searches from random nodes for `keys` in turn."""
    ended: list[tuple[Seek, bool]] = []

    def begin(number: int) -> None:
        swarm.find(swarm.pick(), keys[number % len(keys)], lambda seek, found: ended.append((seek, found)))

    spread(swarm, count, begin)
    seconds = [seek.seconds for seek, _ in ended]
    return FindFigures(
        nodes=len(swarm.ring),
        gone=gone,
        searches=len(ended),
        found=sum(found for _, found in ended),
        requests=mean([seek.lookup.asked for seek, _ in ended]),
        seconds_p50=quantile(seconds, 0.5),
        seconds_p95=quantile(seconds, 0.95),
    )


def after_deaths(
    size: int, share: float, *, keys: int, searches: int, seed: int, conditions: Conditions | None = None
) -> FindFigures:
    """Records are published, then so large a share dies at one blow, and with stale tables the search begins.

    Nobody asks after peers in doubt, so that tables stay as stale as they can be.
    """
    swarm = Swarm(size, seed, conditions)
    swarm.network.asks_doubted = False
    providers = publish(swarm, keys)
    swarm.kill_share(share, list(providers.values()))
    return search(swarm, list(providers), searches, share)


def after_interval(
    size: int,
    share: float,
    *,
    keys: int,
    searches: int,
    seed: int,
    real: bool,
    sigma: float | None = None,
    conditions: Conditions | None = None,
) -> FindFigures:
    """Records are published once; until they are due again, so large a share dies and as many others come.

    With `real`, newcomers join by their own messages and every node refreshes its buckets; else newcomers are put
    into tables at once and nobody refreshes or asks after the dead. `sigma` makes sessions lognormal, else they are
    exponential.
    """
    swarm = Swarm(size, seed, conditions)
    swarm.network.asks_doubted = real
    providers = publish(swarm, keys)
    interval_s = swarm.conditions.republish_s
    spared = list(providers.values())
    of_the_mortal = share * size / (size - len(set(spared)))
    churn = Churn(swarm, Sessions.losing(of_the_mortal, interval_s, sigma), spared=spared, real=real)
    churn.start(interval_s)
    swarm.engine.run(swarm.engine.now + interval_s)
    return search(swarm, list(providers), searches, churn.left / size)

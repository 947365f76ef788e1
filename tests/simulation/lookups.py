"""Measures lookups of random keys in a network where nobody has died: hops, messages, time, exactness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.simulation.figures import mean, quantile
from tests.simulation.seek import Seek
from tests.simulation.swarm import Swarm

APART_S = 0.02
"""How long after one lookup of a measurement the next begins."""


@dataclass(frozen=True, slots=True)
class LookupFigures:
    """Of `lookups` lookups in a network of `nodes`: hops as `Seek.hops` has them, virtual seconds, requests sent.

    `exact` is the share that ended with the truly closest peer first; `kept` how many of the true k closest a lookup
    ended with, in the mean; `contacts` the mean size of a routing table.
    """

    nodes: int
    paths: int
    lookups: int
    hops: float
    hops_p95: float
    requests: float
    seconds_p50: float
    seconds_p95: float
    exact: float
    kept: float
    contacts: float


def spread(swarm: Swarm, count: int, do: Callable[[int], None], apart_s: float = APART_S) -> None:
    """Do something `count` times, a little apart, and run until nothing goes on any more."""
    start = swarm.engine.now
    for number in range(count):
        swarm.engine.at(start + number * apart_s, partial(do, number))
    swarm.engine.run()


def look_up(swarm: Swarm, count: int, paths: int = 1) -> LookupFigures:
    """`count` lookups of random keys from random nodes over so many disjoint paths."""
    ended: list[tuple[Seek, bool, int]] = []

    def begin(_: int) -> None:
        key = swarm.random_key()
        true = swarm.closest(key)

        def end(seek: Seek) -> None:
            found = seek.found
            ended.append((seek, found[:1] == true[:1], len(set(found) & set(true))))

        swarm.seek(swarm.pick(), key, end, paths=paths)

    spread(swarm, count, begin)
    seeks = [seek for seek, _, _ in ended]
    seconds = [seek.seconds for seek in seeks]
    sample = swarm.rng.sample(swarm.ring.peers, min(1000, len(swarm.ring)))
    return LookupFigures(
        nodes=len(swarm.ring),
        paths=paths,
        lookups=len(ended),
        hops=mean([seek.hops for seek in seeks]),
        hops_p95=quantile([seek.hops for seek in seeks], 0.95),
        requests=mean([seek.lookup.asked for seek in seeks]),
        seconds_p50=quantile(seconds, 0.5),
        seconds_p95=quantile(seconds, 0.95),
        exact=mean([exact for _, exact, _ in ended]),
        kept=mean([kept for _, _, kept in ended]),
        contacts=mean([len(swarm.nodes[peer.index].table) for peer in sample]),
    )


def of_size(size: int, lookups: int, seed: int, paths: tuple[int, ...] = (1,)) -> list[LookupFigures]:
    """`look_up` for each of `paths` in one warm network of `size` nodes, every one of them with its table.

    Peers in doubt are not asked: they all live, and what it costs to ask belongs to upkeep.
    """
    swarm = Swarm(size, seed)
    swarm.network.asks_doubted = False
    swarm.build_tables()
    return [look_up(swarm, lookups, count) for count in paths]

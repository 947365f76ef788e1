"""Compares the tables of a warm start with those that joining by messages gives: size, neighbours, lookups in them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.figures import mean
from tests.simulation.lookups import LookupFigures, look_up
from tests.simulation.swarm import Swarm, grown


@dataclass(frozen=True, slots=True)
class TableFigures:
    """Means over all tables: peers in each bucket, farthest first; how many of the node's k closest peers it knows."""

    how: str
    buckets: tuple[float, ...]
    neighbours: float
    lookups: LookupFigures


def compare(size: int, lookups: int, seed: int) -> tuple[TableFigures, TableFigures]:
    """A warm network of `size` nodes, and one of the same nodes that came one after another."""
    return _look(Swarm(size, seed), "warm start", lookups), _look(grown(size, seed), "joined", lookups)


def _look(swarm: Swarm, how: str, lookups: int) -> TableFigures:
    swarm.network.asks_doubted = False
    counts = [node.table.counts() for node in swarm.nodes]
    buckets = tuple(mean(bucket) for bucket in zip(*counts, strict=True))
    known = [_neighbours_known(swarm, index) for index in range(len(swarm.nodes))]
    return TableFigures(how, buckets, mean(known), look_up(swarm, lookups))


def _neighbours_known(swarm: Swarm, index: int) -> int:
    node = swarm.nodes[index]
    nearest = swarm.ring.closest(node.table.local_key, swarm.conditions.k + 1)
    return len({entry.peer for entry in node.table} & set(nearest))

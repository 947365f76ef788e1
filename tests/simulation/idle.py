"""Measures what keeping their tables fresh costs nodes that do nothing else, all of them alive and at it."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.kad.key import KEY_BITS, KadKey
from chiral.kad.refresh import silent_peers
from tests.simulation.conditions import Conditions
from tests.simulation.network import Meter
from tests.simulation.node import Node
from tests.simulation.population import Peer
from tests.simulation.swarm import Swarm

_SILENT_PEERS = 16
"""A real node asks after so many silent peers at each of its refreshes, or after half of its table if that is more."""
_REFRESHES = 4
"""A real node looks so many times in the interval which buckets are due."""


@dataclass(frozen=True, slots=True)
class IdleFigures:
    """What the mean node of an idle network sends: requests an hour, of them to peers in doubt, and bytes a second.

    The bytes are those of its requests and its answers; it receives as many.
    """

    nodes: int
    requests_hour: float
    probes_hour: float
    bytes_second: float


def idle(size: int, hours: float, seed: int, conditions: Conditions | None = None) -> IdleFigures:
    """Let `size` nodes keep their tables fresh for an hour that does not count, and for `hours`, which do."""
    swarm = Swarm(size, seed, conditions)
    until = 3600.0 * (1 + hours)
    for node in swarm.nodes:
        for index in range(node.table.deepest + 2):
            # Refreshes of a network that has been there for long are spread over the interval.
            node.table.touch(_point_in(node, index), -swarm.rng.random() * swarm.conditions.refresh_s)
        swarm.engine.at(swarm.rng.random() * swarm.conditions.refresh_s / _REFRESHES, Upkeep(swarm, node, until).tick)
    swarm.engine.run(3600.0)
    meter = swarm.network.meter = Meter(sizes=True)
    swarm.engine.run(until)
    share = size * hours
    return IdleFigures(size, meter.requests / share, meter.probes / share, meter.sent_bytes / share / 3600.0)


class Upkeep:
    """What a real node does behind for its table until a time: refreshes what is due, and asks after the silent."""

    def __init__(self, swarm: Swarm, node: Node, until: float) -> None:
        self._swarm = swarm
        self._node = node
        self._until = until

    def tick(self) -> None:
        """Do it now, and again in a quarter of the interval as long as the node lives."""
        swarm, node = self._swarm, self._node
        interval_s = swarm.conditions.refresh_s
        if not node.alive or swarm.engine.now >= self._until:
            return
        swarm.refresh(node, interval_s)
        limit = max(_SILENT_PEERS, len(node.table) // 2)
        for peer in silent_peers(node.table, swarm.engine.now, interval_s, limit):
            assert isinstance(peer, Peer)
            swarm.network.probe(node, peer)
        swarm.engine.after(interval_s / _REFRESHES, self.tick)


def _point_in(node: Node, index: int) -> KadKey:
    """A point in bucket `index` of `node`."""
    return KadKey(node.peer.point ^ (1 << (KEY_BITS - 1 - index)))

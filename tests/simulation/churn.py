"""Nodes that come and go: how long they stay, and what happens when one leaves. Measures nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import NormalDist

from tests.simulation.idle import Upkeep
from tests.simulation.node import Node
from tests.simulation.population import Peer
from tests.simulation.swarm import Swarm

_BOOTSTRAP_PEERS = 3


@dataclass(frozen=True, slots=True)
class Sessions:
    """How long nodes stay: lognormal with the median `scale_s` if there is a `sigma`, else exponential of that mean."""

    scale_s: float
    sigma: float | None = None

    @classmethod
    def losing(cls, share: float, within_s: float, sigma: float | None = None) -> Sessions:
        """Sessions of which the share `share` (over 0, under 1) is no longer than `within_s`."""
        if sigma is None:
            return cls(-within_s / log(1.0 - share))
        return cls(within_s / exp(sigma * NormalDist().inv_cdf(share)), sigma)

    def draw(self, rng: random.Random) -> float:
        """The seconds of one session."""
        if self.sigma is None:
            return rng.expovariate(1.0 / self.scale_s)
        return self.scale_s * rng.lognormvariate(0.0, self.sigma)


class Churn:
    """Lets every node but `spared` stay for a session and puts a newcomer in the place of each that leaves.

    With `real`, newcomers join by messages and all nodes refresh their tables when that is due. Without, newcomers are
    known at once wherever there is room, and nobody asks after the dead, so that tables are worse than real ones.
    """

    def __init__(self, swarm: Swarm, sessions: Sessions, *, spared: Sequence[Node] = (), real: bool = False) -> None:
        self._swarm = swarm
        self._sessions = sessions
        self._spared = {node.peer for node in spared}
        self._real = real
        self._rng = random.Random(f"churn/{swarm.seed}")
        self._until = 0.0
        self._founders = len(swarm.nodes)
        self.left = 0
        """How many of those left that were there at the start."""

    def start(self, for_s: float) -> None:
        """Begin now; nobody comes or goes any more after `for_s` seconds."""
        self._until = self._swarm.engine.now + for_s
        self._swarm.network.asks_doubted = self._real
        for node in self._swarm.alive():
            self._stay(node)

    def _stay(self, node: Node) -> None:
        engine = self._swarm.engine
        leaves_at = engine.now + self._sessions.draw(self._rng)
        if node.peer not in self._spared and leaves_at < self._until:
            engine.at(leaves_at, lambda: self._replace(node))
        if self._real:
            engine.after(
                self._swarm.conditions.refresh_s * self._rng.random(), Upkeep(self._swarm, node, self._until).tick
            )

    def _replace(self, node: Node) -> None:
        self._swarm.kill(node)
        self.left += node.peer.index < self._founders
        newcomer = self._swarm.newcomer()
        if self._real:
            self._swarm.join(newcomer, [self._bootstrap(newcomer) for _ in range(_BOOTSTRAP_PEERS)])
        else:
            self._swarm.join_at_once(newcomer)
        self._stay(newcomer)

    def _bootstrap(self, newcomer: Node) -> Peer:
        while (peer := self._swarm.pick().peer) is newcomer.peer:
            pass
        return peer

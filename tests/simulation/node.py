"""A simulated node: the real routing table, back-off and answers, with what a real node's adapter does around them."""

from __future__ import annotations

import random
from collections.abc import Callable

from chiral.kad.backoff import Backoff
from chiral.kad.bucket import PingFirst
from chiral.kad.key import KadKey
from chiral.kad.messages import Message, PeerEntry
from chiral.kad.server import Echo, FindPeers, FindProviders, KeepProvider, answer, closer_peers, plan
from chiral.kad.table import RoutingTable
from tests.simulation.conditions import Conditions, Links
from tests.simulation.population import Peer, Population

Fill = Callable[[RoutingTable, Peer], None]


class Place:
    """Where a node is in the network, which is what its latencies come from."""

    __slots__ = ("access_s", "x", "y")

    def __init__(self, links: Links, rng: random.Random) -> None:
        self.x, self.y = rng.random(), rng.random()
        self.access_s = links.access_s * rng.lognormvariate(0.0, links.access_sigma)


class Node:
    """One honest peer. Its table is made and filled when it is first needed."""

    __slots__ = ("_backoff", "_conditions", "_fill", "_population", "_table", "alive", "peer", "place", "records")

    def __init__(
        self, peer: Peer, place: Place, population: Population, conditions: Conditions, fill: Fill | None = None
    ) -> None:
        self.peer = peer
        self.place = place
        self.alive = True
        self.records: dict[bytes, dict[Peer, None]] | None = None
        """Provider records by key; None while there are none, which saves memory."""
        self._population = population
        self._conditions = conditions
        self._fill = fill
        self._table: RoutingTable | None = None
        self._backoff: Backoff | None = None

    @property
    def table(self) -> RoutingTable:
        """The routing table, filled as the warm start has it."""
        if self._table is None:
            self._table = RoutingTable(self.peer, k=self._conditions.k, trust_s=self._conditions.trust_s)
            if self._fill is not None:
                self._fill(self._table, self.peer)
        return self._table

    # What peers do: the rules of a real node's overlay.

    def observe(self, peer: Peer, now: float) -> Peer | None:
        """`peer` showed that it serves the DHT; returns whom to ask whether it lives, if somebody is in doubt."""
        if self._backoff is not None:
            self._backoff.succeeded(peer)
        outcome = self.table.seen(peer, now, peer.groups)
        if isinstance(outcome, PingFirst):
            assert isinstance(outcome.oldest, Peer)
            return outcome.oldest
        return None

    def failed(self, peer: Peer, now: float) -> None:
        """A request to `peer` failed."""
        if self._backoff is None:
            self._backoff = Backoff()
        if self._backoff.failed(peer, now) >= self._conditions.strikes:
            self.table.drop(peer, now)

    def evict(self, peer: Peer, now: float) -> None:
        """`peer` did not answer when it was doubted."""
        self.failed(peer, now)
        self.table.drop(peer, now)

    def blocked(self, peer: Peer, now: float) -> bool:
        """Whether `peer` failed so lately that it is left alone."""
        return self._backoff is not None and self._backoff.blocked(peer, now)

    # What it answers.

    def serve(self, sender: Peer, request: Message) -> Message | None:
        """The answer to `request`; None if it calls for none."""
        wanted = plan(request, sender)
        if isinstance(wanted, Echo):
            return request
        if isinstance(wanted, KeepProvider):
            self.keep(wanted.key, sender)
            return None
        assert isinstance(wanted, FindPeers | FindProviders), "values are not simulated"
        held = (self.records or {}).get(wanted.key, ()) if isinstance(wanted, FindProviders) else ()
        return answer(request, closer=self._closer(sender, wanted.key), providers=[peer.entry for peer in held])

    def keep(self, key: bytes, provider: Peer) -> None:
        """Keep that `provider` has `key`."""
        if self.records is None:
            self.records = {}
        self.records.setdefault(key, {})[provider] = None

    def _closer(self, asker: Peer, key: bytes) -> list[PeerEntry]:
        closest = self.table.closest(KadKey.of(key), self._conditions.k + 1)
        return [peer.entry for peer in closer_peers(closest, asker, self._conditions.k) if isinstance(peer, Peer)]


class Liar(Node):
    """An attacker: names only its own kind, denies every record and keeps none."""

    __slots__ = ("gang",)

    def __init__(self, peer: Peer, place: Place, population: Population, conditions: Conditions) -> None:
        super().__init__(peer, place, population, conditions)
        self.gang: list[Peer] = []
        """The attackers around the same key, itself among them."""

    def observe(self, peer: Peer, now: float) -> Peer | None:
        return None

    def serve(self, sender: Peer, request: Message) -> Message | None:
        if isinstance(plan(request, sender), KeepProvider):
            return None
        return answer(request, closer=[peer.entry for peer in self.gang if peer is not self.peer][: self._conditions.k])

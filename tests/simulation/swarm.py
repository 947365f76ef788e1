"""A whole network of simulated nodes: how it comes to be, who dies, who joins, and what its nodes are asked to do."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial

from chiral.kad.key import KadKey, raw_key_sharing_prefix
from chiral.kad.messages import Message, MessageType
from chiral.kad.refresh import due_buckets
from chiral.kad.table import RoutingTable
from tests.simulation.conditions import Conditions
from tests.simulation.engine import Engine
from tests.simulation.network import Network
from tests.simulation.node import Liar, Node, Place
from tests.simulation.population import Peer, Population, Ring
from tests.simulation.seek import Seek, Stage

_REFRESH_LOOKUPS = 4
"""A real node refreshes so many buckets at once."""
_REJOIN_S = 5.0
_BOOTSTRAP_PEERS = 3
_TRIES = 1 << 20


def fill_as_joined(table: RoutingTable, peer: Peer, ring: Ring, now: float, seed: object) -> None:
    """Give `table` what joining would have: of each bucket up to k peers at random, all of those in the last ones."""
    rng = random.Random(f"{seed}/{peer.index}")
    index = 0
    while len(ring.sharing(peer.point, index)) > 1:
        there = ring.bucket(peer.point, index)
        for at in rng.sample(there, min(table.k, len(there))):
            table.seen(ring.peers[at], now)
        index += 1


class Swarm:
    """`size` nodes in one engine. With `warm` their tables are filled as joining would have done, else they are empty.

    Run it within `population.remembered_points()`. All randomness comes from `seed`.
    """

    def __init__(self, size: int, seed: int, conditions: Conditions | None = None, *, warm: bool = True) -> None:
        self.conditions = conditions or Conditions()
        self.seed = seed
        self.engine = Engine()
        self.rng = random.Random(f"swarm/{seed}/{size}")
        self.population = Population(size, random.Random(f"peers/{seed}/{size}"))
        self._places = random.Random(f"places/{seed}/{size}")
        self.ring = Ring(self.population.peers if warm else [])
        """The honest nodes that are alive."""
        self._at_start = Ring(self.population.peers) if warm else None
        self.nodes = [self._node(peer) for peer in self.population.peers]
        noise = random.Random(f"network/{seed}/{size}")
        self.network = Network(self.engine, self.nodes, self.conditions, noise)
        self.stage = Stage(self.engine, self.network, self.population, self.conditions)

    def _node(self, peer: Peer) -> Node:
        return Node(peer, Place(self.conditions.links, self._places), self.population, self.conditions, self._fill)

    def _fill(self, table: RoutingTable, peer: Peer) -> None:
        if self._at_start is not None and peer.index < len(self._at_start):
            fill_as_joined(table, peer, self._at_start, 0.0, self.seed)

    def build_tables(self) -> None:
        """Make every table now, instead of each when it is first needed."""
        for node in self.nodes:
            len(node.table)

    def alive(self) -> list[Node]:
        """The honest nodes that live."""
        return [self.nodes[peer.index] for peer in self.ring.peers]

    def pick(self) -> Node:
        """An honest node that lives."""
        return self.nodes[self.rng.choice(self.ring.peers).index]

    def random_key(self) -> bytes:
        """A provider key: a CIDv1 of a raw block by SHA-256."""
        return b"\x01\x55\x12\x20" + self.rng.randbytes(32)

    # Who is there.

    def kill(self, node: Node) -> None:
        """`node` dies without a word."""
        node.alive = False
        self.ring.remove(node.peer)

    def kill_share(self, share: float, spared: Sequence[Node] = ()) -> None:
        """So large a share of all die at once, but none of `spared`."""
        kept = {node.peer for node in spared}
        mortal = [peer for peer in self.ring.peers if peer not in kept]
        for peer in self.rng.sample(mortal, round(share * len(self.ring))):
            self.kill(self.nodes[peer.index])

    def newcomer(self) -> Node:
        """A new node with an empty table, that nobody knows yet."""
        node = self._node(self.population.add())
        self.nodes.append(node)
        self.ring.add(node.peer)
        return node

    def attacker(self, key: bytes, network: bytes | None = None) -> Liar:
        """A new liar closer to `key` than every honest node; with `network` in that IPv4 /24. Nobody knows it yet."""
        target = KadKey.of(key)
        within = self.ring.closest(target, 1)[0].point ^ target.value
        peer = self.population.add_near(target, within, network)
        liar = Liar(peer, Place(self.conditions.links, self._places), self.population, self.conditions)
        self.nodes.append(liar)
        return liar

    def revive(self, node: Node) -> None:
        """A node that was made without being there is there from now on."""
        self.ring.add(node.peer)

    # What nodes do.

    def join(self, node: Node, bootstrap: Sequence[Peer]) -> None:
        """As a real node joins: it seeks itself from `bootstrap`, then looks up the buckets beyond.

        If nobody of them answers, it tries again, as a real node does.
        """

        def refresh(seek: Seek) -> None:
            if bootstrap and not len(node.table):
                self.engine.after(_REJOIN_S, lambda: self.join(node, bootstrap))
            elif not seek.lookup.saw_everyone:
                self.refresh(node, 0.0)

        self.seek(node, node.peer.raw, refresh, seeds=bootstrap)

    def join_at_once(self, node: Node) -> None:
        """As `join` leaves it, without its messages: the table is full, and those in it know of the node."""
        fill_as_joined(node.table, node.peer, self.ring, self.engine.now, self.seed)
        for entry in list(node.table):
            assert isinstance(entry.peer, Peer)
            self.network.observed(self.nodes[entry.peer.index], node.peer)

    def refresh(self, node: Node, interval_s: float) -> None:
        """Look up every bucket that no lookup of the node touched for so long, a few at once."""
        due = iter(due_buckets(node.table, self.engine.now, interval_s))

        def look_up(_: Seek | None = None) -> None:
            index = next(due, None)
            if index is not None and node.alive:
                start = self.rng.getrandbits(256)
                key = raw_key_sharing_prefix(node.table.local_key, index, start, _TRIES)
                assert key is not None, "some key of so many shares the prefix"
                self.seek(node, key, look_up)

        for _ in range(_REFRESH_LOOKUPS):
            look_up()

    def seek(
        self,
        node: Node,
        key: bytes,
        on_end: Callable[[Seek], None] | None = None,
        *,
        seeds: Sequence[Peer] = (),
        paths: int | None = None,
    ) -> Seek:
        """Begin a FIND_NODE lookup for `key`."""
        seek = Seek(self.stage, node, Message(MessageType.FIND_NODE, key), on_end=on_end, seeds=seeds, paths=paths)
        seek.start()
        return seek

    def provide(self, node: Node, key: bytes) -> None:
        """Find the closest to `key` and tell each that `node` provides it."""

        def tell(seek: Seek) -> None:
            message = Message(MessageType.ADD_PROVIDER, key, providers=(node.peer.entry,))
            for peer in seek.found:
                self.network.request(node, peer, message, _ignore, _nothing)

        self.seek(node, key, tell, paths=1)

    def find(self, node: Node, key: bytes, on_end: Callable[[Seek, bool], None]) -> None:
        """Seek a provider of `key`, and say whether one was found; what the node itself keeps does not count."""
        found = False

        def on_answer(message: Message) -> bool:
            nonlocal found
            found = found or bool(message.providers)
            return found

        request = Message(MessageType.GET_PROVIDERS, key)
        Seek(self.stage, node, request, on_end=lambda seek: on_end(seek, found), on_answer=on_answer).start()

    def closest(self, key: bytes, count: int | None = None) -> list[Peer]:
        """The honest live peers truly closest to `key`, nearest first."""
        return self.ring.closest(KadKey.of(key), self.conditions.k if count is None else count)


def grown(size: int, seed: int, conditions: Conditions | None = None, *, apart_s: float = 0.5) -> Swarm:
    """A swarm whose nodes came one after another, each by way of one that was there already."""
    swarm = Swarm(size, seed, conditions, warm=False)

    def enter(node: Node) -> None:
        bootstrap = [swarm.pick().peer for _ in range(_BOOTSTRAP_PEERS)] if len(swarm.ring) else []
        swarm.revive(node)
        swarm.join(node, bootstrap)

    for number, node in enumerate(swarm.nodes):
        swarm.engine.at(number * apart_s, partial(enter, node))
    swarm.engine.run()
    return swarm


def _ignore(_: Message | None) -> None:
    return None


def _nothing() -> None:
    return None

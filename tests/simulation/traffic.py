"""Measures what nodes send: a lookup, a search, an announcement, keeping a table fresh; and adds it up to a day.

Bytes are those of encoded DHT messages, requests and answers; what streams, encryption and IP add is not among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from chiral.kad.messages import Message, MessageType, encode_message
from chiral.kad.sweep import Sweep
from tests.simulation.conditions import NODE, Conditions
from tests.simulation.finding import publish, search
from tests.simulation.lookups import look_up
from tests.simulation.network import Meter
from tests.simulation.node import Node
from tests.simulation.population import Peer
from tests.simulation.seek import Seek
from tests.simulation.swarm import Swarm

DAY_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Requests, and the bytes of those and of their answers."""

    requests: float = 0.0
    sent_bytes: float = 0.0

    def times(self, count: float) -> Cost:
        return Cost(self.requests * count, self.sent_bytes * count)

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.requests + other.requests, self.sent_bytes + other.sent_bytes)


@dataclass(frozen=True, slots=True)
class Announced:
    """What it took to place `keys` keys by sweep: lookups, and the FIND_NODEs of all of them."""

    keys: int
    lookups: int
    cost: Cost
    placed: float
    """Share of the k true closest of a key that the sweep named, in the mean of a sample."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost in a network of `nodes`."""

    nodes: int
    lookup: Cost
    search: Cost
    add_provider: Cost
    sweeps: tuple[Announced, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """What one node with `keys` keys causes in a day, which is also what the mean node sends, and what it receives."""

    keys: int
    finding_one_by_one: Cost
    finding_by_sweep: Cost
    adding: Cost
    upkeep: Cost
    searching: Cost

    @property
    def one_by_one(self) -> Cost:
        return self.finding_one_by_one + self.adding + self.upkeep + self.searching

    @property
    def by_sweep(self) -> Cost:
        return self.finding_by_sweep + self.adding + self.upkeep + self.searching


def metered(swarm: Swarm, do: Callable[[], object], count: int = 1) -> Cost:
    """What `do` sends, divided by `count`."""
    meter = swarm.network.meter = Meter(sizes=True)
    do()
    return Cost(meter.requests / count, meter.sent_bytes / count)


def prices(size: int, sweeps: tuple[int, ...], lookups: int, seed: int, conditions: Conditions | None = None) -> Prices:
    """Measure a network of `size` nodes; `sweeps` says how many keys the announced sets have.

    Peers in doubt are not asked meanwhile: that belongs to upkeep.
    """
    swarm = Swarm(size, seed, conditions)
    swarm.network.asks_doubted = False
    lookup = metered(swarm, lambda: look_up(swarm, lookups, paths=1), lookups)
    keys = list(publish(swarm, max(1, lookups // 4)))
    found = metered(swarm, lambda: search(swarm, keys, lookups), lookups)
    announced = tuple(announce(swarm, swarm.pick(), count) for count in sweeps)
    node = swarm.pick()
    message = Message(MessageType.ADD_PROVIDER, swarm.random_key(), providers=(node.peer.entry,))
    adding = Cost(swarm.conditions.k, swarm.conditions.k * len(encode_message(message)))
    return Prices(size, lookup, found, adding, announced)


def announce(swarm: Swarm, node: Node, count: int) -> Announced:
    """Place `count` random keys by the real sweep, so many lookups at once as a real node makes."""
    sweep = Sweep((swarm.random_key() for _ in range(count)), k=swarm.conditions.k)
    places: dict[bytes, tuple[object, ...]] = {}
    looked = 0

    def take() -> None:
        places.update((key, group.peers) for group in sweep.groups() for key in group.keys)

    def learn(raw: bytes, seek: Seek) -> None:
        everyone = seek.lookup.saw_everyone
        sweep.learnt(raw, seek.found, complete=True, everyone=everyone)

    def run() -> None:
        nonlocal looked
        while wanted := sweep.points(NODE.outbound.lookups):
            looked += len(wanted)
            for raw in wanted:
                seeds = [peer for peer in sweep.nearby(raw) if isinstance(peer, Peer)]
                swarm.seek(node, raw, partial(learn, raw), seeds=seeds, paths=1)
            swarm.engine.run()
        take()

    cost = metered(swarm, run)
    sample = swarm.rng.sample(sorted(places), min(100, count))
    right = sum(len(set(places[key]) & set(swarm.closest(key))) for key in sample)
    return Announced(count, looked, cost, right / len(sample) / min(swarm.conditions.k, len(swarm.ring)))


def day(priced: Prices, announced: Announced, upkeep: Cost, searches: int) -> Day:
    """A day of a node that announces so many keys, repeats them as a real node does, and makes so many searches."""
    rounds = DAY_S / NODE.republish_s
    return Day(
        keys=announced.keys,
        finding_one_by_one=priced.lookup.times(announced.keys * rounds),
        finding_by_sweep=announced.cost.times(rounds),
        adding=priced.add_provider.times(announced.keys * rounds),
        upkeep=upkeep,
        searching=priced.search.times(searches),
    )

"""Measures what attackers around a key can hide: records published before they came, and after."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from tests.simulation.conditions import Conditions
from tests.simulation.finding import publish, search
from tests.simulation.node import Liar
from tests.simulation.swarm import Swarm

_ONE_NETWORK = b"\x05\x06\x07"
_CLOSE = 100
_FAR = 100


@dataclass(frozen=True, slots=True)
class SybilFigures:
    """Shares of the searches that found the provider, with so many attackers around each key."""

    nodes: int
    attackers: int
    one_network: bool
    paths: int
    searches: int
    published_before: float
    published_after: float


def attack(swarm: Swarm, key: bytes, count: int, *, one_network: bool) -> list[Liar]:
    """Put `count` liars closer to `key` than anybody, and let them call on the honest nodes near it, and on others."""
    liars = [swarm.attacker(key, _ONE_NETWORK if one_network else None) for _ in range(count)]
    gang = [liar.peer for liar in liars]
    near = swarm.closest(key, _CLOSE)
    far = swarm.rng.sample(swarm.ring.peers, min(_FAR, len(swarm.ring)))
    for liar in liars:
        liar.gang = gang
        for peer in dict.fromkeys(chain(near, far)):
            swarm.network.observed(swarm.nodes[peer.index], liar.peer)
    return liars


def around_keys(
    size: int,
    attackers: int,
    *,
    one_network: bool,
    keys: int,
    searches: int,
    seed: int,
    conditions: Conditions | None = None,
) -> SybilFigures:
    """`keys` keys published before and `keys` after the attack on each of them; `searches` searches for either kind.

    Nobody is asked whether it lives: all do, so that would only cost time.
    """
    swarm = Swarm(size, seed, conditions)
    swarm.network.asks_doubted = False
    before = list(publish(swarm, keys))
    for key in before:
        attack(swarm, key, attackers, one_network=one_network)
    found_before = search(swarm, before, searches).share
    later = [swarm.random_key() for _ in range(keys)]
    for key in later:
        attack(swarm, key, attackers, one_network=one_network)
        swarm.provide(swarm.pick(), key)
        swarm.engine.run()
    found_after = search(swarm, later, searches).share
    return SybilFigures(
        len(swarm.ring), attackers, one_network, swarm.conditions.paths, searches, found_before, found_after
    )

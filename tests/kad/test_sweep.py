"""Placing many keys with few lookups, held against sorting all peers for every key."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chiral.interface.peer import PeerId
from chiral.kad.key import KadKey
from chiral.kad.sweep import Sweep


def peers_of(seed: int, count: int) -> list[PeerId]:
    chance = random.Random(seed)
    return [PeerId(b"\x12\x20" + chance.randbytes(32)) for _ in range(count)]


def keys_of(seed: int, count: int) -> list[bytes]:
    return [b"%d/%d" % (seed, number) for number in range(count)]


class World:
    """A network that answers each lookup with the truth; `lookups` counts them."""

    def __init__(self, peers: Sequence[PeerId], k: int) -> None:
        self.k = k
        self.points = [(KadKey.of(peer.raw).value, peer) for peer in peers]
        self.lookups = 0

    def closest(self, raw: bytes) -> list[PeerId]:
        target = KadKey.of(raw).value
        return [peer for _, peer in sorted(self.points, key=lambda point: point[0] ^ target)[: self.k]]

    def place(self, keys: Sequence[bytes], *, at_once: int = 1) -> dict[bytes, tuple[PeerId, ...]]:
        sweep = Sweep(keys, k=self.k)
        placed: dict[bytes, tuple[PeerId, ...]] = {}
        while points := sweep.points(at_once):
            assert len(points) <= at_once
            for raw in points:
                self.lookups += 1
                found = self.closest(raw)
                sweep.learnt(raw, found, complete=True, everyone=len(self.points) <= self.k)
            self._take(sweep, placed)
        self._take(sweep, placed)
        return placed

    def _take(self, sweep: Sweep, placed: dict[bytes, tuple[PeerId, ...]]) -> None:
        for group in sweep.groups():
            for key in group.keys:
                assert key not in placed
                placed[key] = group.peers


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    peers=st.integers(0, 400),
    keys=st.integers(0, 60),
    k=st.integers(1, 30),
    at_once=st.integers(1, 20),
)
def test_every_key_goes_to_its_true_closest(seed: int, peers: int, keys: int, k: int, at_once: int) -> None:
    world = World(peers_of(seed, peers), k)
    wanted = keys_of(seed, keys)
    placed = world.place(wanted, at_once=at_once)
    assert set(placed) == set(wanted)
    for key, found in placed.items():
        assert set(found) == set(world.closest(key))
        assert len(found) == min(k, peers)
    assert world.lookups <= 2 * keys


@pytest.mark.parametrize("peers", [100, 1000, 5000])
def test_in_random_networks_of_many_peers(peers: int) -> None:
    world = World(peers_of(peers, peers), 20)
    wanted = keys_of(peers, 300)
    placed = world.place(wanted, at_once=16)
    assert all(set(placed[key]) == set(world.closest(key)) for key in wanted)


def test_a_network_no_larger_than_k_takes_one_lookup() -> None:
    for count in (1, 7, 20):
        world = World(peers_of(1, count), 20)
        assert len(world.place(keys_of(1, 500))) == 500
        assert world.lookups == 1


def test_ten_thousand_keys_in_twenty_five_nodes_take_a_handful() -> None:
    for seed in range(10):
        world = World(peers_of(seed, 24), 20)
        wanted = keys_of(seed, 10_000)
        placed = world.place(wanted, at_once=16)
        assert world.lookups <= 4
        for key in wanted[::97]:
            assert set(placed[key]) == set(world.closest(key))


@pytest.mark.parametrize(("peers", "keys"), [(1000, 2000), (1000, 8000), (4000, 8000)])
def test_lookups_grow_with_the_network_and_not_with_the_keys(peers: int, keys: int) -> None:
    world = World(peers_of(3, peers), 20)
    truth: dict[bytes, list[PeerId]] = {}

    def closest(raw: bytes) -> list[PeerId]:
        return truth.setdefault(raw, World.closest(world, raw))

    world.closest = closest  # type: ignore[method-assign]
    assert len(world.place(keys_of(3, keys), at_once=16)) == keys
    assert peers / 20 < world.lookups < 3 * peers / 20


def test_lookups_that_come_to_no_end_are_not_repeated_for_every_key() -> None:
    world = World(peers_of(5, 300), 20)
    sweep = Sweep(keys_of(5, 1000), k=20)
    lookups = 0
    while points := sweep.points(1):
        for raw in points:
            lookups += 1
            sweep.learnt(raw, world.closest(raw)[:5], complete=False, everyone=False)
    placed = {key: group.peers for group in sweep.groups() for key in group.keys}
    assert lookups == 3
    assert len(placed) == 1000
    assert all(5 <= len(peers) <= 15 for peers in placed.values())


def test_a_lookup_that_was_broken_off_counts_if_it_found_enough() -> None:
    world = World(peers_of(6, 24), 20)
    sweep = Sweep(keys_of(6, 100), k=20)
    while points := sweep.points(4):
        for raw in points:
            sweep.learnt(raw, world.closest(raw), complete=False, everyone=False)
    assert sum(len(group.keys) for group in sweep.groups()) == 100


def test_without_peers_every_key_is_placed_with_nobody_by_one_lookup() -> None:
    world = World([], 20)
    assert set(world.place(keys_of(7, 50)).values()) == {()}
    assert world.lookups == 1


def test_lookups_begin_with_peers_already_known_nearby() -> None:
    world = World(peers_of(8, 200), 20)
    keys = keys_of(8, 500)
    sweep = Sweep(keys, k=20)
    (first,) = sweep.points(5)
    assert sweep.nearby(first) == []
    sweep.learnt(first, world.closest(first), complete=True, everyone=False)
    assert set(sweep.nearby(first)) <= set(world.closest(first))
    assert len(sweep.nearby(first)) >= 10


@pytest.mark.parametrize("peers", [24, 60, 500])
def test_keys_of_one_stretch_of_the_ring_share_lookups_too(peers: int) -> None:
    for seed in range(20):
        world = World(peers_of(seed, peers), 20)
        keys = [key for key in keys_of(seed, 6000) if KadKey.of(key).value >> 253 == seed % 8]
        placed = world.place(keys, at_once=16)
        assert len(placed) == len(keys)
        assert world.lookups <= 4 + peers / 40
        for key in keys[::50]:
            assert set(placed[key]) == set(world.closest(key))

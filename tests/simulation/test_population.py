"""Peers, their points, and who is truly closest."""

from __future__ import annotations

import random

import pytest

from chiral.interface.peer import PeerId
from chiral.kad.key import KadKey
from tests.simulation.population import Peer, Population, Ring, remembered_points


@pytest.fixture
def population() -> Population:
    return Population(200, random.Random(1))


def test_peers_have_ids_that_a_real_node_takes(population: Population) -> None:
    for peer in population.peers[:20]:
        assert PeerId.from_bytes(peer.raw).raw == peer.raw
        assert peer.point == KadKey.of(peer.raw).value
        assert population.named(peer.raw) is peer


def test_the_ring_knows_the_closest(population: Population) -> None:
    ring = Ring(population.peers)
    for number in range(50):
        target = KadKey.of(number.to_bytes(2, "big"))
        expected = sorted(population.peers, key=lambda peer: peer.point ^ target.value)
        for count in (1, 20, 150, 300):
            assert ring.closest(target, count) == expected[:count]


def test_the_ring_cuts_a_bucket_out(population: Population) -> None:
    ring = Ring(population.peers)
    local = KadKey(population.peers[0].point)
    for index in range(10):
        there = {ring.peers[at] for at in ring.bucket(local.value, index)}
        assert there == {p for p in population.peers if local.common_prefix_length(KadKey(p.point)) == index}


def test_who_leaves_the_ring_is_no_longer_closest(population: Population) -> None:
    ring = Ring(population.peers)
    peer = population.peers[7]
    ring.remove(peer)
    assert ring.closest(KadKey(peer.point), 1) != [peer]
    with pytest.raises(ValueError, match="not there"):
        ring.remove(peer)
    ring.add(peer)
    assert ring.closest(KadKey(peer.point), 1) == [peer]


def test_a_sybil_is_as_close_as_was_asked_and_in_its_network(population: Population) -> None:
    target = KadKey.of(b"key")
    within = Ring(population.peers).closest(target, 1)[0].point ^ target.value
    sybil = population.add_near(target, within, b"\x05\x06\x07")
    assert sybil.point ^ target.value < within
    assert sybil.groups == frozenset([b"\x04\x05\x06\x07"])
    assert population.add_near(target, within).groups is None


def test_remembered_points_are_the_same_points() -> None:
    plain = KadKey.of(b"a key")
    with remembered_points():
        assert KadKey.of(b"a key") == plain
        assert KadKey.of(b"a key") is KadKey.of(b"a key")
        assert Peer(b"\x00\x01a", 0, ()).point == KadKey.of(b"\x00\x01a").value
    assert KadKey.of(b"a key") is not KadKey.of(b"a key")

"""Lookups over disjoint paths: alone against single events, in honest networks, and with captors among the peers."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.interface.peer import PeerId
from chiral.kad.disjoint import AnyLookup, DisjointLookup
from chiral.kad.key import KadKey
from chiral.kad.lookup import Lookup, LookupLimits
from chiral.kad.table import RoutingTable
from tests.fakes.stream_node import peer_id

LOCAL = peer_id(0)
TARGET = KadKey.of(b"target")


def by_distance(peers: list[PeerId]) -> list[PeerId]:
    return sorted(peers, key=lambda peer: TARGET.distance(KadKey.of(peer.raw)))


PEERS = by_distance([peer_id(number) for number in range(1, 101)])
"""A hundred peers, nearest to the target first."""


def lookup_of(seeds: list[PeerId], paths: int = 2, **limits: float) -> DisjointLookup:
    return DisjointLookup(TARGET, seeds, local=LOCAL, paths=paths, limits=LookupLimits(**limits))  # type: ignore[arg-type]


def test_seeds_are_dealt_out_by_distance() -> None:
    lookup = lookup_of([*reversed(PEERS[:6]), LOCAL], k=3, alpha=2)
    assert lookup.next_queries(0.0) == [PEERS[0], PEERS[1]]
    lookup.answered(PEERS[0], [])
    assert lookup.next_queries(0.0) == [PEERS[2]]
    lookup.failed(PEERS[1])
    assert lookup.next_queries(0.0) == [PEERS[3]]
    assert lookup.heard == 6
    assert PEERS[5] in lookup
    assert PEERS[6] not in lookup


def test_no_peer_is_asked_by_two_paths_and_what_it_says_leads_one_only() -> None:
    lookup = lookup_of([PEERS[50], PEERS[60]], k=4, alpha=4)
    assert lookup.next_queries(0.0) == [PEERS[50], PEERS[60]]
    assert lookup.answered(PEERS[50], [PEERS[1]]) == [PEERS[1]]
    assert lookup.answered(PEERS[60], [PEERS[1], PEERS[2]]) == [PEERS[1], PEERS[2]]
    # Both paths know of the same peer; the first to come to it asks it, the second waits for what becomes of it.
    assert lookup.next_queries(0.0) == [PEERS[1], PEERS[2]]
    assert lookup.next_queries(0.0) == []
    assert lookup.answered(PEERS[1], [PEERS[3]]) == [PEERS[3]]
    assert lookup.next_queries(0.0) == [PEERS[3]]
    lookup.answered(PEERS[3], [])
    assert not lookup.finished
    lookup.answered(PEERS[2], [])
    assert lookup.finished
    assert lookup.asked == 5
    assert lookup.closest() == [PEERS[1], PEERS[2], PEERS[3], PEERS[50]]


def test_a_peer_that_failed_one_path_is_not_asked_by_the_other() -> None:
    lookup = lookup_of([PEERS[50], PEERS[60]], k=4, alpha=4)
    lookup.next_queries(0.0)
    lookup.answered(PEERS[50], [PEERS[1]])
    assert lookup.next_queries(0.0) == [PEERS[1]]
    lookup.failed(PEERS[1])
    lookup.answered(PEERS[60], [PEERS[1]])
    assert lookup.next_queries(0.0) == []
    assert lookup.finished
    assert lookup.closest() == [PEERS[50], PEERS[60]]


def test_a_stall_is_told_once_and_a_late_answer_counts() -> None:
    lookup = lookup_of([PEERS[50], PEERS[60]], k=4, alpha=4, stall_s=3.0)
    lookup.next_queries(0.0)
    for peer in (PEERS[50], PEERS[60]):
        lookup.answered(peer, [PEERS[1]])
    assert lookup.next_queries(1.0) == [PEERS[1]]
    assert lookup.next_stall() == 4.0
    assert lookup.next_queries(4.0) == []
    assert lookup.stalled == [PEERS[1]]
    assert lookup.finished
    assert lookup.next_stall() is None
    assert lookup.answered(PEERS[1], [PEERS[2]]) == [PEERS[2]]
    assert lookup.stalled == []
    assert PEERS[1] in lookup.closest()


def test_a_path_of_stalled_peers_alone_does_not_hold_up_the_others() -> None:
    lookup = lookup_of([PEERS[0], PEERS[1]], k=4, alpha=4, stall_s=3.0)
    lookup.next_queries(0.0)
    lookup.next_queries(3.0)
    assert not lookup.finished
    assert lookup.stalled == [PEERS[0], PEERS[1]]
    lookup.answered(PEERS[0], [])
    assert lookup.finished


def test_stop_ends_every_path() -> None:
    lookup = lookup_of(PEERS[:5])
    lookup.next_queries(0.0)
    lookup.stop()
    assert lookup.finished
    assert lookup.next_queries(0.0) == []
    assert not lookup.saw_everyone


def test_answers_of_peers_that_were_not_asked_are_ignored() -> None:
    lookup = lookup_of(PEERS[:4], alpha=2)
    assert lookup.answered(PEERS[3], [PEERS[9]]) == []
    lookup.next_queries(0.0)
    lookup.answered(PEERS[0], [])
    assert lookup.answered(PEERS[0], [PEERS[9]]) == []
    lookup.failed(PEERS[0])
    assert PEERS[0] in lookup.closest()


def test_no_seeds_end_at_once_and_paths_are_no_more_than_seeds_or_alpha() -> None:
    empty = lookup_of([])
    assert empty.finished
    assert empty.closest() == []
    assert empty.next_stall() is None
    assert lookup_of(PEERS[:1], paths=8, alpha=10).next_queries(0.0) == PEERS[:1]
    assert len(lookup_of(PEERS[:50], paths=8, alpha=3).next_queries(0.0)) == 3
    with pytest.raises(ValueError, match="0 paths"):
        lookup_of([], paths=0)


def test_saw_everyone_only_within_k() -> None:
    for others, everyone in ((PEERS[:4], True), (PEERS[:6], False)):
        lookup = lookup_of(PEERS[:4], k=4)
        for peer in lookup.next_queries(0.0):
            lookup.answered(peer, others)
        for peer in lookup.next_queries(0.0):
            lookup.answered(peer, others)
        assert lookup.finished
        assert lookup.saw_everyone is everyone


class _Net:
    """Peers with routing tables, asked without a network. `captors` name only each other, nearest first."""

    def __init__(self, size: int, seed: int, k: int = 20) -> None:
        self.k = k
        self.random = random.Random(seed)
        self.peers = [peer_id(number) for number in range(1, size + 1)]
        self.captors: list[PeerId] = []
        self.tables = {peer: RoutingTable(peer, k=k) for peer in self.peers}
        for table in self.tables.values():
            for other in self.random.sample(self.peers, len(self.peers)):
                table.seen(other, 0.0)

    def lookup(self, paths: int, seeds: list[PeerId], alpha: int = 10) -> AnyLookup:
        limits = LookupLimits(k=self.k, alpha=alpha)
        if paths == 1:
            return Lookup(TARGET, seeds, local=self.peers[0], limits=limits)
        return DisjointLookup(TARGET, seeds, local=self.peers[0], paths=paths, limits=limits)

    def run(self, lookup: AnyLookup, alpha: int = 10) -> AnyLookup:
        flying: list[PeerId] = []
        asked: list[PeerId] = []
        while not lookup.finished:
            flying += lookup.next_queries(0.0)
            assert len(flying) <= alpha
            if not flying:
                assert lookup.finished
                break
            peer = flying.pop(self.random.randrange(len(flying)))
            asked.append(peer)
            if peer in self.tables:
                lookup.answered(peer, self.tables[peer].closest(TARGET, self.k))
            else:
                lookup.answered(peer, self.captors[: self.k])
        assert len(asked) == len(set(asked)) <= 300
        return lookup


@given(st.integers(2, 80), st.integers(2, 5), st.integers(1, 10), st.integers(0, 2**32))
def test_finds_the_true_closest_when_all_live(size: int, paths: int, alpha: int, seed: int) -> None:
    net = _Net(size, seed)
    seeds = net.tables[net.peers[0]].closest(TARGET, 80)
    assert net.run(net.lookup(paths, seeds, alpha), alpha).closest() == by_distance(net.peers[1:])[: net.k]


def test_captors_take_a_single_path_and_one_of_several() -> None:
    net = _Net(150, 1)
    # Keys ground until they are closer to the target than any honest peer: the worst that identities can do.
    ground = by_distance([peer_id(number) for number in range(1000, 6000)])[:40]
    honest = by_distance(net.peers[1:])
    assert TARGET.distance(KadKey.of(ground[19].raw)) < TARGET.distance(KadKey.of(honest[0].raw))
    net.captors = ground
    seeds = [*by_distance(net.tables[net.peers[0]].closest(TARGET, 150))[20:], ground[30]]
    captured = net.run(net.lookup(1, seeds, alpha=1), alpha=1)
    assert set(captured.closest()) <= set(ground)
    for paths in (2, 3, 4):
        free = net.run(net.lookup(paths, seeds))
        share = net.k - net.k // paths if paths > 2 else net.k // 2
        assert free.closest()[-share:] == honest[:share]


@given(st.integers(0, 2**32), st.integers(2, 4))
def test_captors_cannot_keep_it_busy(seed: int, paths: int) -> None:
    net = _Net(30, seed)
    net.captors = [peer_id(number) for number in range(1000, 1400)]
    net.random.shuffle(net.captors)
    seeds = [*net.peers[1:], *net.captors[:10]]
    net.run(net.lookup(paths, seeds))


def test_a_liar_with_ever_closer_peers_comes_to_an_end() -> None:
    lookup = lookup_of([PEERS[99], PEERS[98]], k=3, alpha=2, max_queries=12)
    invented = iter(list(reversed(PEERS))[2:])
    while not lookup.finished:
        for peer in lookup.next_queries(0.0):
            lookup.answered(peer, [next(invented)])
    assert lookup.asked == 12

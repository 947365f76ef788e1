"""The lookup machine: alone against single events, and over whole simulated networks."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from chiral.interface.peer import PeerId
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


def lookup_of(seeds: list[PeerId], **limits: float) -> Lookup:
    return Lookup(TARGET, seeds, local=LOCAL, limits=LookupLimits(**limits))  # type: ignore[arg-type]


def test_asks_the_nearest_first_alpha_at_once() -> None:
    lookup = lookup_of(list(reversed(PEERS[:10])), k=5, alpha=3)
    assert lookup.next_queries(0.0) == PEERS[:3]
    assert lookup.next_queries(0.0) == []
    assert not lookup.finished
    lookup.answered(PEERS[1], [])
    assert lookup.next_queries(0.0) == [PEERS[3]]


def test_ends_when_the_k_closest_live_have_answered() -> None:
    lookup = lookup_of(PEERS[:10], k=3, alpha=3)
    for peer in lookup.next_queries(0.0):
        lookup.answered(peer, [])
    assert lookup.finished
    assert lookup.closest() == PEERS[:3]
    assert lookup.next_queries(0.0) == []


def test_the_failed_do_not_count_and_the_next_take_their_place() -> None:
    lookup = lookup_of(PEERS[:10], k=3, alpha=3)
    for peer in lookup.next_queries(0.0):
        lookup.failed(peer)
    assert not lookup.finished
    assert lookup.next_queries(0.0) == PEERS[3:6]
    for peer in PEERS[3:6]:
        lookup.answered(peer, [])
    assert lookup.finished
    assert lookup.closest() == PEERS[3:6]


def test_closer_peers_are_asked_before_farther_ones() -> None:
    lookup = lookup_of(PEERS[50:53], k=3, alpha=1)
    assert lookup.next_queries(0.0) == [PEERS[50]]
    assert lookup.answered(PEERS[50], [PEERS[7], PEERS[51]]) == [PEERS[7]]
    assert lookup.next_queries(0.0) == [PEERS[7]]


def test_a_stalled_peer_frees_its_place_and_does_not_hold_the_end() -> None:
    lookup = lookup_of(PEERS[:4], k=2, alpha=2, stall_s=3.0)
    assert lookup.next_queries(0.0) == PEERS[:2]
    assert lookup.next_stall() == 3.0
    lookup.answered(PEERS[1], [])
    assert lookup.next_queries(2.9) == []
    assert lookup.stalled == []
    assert lookup.next_queries(3.0) == [PEERS[2]]
    assert lookup.stalled == [PEERS[0]]
    assert lookup.next_stall() == 6.0
    lookup.answered(PEERS[2], [])
    assert lookup.finished
    assert lookup.closest() == [PEERS[1], PEERS[2]]
    assert lookup.next_stall() is None


def test_a_late_answer_still_counts() -> None:
    lookup = lookup_of(PEERS[:4], k=2, alpha=2, stall_s=3.0)
    lookup.next_queries(0.0)
    lookup.next_queries(3.0)
    assert lookup.answered(PEERS[0], [PEERS[9]]) == [PEERS[9]]
    assert lookup.closest() == [PEERS[0]]


def test_if_nobody_else_answers_the_stalled_are_waited_for() -> None:
    lookup = lookup_of(PEERS[:1], k=2, alpha=2, stall_s=3.0)
    lookup.next_queries(0.0)
    assert lookup.next_queries(100.0) == []
    assert not lookup.finished
    lookup.failed(PEERS[0])
    assert lookup.finished
    assert lookup.closest() == []


def test_the_local_peer_is_never_asked() -> None:
    lookup = lookup_of([LOCAL, PEERS[0]])
    assert lookup.next_queries(0.0) == [PEERS[0]]
    assert lookup.answered(PEERS[0], [LOCAL]) == []
    assert lookup.finished
    assert lookup.heard == 1


def test_no_seeds_end_at_once() -> None:
    lookup = lookup_of([])
    assert lookup.finished
    assert lookup.closest() == []


def test_stop_ends_it() -> None:
    lookup = lookup_of(PEERS[:5])
    lookup.next_queries(0.0)
    lookup.stop()
    assert lookup.finished
    assert lookup.next_queries(0.0) == []
    assert not lookup.saw_everyone


def test_unasked_and_repeated_answers_are_ignored() -> None:
    lookup = lookup_of(PEERS[:2], alpha=1)
    assert lookup.answered(PEERS[1], [PEERS[5]]) == []
    assert lookup.answered(PEERS[40], [PEERS[5]]) == []
    lookup.next_queries(0.0)
    lookup.answered(PEERS[0], [])
    lookup.failed(PEERS[0])
    assert lookup.answered(PEERS[0], [PEERS[5]]) == []
    assert lookup.closest() == [PEERS[0]]


def test_of_one_answer_only_the_k_closest_are_taken() -> None:
    lookup = lookup_of(PEERS[:1], k=5)
    lookup.next_queries(0.0)
    assert lookup.answered(PEERS[0], [*PEERS[1:], *PEERS[1:]]) == PEERS[1:6]
    assert lookup.heard == 6


def test_candidates_are_bounded_and_the_nearest_kept() -> None:
    lookup = lookup_of(PEERS[90:], k=5, alpha=1, max_candidates=10)
    lookup.next_queries(0.0)
    assert lookup.answered(PEERS[90], PEERS[:5]) == PEERS[:5]
    assert lookup.next_queries(0.0) == [PEERS[0]]
    assert not lookup.saw_everyone
    assert lookup_of(PEERS[:10], max_candidates=3).next_queries(0.0) == PEERS[:3]


def test_a_liar_with_ever_closer_peers_comes_to_an_end() -> None:
    lookup = lookup_of(list(reversed(PEERS))[:1], k=3, alpha=1, max_queries=12)
    asked: list[PeerId] = []
    invented = iter(reversed(PEERS))
    next(invented)
    while not lookup.finished:
        (peer,) = lookup.next_queries(0.0)
        asked.append(peer)
        lookup.answered(peer, [next(invented)])
    assert len(asked) == lookup.asked == 12


def test_saw_everyone_only_within_k() -> None:
    small = lookup_of(PEERS[:3], k=4)
    for peer in small.next_queries(0.0):
        small.answered(peer, PEERS[:3])
    assert small.saw_everyone
    large = lookup_of(PEERS[:3], k=4)
    for peer in large.next_queries(0.0):
        large.answered(peer, PEERS[:6])
    assert not large.saw_everyone


class _Net:
    """Peers with routing tables, asked without a network."""

    def __init__(self, size: int, k: int, seed: int) -> None:
        self.k = k
        self.random = random.Random(seed)
        self.peers = [peer_id(number) for number in range(1, size + 1)]
        self.tables = {peer: RoutingTable(peer, k=k) for peer in self.peers}
        for table in self.tables.values():
            for other in self.random.sample(self.peers, len(self.peers)):
                table.seen(other, 0.0)

    def run(self, dead: set[PeerId], alpha: int) -> Lookup:
        live = [peer for peer in self.peers if peer not in dead]
        start = self.tables[live[0]]
        limits = LookupLimits(k=self.k, alpha=alpha, max_queries=10_000, max_candidates=10_000)
        lookup = Lookup(TARGET, start.closest(TARGET, 4 * self.k), local=live[0], limits=limits)
        flying: list[PeerId] = []
        while not lookup.finished:
            flying += lookup.next_queries(0.0)
            assert len(flying) <= alpha
            peer = flying.pop(self.random.randrange(len(flying)))
            if peer in dead:
                lookup.failed(peer)
            else:
                lookup.answered(peer, self.tables[peer].closest(TARGET, self.k))
        return lookup


@given(st.integers(2, 80), st.integers(1, 20), st.integers(1, 10), st.integers(0, 2**32))
def test_finds_the_true_closest_when_all_live(size: int, k: int, alpha: int, seed: int) -> None:
    net = _Net(size, k, seed)
    found = net.run(set(), alpha).closest()
    assert found == by_distance(net.peers[1:])[: len(found)]
    # With buckets of one, peers a few bits beyond the target's own bucket may stay unknown to everybody.
    if k >= 4:
        assert found == by_distance(net.peers[1:])[:k]


@given(st.integers(0, 2**32))
def test_finds_the_true_closest_live_with_a_third_dead(seed: int) -> None:
    net = _Net(60, 20, seed)
    dead = set(net.random.sample(net.peers[1:], 20))
    found = net.run(dead, 10).closest()
    live = by_distance([peer for peer in net.peers[1:] if peer not in dead])
    # Answers name the dead too, so the far end of twenty may lie beyond what anybody tells; the near end never does.
    assert found[:12] == live[:12]
    assert found == by_distance(found)
    assert not dead & set(found)
    assert len(found) >= 18

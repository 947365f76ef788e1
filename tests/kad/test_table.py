"""The routing table: where peers go, and that the closest are the closest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chiral.interface.peer import PeerId
from chiral.kad.bucket import Admit, PingFirst, Refused
from chiral.kad.key import KEY_BITS, KadKey
from chiral.kad.table import RoutingTable
from tests.fakes.stream_node import peer_id

LOCAL = peer_id(0)
numbers = st.lists(st.integers(1, 5000), max_size=120, unique=True)


def distance(key: KadKey, peer: PeerId) -> int:
    return key.distance(KadKey.of(peer.raw))


def table_of(peers: list[PeerId], k: int = 20) -> RoutingTable:
    table = RoutingTable(LOCAL, k=k)
    for peer in peers:
        table.seen(peer, 0.0)
    return table


def test_a_peer_goes_to_the_bucket_of_its_shared_prefix() -> None:
    table = RoutingTable(LOCAL, k=50)
    for number in range(1, 50):
        peer = peer_id(number)
        before = table.counts()
        assert table.seen(peer, 0.0) == Admit(peer, new=True)
        index = table.local_key.common_prefix_length(KadKey.of(peer.raw))
        assert table.counts()[index] == before[index] + 1
        assert sum(table.counts()) == len(table) == number
        assert peer in table
    assert len(table.counts()) == KEY_BITS


def test_the_local_peer_is_refused() -> None:
    table = RoutingTable(LOCAL)
    assert table.seen(LOCAL, 0.0) == Refused(LOCAL, "it is the local peer")
    assert len(table) == 0
    assert LOCAL not in table
    assert table.bucket_index(table.local_key) == 255


def test_a_full_bucket_holds_k_and_asks_for_a_ping() -> None:
    table = RoutingTable(LOCAL, k=3)
    far = [peer_id(n) for n in range(1, 100) if table.bucket_index(KadKey.of(peer_id(n).raw)) == 0]
    for peer in far[:3]:
        table.seen(peer, 0.0)
    assert table.seen(far[3], 1000.0) == PingFirst(far[0], far[3])
    assert table.counts()[0] == 3
    assert table.drop(far[0], 1001.0) == far[3]
    assert far[3] in table
    assert far[0] not in table


def test_dropping_the_last_of_a_bucket_forgets_it() -> None:
    table = table_of([peer_id(1)])
    assert table.drop(peer_id(1), 1.0) is None
    assert table.drop(peer_id(1), 1.0) is None
    assert len(table) == 0
    assert table.deepest == -1
    assert list(table) == []


def test_closest_k_order() -> None:
    """Seed 003: the k closest come in the order of their XOR distance, whatever bucket they stand in."""
    peers = [peer_id(number) for number in range(1, 200)]
    table = table_of(peers, k=200)
    for target in (KadKey.of(b"some key"), table.local_key, KadKey(0), KadKey.of(peers[7].raw)):
        found = table.closest(target, 20)
        away = [distance(target, peer) for peer in found]
        assert away == sorted(away)
        assert set(found) == set(sorted(peers, key=lambda peer: distance(target, peer))[:20])


@given(numbers, st.binary(min_size=1, max_size=8), st.integers(1, 40))
def test_closest_is_what_sorting_all_gives(members: list[int], raw: bytes, count: int) -> None:
    peers = [peer_id(number) for number in members]
    table = table_of(peers, k=200)
    key = KadKey.of(raw)
    assert table.closest(key, count) == sorted(peers, key=lambda peer: distance(key, peer))[:count]


@given(numbers)
def test_closest_to_a_member_begins_with_it(members: list[int]) -> None:
    table = table_of([peer_id(number) for number in members], k=200)
    for number in members[:10]:
        peer = peer_id(number)
        assert table.closest(KadKey.of(peer.raw), 1) == [peer]


@given(numbers, st.integers(1, 8))
def test_no_bucket_outgrows_k(members: list[int], k: int) -> None:
    table = table_of([peer_id(number) for number in members], k=k)
    assert max(table.counts()) <= k
    assert len(list(table)) == len(table)
    assert len(table.closest(KadKey.of(b"x"), 1000)) == len(table)


def test_touching_marks_the_bucket_of_the_key() -> None:
    table = RoutingTable(LOCAL)
    key = KadKey(table.local_key.value ^ 1 << 250)
    assert table.touched_at(5) is None
    table.touch(key, 12.0)
    assert table.touched_at(5) == 12.0

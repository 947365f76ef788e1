"""Which buckets and peers are due."""

from __future__ import annotations

from chiral.kad.key import KadKey
from chiral.kad.refresh import MAX_REFRESH_BITS, due_buckets, silent_peers
from chiral.kad.table import RoutingTable
from tests.fakes.stream_node import peer_id

HOUR_S = 3600.0
LOCAL = peer_id(0)


def in_bucket(table: RoutingTable, index: int) -> KadKey:
    return KadKey(table.local_key.value ^ 1 << (255 - index))


def test_an_empty_table_has_nothing_due() -> None:
    assert due_buckets(RoutingTable(LOCAL), 1e9, HOUR_S) == []


def test_due_are_all_untouched_buckets_to_one_beyond_the_deepest() -> None:
    table = RoutingTable(LOCAL)
    for number in range(1, 60):
        table.seen(peer_id(number), 0.0)
    assert due_buckets(table, HOUR_S, HOUR_S) == list(range(table.deepest + 2))
    for index in (0, 2):
        table.touch(in_bucket(table, index), 100.0)
    due = due_buckets(table, HOUR_S, HOUR_S)
    assert 0 not in due
    assert 2 not in due
    assert 1 in due
    assert 0 in due_buckets(table, HOUR_S + 100.0, HOUR_S)


def test_a_bucket_filled_just_now_is_not_due() -> None:
    table = RoutingTable(LOCAL)
    table.seen(peer_id(1), 50.0)
    index = table.bucket_index(KadKey.of(peer_id(1).raw))
    assert index not in due_buckets(table, 50.0 + HOUR_S - 1, HOUR_S)
    assert index in due_buckets(table, 50.0 + HOUR_S, HOUR_S)


def test_buckets_too_deep_to_find_keys_for_are_left_to_the_self_lookup() -> None:
    table = RoutingTable(LOCAL)
    number = next(n for n in range(1, 10_000) if table.bucket_index(KadKey.of(peer_id(n).raw)) >= 10)
    table.seen(peer_id(number), 0.0)
    assert max(due_buckets(table, HOUR_S, HOUR_S)) <= MAX_REFRESH_BITS


def test_silent_peers_come_longest_silent_first() -> None:
    table = RoutingTable(LOCAL)
    for number in (3, 1, 2, 4):
        table.seen(peer_id(number), float(number))
    assert silent_peers(table, HOUR_S + 3.0, HOUR_S, 2) == [peer_id(1), peer_id(2)]
    assert silent_peers(table, HOUR_S + 3.0, HOUR_S, 9) == [peer_id(1), peer_id(2), peer_id(3)]
    assert silent_peers(table, 10.0, HOUR_S, 9) == []

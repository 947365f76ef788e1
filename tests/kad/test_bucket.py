"""One bucket: least-recently-seen order, ping before eviction, spares."""

from __future__ import annotations

from chiral.interface.peer import PeerId
from chiral.kad.bucket import Admit, Bucket, Full, PingFirst
from chiral.kad.key import KadKey
from tests.fakes.stream_node import peer_id

TRUST_S = 60.0


def seen(bucket: Bucket, number: int, now: float) -> Admit | PingFirst | Full:
    peer = peer_id(number)
    return bucket.seen(peer, KadKey.of(peer.raw), now, trust_s=TRUST_S)


def drop(bucket: Bucket, number: int, now: float) -> PeerId | None:
    """Take out a live peer, and let a spare up in its place."""
    if bucket.drop(peer_id(number)) is None:
        return None
    moved = bucket.promote(now, lambda _: True)
    return None if moved is None else moved.peer


def order(bucket: Bucket) -> list[int]:
    numbers = {peer_id(number): number for number in range(100)}
    return [numbers[entry.peer] for entry in bucket.entries]


def filled(size: int, spares: int = 3) -> Bucket:
    bucket = Bucket(size, spares)
    for number in range(size):
        assert seen(bucket, number, float(number)) == Admit(peer_id(number), new=True)
    return bucket


def test_least_recently_seen_stands_first() -> None:
    bucket = filled(4)
    assert order(bucket) == [0, 1, 2, 3]
    assert seen(bucket, 1, 10.0) == Admit(peer_id(1), new=False)
    assert order(bucket) == [0, 2, 3, 1]
    assert [entry.seen_at for entry in bucket.entries] == [0.0, 2.0, 3.0, 10.0]
    assert [entry.added_at for entry in bucket.entries] == [0.0, 2.0, 3.0, 1.0]


def test_full_bucket_asks_to_ping_the_oldest() -> None:
    bucket = filled(3)
    assert seen(bucket, 7, 100.0) == PingFirst(peer_id(0), peer_id(7))
    assert order(bucket) == [0, 1, 2]


def test_only_one_ping_at_a_time() -> None:
    bucket = filled(3)
    seen(bucket, 7, 100.0)
    assert seen(bucket, 8, 101.0) == Full(peer_id(8))


def test_a_ping_nobody_reports_on_does_not_close_the_bucket() -> None:
    bucket = filled(3)
    seen(bucket, 7, 100.0)
    assert seen(bucket, 8, 100.0 + TRUST_S) == PingFirst(peer_id(0), peer_id(8))


def test_a_peer_seen_lately_is_not_pinged() -> None:
    bucket = filled(3)
    assert seen(bucket, 7, TRUST_S - 1) == Full(peer_id(7))
    assert seen(bucket, 7, TRUST_S) == PingFirst(peer_id(0), peer_id(7))


def test_the_oldest_that_answers_stays_and_the_next_is_asked_later() -> None:
    bucket = filled(3)
    seen(bucket, 7, 100.0)
    seen(bucket, 0, 101.0)
    assert order(bucket) == [1, 2, 0]
    assert bucket.spares == [peer_id(7)]
    assert seen(bucket, 8, 102.0) == PingFirst(peer_id(1), peer_id(8))


def test_the_oldest_that_is_silent_goes_and_the_last_spare_moves_up() -> None:
    bucket = filled(3)
    seen(bucket, 7, 100.0)
    seen(bucket, 8, 101.0)
    assert drop(bucket, 0, 102.0) == peer_id(8)
    assert order(bucket) == [1, 2, 8]
    assert bucket.spares == [peer_id(7)]
    assert bucket.entries[-1].seen_at == 101.0


def test_a_promoted_spare_takes_its_place_in_the_order() -> None:
    bucket = filled(3)
    seen(bucket, 7, 100.0)
    for number in (0, 1, 2):
        seen(bucket, number, 110.0 + number)
    assert drop(bucket, 0, 120.0) == peer_id(7)
    assert order(bucket) == [7, 1, 2]


def test_spares_are_bounded_and_the_newest_kept() -> None:
    bucket = filled(2, spares=2)
    for number in (5, 6, 7, 6):
        seen(bucket, number, 50.0)
    assert bucket.spares == [peer_id(7), peer_id(6)]


def test_dropping_a_spare_or_a_stranger_leaves_the_live() -> None:
    bucket = filled(2)
    seen(bucket, 5, 50.0)
    assert drop(bucket, 5, 51.0) is None
    assert drop(bucket, 9, 51.0) is None
    assert order(bucket) == [0, 1]
    assert bucket.spares == []


def test_a_spare_is_admitted_when_there_is_room() -> None:
    bucket = filled(2)
    seen(bucket, 5, 50.0)
    drop(bucket, 0, 51.0)
    drop(bucket, 1, 51.0)
    assert order(bucket) == [5]
    assert seen(bucket, 0, 52.0) == Admit(peer_id(0), new=True)
    assert len(bucket) == 2
    assert peer_id(5) in bucket


def spare_of(bucket: Bucket, number: int, now: float, group: bytes) -> None:
    peer = peer_id(number)
    bucket.seen(peer, KadKey.of(peer.raw), now, trust_s=TRUST_S, groups=frozenset({group}))


def test_one_network_cannot_crowd_the_others_out_of_the_spares() -> None:
    bucket = Bucket(2, 5, per_group=2)
    for number in (0, 1):
        seen(bucket, number, 0.0)
    spare_of(bucket, 9, 1.0, b"other")
    for number in range(10, 30):
        spare_of(bucket, number, float(number), b"many")
    assert bucket.spares == [peer_id(9), peer_id(28), peer_id(29)]
    spare_of(bucket, 28, 31.0, b"many")
    assert bucket.spares == [peer_id(9), peer_id(29), peer_id(28)]


def test_only_a_spare_that_fits_moves_up_and_only_into_a_free_place() -> None:
    bucket = filled(2)
    for number in (5, 6, 7):
        seen(bucket, number, 50.0)
    assert bucket.promote(51.0, lambda _: True) is None
    bucket.drop(peer_id(0))
    assert bucket.promote(51.0, lambda _: False) is None
    moved = bucket.promote(51.0, lambda spare: spare.peer == peer_id(6))
    assert moved is not None
    assert moved.peer == peer_id(6)
    assert bucket.spares == [peer_id(5), peer_id(7)]
    entry = bucket.entry(peer_id(6))
    assert entry is not None
    assert (entry.added_at, entry.seen_at) == (51.0, 50.0)


def test_bucket_eviction_order() -> None:
    """Seed 003: the least recently seen goes first, and only once it was asked and did not answer."""
    bucket = filled(4, spares=4)
    for number in (0, 2):
        seen(bucket, number, 10.0 + number)
    left = []
    for newcomer in range(10, 14):
        now = 100.0 * newcomer
        outcome = seen(bucket, newcomer, now)
        assert isinstance(outcome, PingFirst)
        left.append(outcome.oldest)
        bucket.drop(outcome.oldest)
        bucket.promote(now, lambda _: True)
    assert left == [peer_id(1), peer_id(3), peer_id(0), peer_id(2)]
    assert order(bucket) == [10, 11, 12, 13]

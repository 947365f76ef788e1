"""Buckets by key: each its own, a bounded number of them."""

from __future__ import annotations

from chiral.limiter.keyed_buckets import KeyedBuckets


def test_each_key_has_its_own() -> None:
    buckets: KeyedBuckets[str] = KeyedBuckets(rate=1.0, burst=2.0, limit=10)
    assert buckets.of("a", 0.0).take(2, 0.0)
    assert not buckets.of("a", 0.0).take(1, 0.0)
    assert buckets.of("b", 0.0).take(2, 0.0)
    assert buckets.of("a", 1.0).take(1, 1.0)


def test_the_one_unused_for_longest_is_forgotten() -> None:
    buckets: KeyedBuckets[int] = KeyedBuckets(rate=1.0, burst=1.0, limit=3)
    for key in (1, 2, 3):
        assert buckets.of(key, 0.0).take(1, 0.0)
    buckets.of(1, 0.0)
    assert buckets.of(4, 0.0).take(1, 0.0)
    assert len(buckets) == 3
    assert not buckets.of(1, 0.0).take(1, 0.0)
    assert buckets.of(2, 0.0).take(1, 0.0)


def test_the_rate_of_all_changes_at_once() -> None:
    buckets: KeyedBuckets[str] = KeyedBuckets(rate=1.0, burst=1.0, limit=3)
    buckets.of("old", 0.0).take(1, 0.0)
    buckets.set_rate(10.0, 0.0, burst=4.0)
    assert buckets.of("old", 0.1).take(1, 0.1)
    assert buckets.of("new", 0.1).take(4, 0.1)
    buckets.set_rate(20.0, 0.1)
    assert not buckets.of("new", 0.1).take(2, 0.1)
    assert buckets.of("new", 0.2).take(2, 0.2)

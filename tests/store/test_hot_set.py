from __future__ import annotations

from chiral.store.hot_set import HotSet

KIB = 1024


def test_the_least_lately_used_leave() -> None:
    hot = HotSet(100 * KIB)
    hot.touch(b"a", 40 * KIB)
    hot.touch(b"b", 40 * KIB)
    hot.touch(b"a", 40 * KIB)
    hot.touch(b"c", 40 * KIB)
    assert b"a" in hot
    assert b"b" not in hot
    assert b"c" in hot


def test_small_blocks_are_bounded_in_number() -> None:
    hot = HotSet(160 * KIB)
    for number in range(1000):
        hot.touch(b"%d" % number, 1)
    assert [number for number in range(1000) if b"%d" % number in hot] == list(range(990, 1000))


def test_what_is_discarded_makes_room() -> None:
    hot = HotSet(64 * KIB)
    hot.touch(b"a", 32 * KIB)
    hot.touch(b"b", 32 * KIB)
    hot.discard(b"a")
    hot.discard(b"never there")
    hot.touch(b"c", 32 * KIB)
    assert b"a" not in hot
    assert b"b" in hot
    assert b"c" in hot


def test_without_capacity_nothing_is_hot() -> None:
    hot = HotSet(0)
    hot.touch(b"a", 1)
    assert b"a" not in hot


def test_larger_than_all() -> None:
    hot = HotSet(64 * KIB)
    hot.touch(b"a", 1)
    hot.touch(b"huge", 1000 * KIB)
    assert b"huge" not in hot
    hot.touch(b"b", 1)
    assert b"b" in hot

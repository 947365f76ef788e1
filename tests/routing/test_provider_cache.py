"""What searches found lately: for how long, how much of it, and what leaves first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chiral.interface.peer import PeerInfo
from chiral.interface.providers import FoundProvider
from chiral.routing.provider_cache import PER_KEY, ProviderCache
from tests.fakes.link import address
from tests.fakes.stream_node import peer_id


def found(key: bytes, number: int, port: int = 4001) -> FoundProvider:
    return FoundProvider(PeerInfo(peer_id(number), (address(number, port),)), key, distance=number)


def test_the_last_put_comes_first_and_each_provider_once() -> None:
    cache = ProviderCache(ttl_s=60.0, limit=100)
    for number, port in ((1, 1), (2, 1), (1, 2)):
        cache.put(found(b"a", number, port), 0.0)
    assert cache.get(b"a", 1.0) == [found(b"a", 1, 2), found(b"a", 2, 1)]
    assert cache.get(b"b", 1.0) == []
    assert len(cache) == 2


def test_each_has_its_own_time() -> None:
    cache = ProviderCache(ttl_s=60.0, limit=100)
    cache.put(found(b"a", 1), 0.0)
    cache.put(found(b"a", 2), 30.0)
    assert cache.get(b"a", 59.9) == [found(b"a", 2), found(b"a", 1)]
    assert cache.get(b"a", 60.0) == [found(b"a", 2)]
    assert len(cache) == 1
    assert cache.get(b"a", 90.0) == []
    assert len(cache) == 0


def test_over_the_limit_of_a_key_the_oldest_leaves() -> None:
    cache = ProviderCache(ttl_s=60.0, limit=1000)
    for number in range(PER_KEY + 2):
        cache.put(found(b"a", number), 0.0)
    assert [hit.distance for hit in cache.get(b"a", 0.0)] == list(range(PER_KEY + 1, 1, -1))


def test_over_the_limit_in_all_the_key_unused_for_longest_leaves() -> None:
    cache = ProviderCache(ttl_s=60.0, limit=4)
    for key, number in ((b"a", 1), (b"a", 2), (b"b", 1), (b"c", 1)):
        cache.put(found(key, number), 0.0)
    cache.get(b"a", 0.0)
    cache.put(found(b"d", 1), 0.0)
    assert [len(cache.get(key, 0.0)) for key in (b"a", b"b", b"c", b"d")] == [2, 0, 1, 1]
    for number in range(2, 8):
        cache.put(found(b"d", number), 0.0)
    assert [hit.distance for hit in cache.get(b"d", 0.0)] == [7, 6, 5, 4]
    assert len(cache) == 4


def test_a_limit_of_none_remembers_nothing() -> None:
    cache = ProviderCache(ttl_s=60.0, limit=0)
    cache.put(found(b"a", 1), 0.0)
    assert cache.get(b"a", 0.0) == []


STEPS = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.integers(0, 40), st.floats(0, 40), st.booleans()), max_size=80
)


@given(STEPS, st.integers(0, 12))
def test_it_stays_within_its_bounds_and_tells_nothing_stale(
    steps: list[tuple[bytes, int, float, bool]], limit: int
) -> None:
    cache, now = ProviderCache(ttl_s=60.0, limit=limit), 0.0
    put_at: dict[tuple[bytes, int], float] = {}
    for key, number, pause_s, asks in steps:
        now += pause_s
        if asks:
            assert all(now - put_at[key, hit.distance] < 60.0 for hit in cache.get(key, now))
        else:
            cache.put(found(key, number), now)
            put_at[key, number] = now
        assert len(cache) <= limit
    assert sum(len(cache.get(key, now)) for key in (b"a", b"b", b"c")) == len(cache)

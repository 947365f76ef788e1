"""Points, distances and prefixes: known vectors, and what a metric promises."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from chiral.kad.key import KadKey, raw_key_sharing_prefix

keys = st.integers(0, 2**256 - 1).map(KadKey)


def test_point_is_the_sha256_of_the_raw_key() -> None:
    # FIPS 180-4's example for "abc".
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert KadKey.of(b"abc").digest.hex() == digest
    assert KadKey.of(b"abc").value == int(digest, 16)


def test_known_xor_distances() -> None:
    a, b = KadKey(0b1010 << 252), KadKey(0b0110 << 252)
    assert a.distance(b) == 0b1100 << 252
    assert a.common_prefix_length(b) == 0
    assert KadKey(0).distance(KadKey(1)) == 1
    assert KadKey(0).common_prefix_length(KadKey(1)) == 255
    assert KadKey(0).common_prefix_length(KadKey(1 << 255)) == 0
    assert KadKey(5).distance(KadKey(5)) == 0
    assert KadKey(5).common_prefix_length(KadKey(5)) == 256


def test_distance_of_hashed_keys() -> None:
    expected = int.from_bytes(sha256(b"a").digest(), "big") ^ int.from_bytes(sha256(b"b").digest(), "big")
    assert KadKey.of(b"a").distance(KadKey.of(b"b")) == expected


@given(keys, keys, keys)
def test_xor_is_a_metric(a: KadKey, b: KadKey, c: KadKey) -> None:
    assert a.distance(b) == b.distance(a)
    assert (a.distance(b) == 0) == (a == b)
    assert a.distance(c) <= a.distance(b) + b.distance(c)
    assert a.distance(b) ^ b.distance(c) == a.distance(c)


@given(keys, st.integers(0, 255))
def test_prefix_length_is_the_first_bit_that_differs(key: KadKey, bit: int) -> None:
    assert key.common_prefix_length(KadKey(key.value ^ 1 << (255 - bit))) == bit


def test_raw_key_for_a_bucket_shares_exactly_its_prefix() -> None:
    local = KadKey.of(b"local")
    for bits in range(8):
        raw = raw_key_sharing_prefix(local, bits, start=1000, tries=10_000)
        assert raw is not None
        assert local.common_prefix_length(KadKey.of(raw)) == bits
        assert len(raw) == 34


def test_raw_key_search_gives_up_after_its_tries() -> None:
    assert raw_key_sharing_prefix(KadKey.of(b"local"), 200, start=0, tries=50) is None


def test_raw_key_search_goes_on_where_it_stopped() -> None:
    local = KadKey.of(b"local")
    whole = raw_key_sharing_prefix(local, 6, start=0, tries=2000)
    parts = next(filter(None, (raw_key_sharing_prefix(local, 6, start, 10) for start in range(0, 2000, 10))))
    assert whole == parts

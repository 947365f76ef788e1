"""The compact set says what a set says, in little memory."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from chiral.pinning.digest_set import DigestSet


def multihash(number: int) -> bytes:
    return b"\x12\x20" + hashlib.sha256(number.to_bytes(8, "big")).digest()


@given(st.lists(st.integers(0, 300)), st.lists(st.integers(0, 300)))
def test_as_a_set(added: list[int], asked: list[int]) -> None:
    digests, known = DigestSet(), set[int]()
    for number in added:
        assert digests.add(multihash(number)) == (number not in known)
        known.add(number)
    assert len(digests) == len(known)
    assert [multihash(number) in digests for number in asked] == [number in known for number in asked]


def test_many_stay_small() -> None:
    digests = DigestSet()
    digests.update(multihash(number) for number in range(50_000))
    assert len(digests) == 50_000
    assert all(multihash(number) in digests for number in range(50_000))
    assert not any(multihash(number) in digests for number in range(50_000, 60_000))
    assert 12 * 50_000 <= digests.size_bytes <= 24 * 50_000


def test_names_that_end_in_zeros_or_are_short() -> None:
    digests = DigestSet()
    for name in (b"\x12\x20" + bytes(32), b"\x00\x01a", b"\x00\x00"):
        assert digests.add(name) or name == b"\x00\x00"
        assert name in digests


def test_names_that_fall_into_one_place() -> None:
    digests = DigestSet()
    names = [bytes(2) + number.to_bytes(6, "big") + bytes(2) for number in range(2000)]
    same_shard = [b"\x07" + bytes(3) + number.to_bytes(4, "big") for number in range(2000)]
    for name in [*names, *same_shard]:
        assert digests.add(name)
    assert all(name in digests for name in [*names, *same_shard])

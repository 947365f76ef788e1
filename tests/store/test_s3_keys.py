from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID
from chiral.block.varint import encode_varint
from chiral.store.s3_keys import KeySpace

KEYS = KeySpace("chiral/")
MULTIHASHES = st.builds(
    lambda code, digest: encode_varint(code) + encode_varint(len(digest)) + digest,
    st.sampled_from([0, 0x12, 0x13, 0xB220]),
    st.binary(max_size=128),
)


def test_the_key_of_a_block() -> None:
    cid = CID.of(b"hello world")
    digest = cid.digest.hex()
    assert KEYS.of(cid.multihash) == f"chiral/blocks/1220{digest[:2]}/{digest[2:]}"
    assert KEYS.mark_of(cid.multihash, 0x70) == f"chiral/blocks/1220{digest[:2]}/{digest[2:]}.70"


@given(MULTIHASHES, st.one_of(st.none(), st.integers(0, 1 << 30)))
def test_a_key_is_read_as_it_was_written(multihash: bytes, codec: int | None) -> None:
    key = KEYS.of(multihash) if codec is None else KEYS.mark_of(multihash, codec)
    assert KEYS.read(key) == (multihash, codec)
    assert len(key.encode()) < 1024
    assert all(len(name) <= 255 for name in key.split("/"))


@given(st.lists(st.tuples(MULTIHASHES, st.one_of(st.none(), st.integers(0, 300))), unique=True))
def test_keys_sort_as_multihashes_and_marks_behind_their_block(names: list[tuple[bytes, int | None]]) -> None:
    keys = sorted(KEYS.of(key) if codec is None else KEYS.mark_of(key, codec) for key, codec in names)
    read = [KEYS.read(key) for key in keys]
    order = [(name[0], name[1] is not None) for name in read if name]
    assert len(order) == len(names)
    assert order == sorted(order)


@pytest.mark.parametrize(
    "key",
    [
        "chiral/chiral-store",
        "chiral/blocks/",
        "chiral/blocks/readme.txt",
        "chiral/blocks/1220AB/CD",
        "chiral/blocks/1220/abcd",
        "chiral/blocks/1220ab/cd.",
        "chiral/blocks/1220ab/cd.70.71",
        "chiral/blocks/1220ab/cd.070",
        "chiral/blocks/1220ab/cd.-1",
        "chiral/blocks/1220ab/ cd",
        "other/blocks/1220ab/cd",
    ],
)
def test_other_keys_are_passed_over(key: str) -> None:
    assert KEYS.read(key) is None

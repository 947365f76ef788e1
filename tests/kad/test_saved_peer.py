"""Saved peers in bytes: what is written is read, and what is not is refused by name."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.errors import StoreError
from chiral.kad.saved_peer import SavedPeer, decode_saved, key_of, key_prefix
from tests.fakes.link import address
from tests.fakes.stream_node import peer_id

KAD = "/ipfs/kad/1.0.0"
PEER = peer_id(1)
SAVED = SavedPeer(PEER, (address(1), address(2)), 1_700_000_000)


def test_a_record_byte_for_byte() -> None:
    assert key_of(KAD, PEER) == b"/ipfs/kad/1.0.0\0" + PEER.raw
    assert SAVED.encode() == bytes.fromhex("01 000000006553f100 08") + address(1) + b"\x08" + address(2)
    assert SavedPeer(PEER, (), 0).encode() == bytes.fromhex("01 0000000000000000")


@given(st.lists(st.integers(0, (1 << 24) - 1), max_size=16, unique=True), st.integers(0, (1 << 64) - 1))
def test_what_is_written_is_read(hosts: list[int], seen_at: int) -> None:
    saved = SavedPeer(PEER, tuple(address(host) for host in hosts), seen_at)
    assert decode_saved(KAD, key_of(KAD, PEER), saved.encode()) == saved


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (key_prefix(KAD), SAVED.encode(), "key is damaged"),
        (key_prefix(KAD) + b"junk", SAVED.encode(), "key is damaged"),
        (key_of(KAD, PEER), b"", "cut short"),
        (key_of(KAD, PEER), SAVED.encode()[:8], "cut short"),
        (key_of(KAD, PEER), SAVED.encode()[:-1], "damaged"),
        (key_of(KAD, PEER), b"\x02" + SAVED.encode()[1:], "version 2"),
        (key_of(KAD, PEER), b'{"peer": "json"}', "version 123"),
        (key_of(KAD, PEER), SAVED.encode() + b"\xff" * 12, "damaged"),
    ],
)
def test_what_nobody_wrote_is_refused(key: bytes, value: bytes, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        decode_saved(KAD, key, value)


def test_useless_addresses_are_left_out() -> None:
    mixed = SavedPeer(PEER, (b"\xffnonsense", address(1), address(1), b"x" * 300), 5)
    assert decode_saved(KAD, key_of(KAD, PEER), mixed.encode()) == SavedPeer(PEER, (address(1),), 5)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_no_bytes_are_too_strange(key: bytes, value: bytes) -> None:
    with suppress(StoreError):
        assert len(decode_saved(KAD, key_prefix(KAD) + key, value).addrs) <= len(value)

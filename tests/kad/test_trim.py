"""Trimming: what every peer takes, losing the least useful first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.errors import LimitExceededError
from chiral.kad.messages import Message, MessageType, PeerEntry, Record, encode_message
from chiral.kad.trim import trim


def peers(count: int, addrs: int, size: int = 20) -> tuple[PeerEntry, ...]:
    return tuple(PeerEntry(bytes([n % 256, n // 256]) * 17, (bytes(size),) * addrs) for n in range(count))


def message(closer: tuple[PeerEntry, ...] = (), providers: tuple[PeerEntry, ...] = ()) -> Message:
    return Message(MessageType.GET_PROVIDERS, b"key", closer=closer, providers=providers)


def test_what_fits_is_left_alone() -> None:
    small = message(peers(20, 3), peers(20, 3))
    assert trim(small) is small


def test_the_farthest_closer_peers_go_first() -> None:
    full = message(peers(40, 16, 30), peers(5, 16, 30))
    cut = trim(full)
    assert len(encode_message(cut)) <= 16_384
    assert cut.providers == full.providers
    assert cut.closer == full.closer[: len(cut.closer)]
    assert 4 < len(cut.closer) < 40
    one_more = replace(cut, closer=full.closer[: len(cut.closer) + 1])
    assert len(encode_message(one_more)) > 16_384


def test_then_addresses_then_the_last_providers() -> None:
    full = message(peers(20, 16, 60), peers(300, 16, 60))
    cut = trim(full)
    assert len(encode_message(cut)) <= 16_384
    assert len(cut.closer) == 4
    assert all(len(peer.addrs) == 4 for peer in (*cut.closer, *cut.providers))
    assert [peer.id for peer in cut.providers] == [peer.id for peer in full.providers[: len(cut.providers)]]
    assert len(cut.providers) > 20


def test_a_record_that_fits_alone_goes_without_peers() -> None:
    full = Message(MessageType.GET_VALUE, b"k", Record(b"k", bytes(16_300)), closer=peers(20, 2))
    cut = trim(full)
    assert cut.record == full.record
    assert len(cut.closer) < 4
    assert len(encode_message(cut)) <= 16_384


def test_a_record_that_does_not_fit_is_refused() -> None:
    with pytest.raises(LimitExceededError, match="16384"):
        trim(Message(MessageType.PUT_VALUE, b"k", Record(b"k", bytes(16_384))))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 16), st.integers(1, 100), st.integers(200, 5000))
def test_always_fits_and_only_leaves_out(closer: int, providers: int, addrs: int, size: int, limit: int) -> None:
    full = message(peers(closer, addrs, size), peers(providers, addrs, size))
    cut = trim(full, limit)
    assert len(encode_message(cut)) <= limit
    for ours, theirs in ((cut.closer, full.closer), (cut.providers, full.providers)):
        for kept, whole in zip(ours, theirs, strict=False):
            assert kept.id == whole.id
            assert kept.addrs == whole.addrs[: len(kept.addrs)]

"""What may be believed of addresses, by where the teller is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiaddr import Multiaddr

from chiral.kad.hearsay import credible, credible_answer
from chiral.kad.messages import Message, MessageType, PeerEntry
from tests.fakes.stream_node import peer_id


def binary(text: str) -> bytes:
    return bytes(Multiaddr(text).to_bytes())


PUBLIC = binary("/ip4/93.184.216.34/tcp/4001")
LOCAL = tuple(
    binary(text)
    for text in (
        "/ip4/127.0.0.1/tcp/8080",
        "/ip4/127.9.9.9/tcp/8080",
        "/ip4/169.254.169.254/tcp/80",
        "/ip6/::1/tcp/8080",
        "/ip6/fe80::1/tcp/8080",
        "/ip6/::ffff:127.0.0.1/tcp/8080",
    )
)
ELSEWHERE = tuple(
    binary(text)
    for text in ("/ip4/10.0.0.1/tcp/1", "/ip4/1.2.3.4/tcp/1", "/dns4/a.example/tcp/1", "/ip6/2a00::1/tcp/1")
)


@pytest.mark.parametrize(
    "teller", [PUBLIC, binary("/ip6/2a00:1450::1/tcp/4001"), binary("/ip4/93.184.216.34/udp/1/quic")]
)
def test_a_public_peer_tells_nothing_of_loopbacks_and_links(teller: bytes) -> None:
    assert credible([*LOCAL, *ELSEWHERE], teller) == ELSEWHERE


@pytest.mark.parametrize(
    "teller", [None, LOCAL[0], LOCAL[3], binary("/ip4/192.168.1.7/tcp/1"), binary("/dns4/a.example/tcp/1"), b"\x04\x01"]
)
def test_a_peer_near_by_may_tell_of_them(teller: bytes | None) -> None:
    assert credible([*LOCAL, *ELSEWHERE], teller) == (*LOCAL, *ELSEWHERE)


def test_both_lists_of_an_answer_are_held_to_it_and_no_peer_is_lost() -> None:
    entries = PeerEntry(peer_id(1).raw, (LOCAL[0], PUBLIC)), PeerEntry(peer_id(2).raw, LOCAL)
    kept = PeerEntry(peer_id(1).raw, (PUBLIC,)), PeerEntry(peer_id(2).raw)
    answer = Message(MessageType.GET_PROVIDERS, b"key", closer=entries, providers=entries[1:])
    assert credible_answer(answer, PUBLIC) == replace(answer, closer=kept, providers=kept[1:])
    assert credible_answer(answer, LOCAL[0]) is answer


@given(st.lists(st.binary(max_size=40), max_size=8), st.none() | st.binary(max_size=40))
def test_any_bytes_pass_or_are_left_out(addrs: list[bytes], teller: bytes | None) -> None:
    assert set(credible(addrs, teller)) <= set(addrs)

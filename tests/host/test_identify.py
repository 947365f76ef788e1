"""Identify's messages: what is told, what is taken of what a peer tells, what is made of nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.peer.envelope import consume_envelope

from chiral.block.varint import decode_varint, encode_varint
from chiral.errors import ProtocolError
from chiral.host.acquaintances import MAX_PEERS, Acquaintances
from chiral.host.addresses import parse_address
from chiral.host.identify import Identifier, Identity, decode
from chiral.host.identity import new_identity, peer_id_of
from chiral.interface.peer import PeerId

KEY = new_identity(b"\x01" * 32)
PEER = peer_id_of(KEY)
ADDRS = [parse_address("/ip4/192.0.2.1/tcp/4101"), parse_address("/ip6/2001:db8::1/tcp/4101")]
SEEN = parse_address("/ip4/203.0.113.9/tcp/50000")


def identifier(addrs: list[bytes] = ADDRS) -> Identifier:
    return Identifier(KEY, "test/1", lambda: addrs, lambda: ["/b/1", "/a/1"])


def told(**fields: object) -> bytes:
    return Identify(**fields).SerializeToString()


def prefixed(message: bytes) -> bytes:
    return encode_varint(len(message)) + message


def test_what_a_host_tells_is_what_its_peer_learns() -> None:
    identity = decode(identifier().encode(SEEN), PEER)
    assert identity == Identity("test/1", frozenset({"/a/1", "/b/1"}), tuple(ADDRS), SEEN)


def test_the_signed_record_is_verified_by_others_and_sealed_once_for_the_same_addresses() -> None:
    addrs = list(ADDRS)
    speaker = identifier(addrs)

    def record() -> bytes:
        data = speaker.encode(None)
        return bytes(Identify.FromString(data[decode_varint(data)[1] :]).signedPeerRecord)

    first = record()
    _, sealed = consume_envelope(first, "libp2p-peer-record")
    assert sealed.peer_id.to_bytes() == PEER.raw
    assert [bytes(addr.to_bytes()) for addr in sealed.addrs] == addrs
    assert record() == first
    del addrs[0]
    assert record() != first


@pytest.mark.parametrize("wrap", [prefixed, bytes], ids=["with length", "without"])
def test_a_message_is_taken_with_its_length_and_without(wrap: object) -> None:
    assert callable(wrap)
    identity = decode(wrap(told(agent_version="go", protocols=["/a/1"], listen_addrs=ADDRS)), PEER)
    assert identity == Identity("go", frozenset({"/a/1"}), tuple(ADDRS), None)


def test_several_messages_are_one_identity() -> None:
    """go-libp2p sends the signed record in a message of its own where it is long."""
    data = prefixed(told(agent_version="go", protocols=["/a/1"])) + prefixed(told(signedPeerRecord=b"x" * 300))
    assert decode(data, PEER) == Identity("go", frozenset({"/a/1"}), (), None)


def test_names_that_are_not_utf8_or_too_long_are_left_out_alone() -> None:
    data = b"\x1a\x03/\xff\xfe" + b"\x32\x02\xff\xfe" + told(protocols=["/a/1", "/" + "x" * 300])
    assert decode(data, PEER) == Identity("", frozenset({"/a/1"}), (), None)


def test_lists_without_end_are_cut() -> None:
    data = told(protocols=[f"/{number}" for number in range(1000)], listen_addrs=ADDRS[:1] * 1000)
    identity = decode(data, PEER)
    assert (len(identity.protocols), len(identity.addrs)) == (256, 64)


def test_somebody_elses_key_is_a_fault() -> None:
    with pytest.raises(ProtocolError, match="somebody else's key"):
        decode(told(public_key=new_identity(b"\x02" * 32).public_key.serialize()), PEER)
    with pytest.raises(ProtocolError, match="malformed key"):
        decode(told(public_key=b"\x08\x01"), PEER)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_identity_or_a_fault(data: bytes) -> None:
    try:
        identity = decode(data, PEER)
    except ProtocolError:
        return
    assert all(isinstance(name, str) for name in identity.protocols)


# -- What is remembered

ONE = Identity("one", frozenset({"/a/1", "/b/1"}), tuple(ADDRS), SEEN)


def test_nothing_is_known_of_a_stranger() -> None:
    assert Acquaintances().of(PEER) == Identity("", frozenset(), (), None)


def test_news_change_only_what_they_tell() -> None:
    known = Acquaintances()
    known.learn(PEER, ONE)
    known.update(PEER, Identity("", frozenset({"/c/1"}), (), None))
    assert known.of(PEER) == Identity("one", frozenset({"/c/1"}), tuple(ADDRS), SEEN)
    known.learn(PEER, Identity("two", frozenset(), (), None))
    assert known.of(PEER) == Identity("two", frozenset(), (), None)


def test_a_refused_protocol_is_known_no_longer() -> None:
    known = Acquaintances()
    known.refused(PEER, "/a/1")
    known.learn(PEER, ONE)
    known.refused(PEER, "/a/1")
    known.refused(PEER, "/never/1")
    assert known.of(PEER).protocols == {"/b/1"}


def test_the_one_least_recently_heard_of_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_PEERS == 10_000
    monkeypatch.setattr("chiral.host.acquaintances.MAX_PEERS", 2)
    known = Acquaintances()
    peers = [PeerId(bytes([0, 1, number])) for number in range(3)]
    for peer in (peers[0], peers[1], peers[0], peers[2]):
        known.learn(peer, ONE)
    assert [bool(known.of(peer).agent) for peer in peers] == [True, False, True]

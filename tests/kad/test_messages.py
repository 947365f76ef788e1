"""The messages: golden bytes worked out from dht.pb, agreement with another implementation, and hostile input."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.kad_dht.pb import kademlia_pb2 as pb

from chiral.block.protobuf import bytes_field, varint_field, write_varint
from chiral.errors import LimitExceededError, ProtocolError, RemoteError
from chiral.kad.messages import (
    MAX_ADDRS_OF_PEER,
    MAX_PEERS_IN_LIST,
    MAX_READ_BYTES,
    Connectedness,
    Message,
    MessageType,
    PeerEntry,
    Record,
    decode_message,
    decode_peer,
    decode_record,
    encode_message,
    encode_record,
)

GOLDEN = [
    # Field 1 (type), varint 5.
    (Message(MessageType.PING), "0805"),
    # Field 2 (key), three bytes.
    (Message(MessageType.FIND_NODE, b"abc"), "0804" + "1203616263"),
    (Message(MessageType.GET_PROVIDERS, b"\x12\x20"), "0803" + "12021220"),
    # Field 9 (providerPeers): a Peer of id "p" (1), address "a" (2), CONNECTED (3).
    (
        Message(MessageType.ADD_PROVIDER, b"k", providers=(PeerEntry(b"p", (b"a",), Connectedness.CONNECTED),)),
        "0802" + "12016b" + "4a08" + "0a0170" + "120161" + "1801",
    ),
    # Field 8 (closerPeers), twice; NOT_CONNECTED is zero and stays unwritten.
    (
        Message(MessageType.FIND_NODE, b"k", closer=(PeerEntry(b"p"), PeerEntry(b"q", (b"a", b"b")))),
        "0804" + "12016b" + "4203" + "0a0170" + "4209" + "0a0171" + "120161" + "120162",
    ),
    # Field 3 (record): key 1, value 2, timeReceived 5.
    (
        Message(MessageType.PUT_VALUE, b"k", Record(b"k", b"v", "t")),
        "0800" + "12016b" + "1a09" + "0a016b" + "120176" + "2a0174",
    ),
    # Rust's additions to the record: publisher, field 666 (tag 5330), and ttl, field 777 (tag 6216).
    (
        Message(MessageType.GET_VALUE, b"k", Record(b"k", b"v", publisher=b"p", ttl_s=300)),
        "0801" + "12016b" + "1a0e" + "0a016b" + "120176" + "d2290170" + "c830ac02",
    ),
    # Field 10 (clusterLevelRaw).
    (Message(MessageType.GET_VALUE, b"k", cluster_level=10), "0801" + "12016b" + "500a"),
    (Message(MessageType.GET_VALUE, cluster_level=-1), "0801" + "50" + "ff" * 9 + "01"),
]


@pytest.mark.parametrize(("message", "wire"), GOLDEN)
def test_golden_bytes(message: Message, wire: str) -> None:
    assert encode_message(message).hex() == wire
    assert decode_message(bytes.fromhex(wire)) == message


raw = st.binary(max_size=40)
peers = st.lists(
    st.builds(PeerEntry, raw, st.lists(raw, max_size=4).map(tuple), st.sampled_from(Connectedness)), max_size=5
).map(tuple)
messages = st.builds(
    Message,
    st.sampled_from(MessageType),
    raw,
    st.none() | st.builds(Record, raw, raw, st.text(max_size=10), raw, st.integers(0, 2**32 - 1)),
    peers,
    peers,
    st.integers(-(2**31), 2**31 - 1),
)


@given(messages)
def test_messages_come_back(message: Message) -> None:
    assert decode_message(encode_message(message)) == message


def as_pb(message: Message) -> pb.Message:
    """The same message by the other implementation's classes."""
    made = pb.Message(type=int(message.type), key=message.key, clusterLevelRaw=message.cluster_level)
    if message.record is not None:
        record = message.record
        made.record.CopyFrom(pb.Record(key=record.key, value=record.value, timeReceived=record.time_received))
    for ours, theirs in ((message.closer, made.closerPeers), (message.providers, made.providerPeers)):
        for peer in ours:
            theirs.append(pb.Message.Peer(id=peer.id, addrs=peer.addrs, connection=int(peer.connection)))
    return made


known_to_both = st.builds(
    Message,
    st.sampled_from(MessageType),
    raw,
    st.none() | st.builds(Record, raw, raw, st.text(max_size=10)),
    peers,
    peers,
    st.integers(-(2**31), 2**31 - 1),
)


@given(known_to_both)
def test_agrees_with_the_other_implementation(message: Message) -> None:
    theirs = as_pb(message)
    written = encode_message(message)
    assert pb.Message.FromString(written) == theirs
    assert decode_message(theirs.SerializeToString()) == message
    # It leaves a type of zero unwritten, as proto3 does; all else is the same to the byte.
    unwritten = b"" if message.type else varint_field(1, 0)
    assert written == unwritten + theirs.SerializeToString(deterministic=True)


def test_an_absent_type_is_put_value() -> None:
    assert decode_message(b"") == Message(MessageType.PUT_VALUE)


def test_unknown_fields_are_passed_over() -> None:
    extra = varint_field(100, 7) + bytes_field(11, b"a signed record") + b"\x65\1\2\3\4" + b"\x69" + bytes(8)
    peer = bytes_field(8, bytes_field(1, b"p") + bytes_field(4, b"signed"))
    found = decode_message(extra + encode_message(Message(MessageType.PING)) + peer + extra)
    assert found == Message(MessageType.PING, closer=(PeerEntry(b"p"),))
    assert decode_record(encode_record(Record(b"k")) + bytes_field(3, b"author") + extra) == Record(b"k")


def test_the_last_of_a_repeated_single_field_counts() -> None:
    wire = encode_message(Message(MessageType.PING, b"a")) + encode_message(Message(MessageType.FIND_NODE, b"b"))
    assert decode_message(wire) == Message(MessageType.FIND_NODE, b"b")


@pytest.mark.parametrize(
    ("wire", "what"),
    [
        (bytes_field(1, b"x"), "type"),
        (varint_field(2, 1), "key"),
        (varint_field(3, 1), "record"),
        (varint_field(8, 1), "peer"),
        (varint_field(9, 1), "peer"),
        (bytes_field(10, b""), "clusterLevelRaw"),
        (bytes_field(3, varint_field(1, 1)), "record key"),
        (bytes_field(3, varint_field(2, 1)), "record value"),
        (bytes_field(3, bytes_field(5, b"\xff")), "timeReceived"),
        (bytes_field(3, bytes_field(777, b"")), "ttl"),
        (bytes_field(3, varint_field(666, 0)), "publisher"),
        (bytes_field(8, varint_field(1, 1)), "peer id"),
        (bytes_field(9, varint_field(2, 1)), "address"),
        (bytes_field(9, bytes_field(3, b"")), "connection"),
        (varint_field(1, 6), "unknown type 6"),
        (write_varint(1 << 3 | 5) + bytes(4), "type"),
    ],
)
def test_wrong_wire_types_are_errors(wire: bytes, what: str) -> None:
    with pytest.raises(ProtocolError, match=what):
        decode_message(wire)


def test_an_unknown_connection_is_none() -> None:
    assert decode_peer(bytes_field(1, b"p") + varint_field(3, 9)) == PeerEntry(b"p")


def test_oversized_messages_are_refused() -> None:
    with pytest.raises(LimitExceededError, match=str(MAX_READ_BYTES)):
        decode_message(bytes(MAX_READ_BYTES + 1))


def test_lists_are_cut_at_their_bounds() -> None:
    many = b"".join(bytes_field(8, bytes_field(1, b"%d" % number)) for number in range(3000))
    found = decode_message(varint_field(1, 4) + many).closer
    assert len(found) == MAX_PEERS_IN_LIST
    assert found[0] == PeerEntry(b"0")
    addrs = b"".join(bytes_field(2, b"a") for _ in range(3000))
    assert len(decode_peer(addrs).addrs) == MAX_ADDRS_OF_PEER


def test_a_hostile_message_costs_little_memory() -> None:
    empty_peers = bytes_field(8, b"") * (MAX_READ_BYTES // 2)
    tracemalloc.start()
    try:
        decode_message(empty_peers)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MAX_READ_BYTES


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_remote_error(data: bytes) -> None:
    try:
        decode_message(data)
    except RemoteError:
        return


@given(messages, st.data())
def test_damaged_messages_are_a_message_or_a_remote_error(message: Message, data: st.DataObject) -> None:
    wire = bytearray(encode_message(message))
    at = data.draw(st.integers(0, len(wire) - 1))
    wire[at] ^= data.draw(st.integers(1, 255))
    try:
        decode_message(bytes(wire[: data.draw(st.integers(0, len(wire)))]))
    except RemoteError:
        return

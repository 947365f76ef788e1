"""The messages of the DHT as values, and their protobuf form.

Source: libp2p kad-dht specification, "RPC messages" (`dht.pb`); `Record.publisher` and `Record.ttl_s` are additions of
the Rust peers. Unknown fields are passed over, a known field of the wrong wire type is an error, a single field that
comes again counts with its last value, and lists are cut at a bound, so that a small message cannot cost much memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from chiral.block.protobuf import Value, as_bytes, as_int, as_text, bytes_field, fields, int32, varint_field
from chiral.errors import LimitExceededError, ProtocolError

MAX_MESSAGE_BYTES = 16_384
"""What may be sent: Rust peers refuse more."""
MAX_READ_BYTES = 65_536
MAX_PEERS_IN_LIST = 512
MAX_ADDRS_OF_PEER = 64


class MessageType(IntEnum):
    """What a message asks for, or answers."""

    PUT_VALUE = 0
    GET_VALUE = 1
    ADD_PROVIDER = 2
    GET_PROVIDERS = 3
    FIND_NODE = 4
    PING = 5


class Connectedness(IntEnum):
    """What the sender of a peer's entry says of its own connection to that peer."""

    NOT_CONNECTED = 0
    CONNECTED = 1
    CAN_CONNECT = 2
    CANNOT_CONNECT = 3


@dataclass(frozen=True, slots=True)
class PeerEntry:
    """A peer in a message, as it came: neither `id` nor the binary multiaddrs `addrs` have been checked."""

    id: bytes
    addrs: tuple[bytes, ...] = ()
    connection: Connectedness = Connectedness.NOT_CONNECTED


@dataclass(frozen=True, slots=True)
class Record:
    """A value in a message. `time_received` is RFC 3339 text; `ttl_s` 0 means that the sender sets no limit."""

    key: bytes = b""
    value: bytes = b""
    time_received: str = ""
    publisher: bytes = b""
    ttl_s: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer. `closer` and `providers` are nearest or newest first."""

    type: MessageType
    key: bytes = b""
    record: Record | None = None
    closer: tuple[PeerEntry, ...] = ()
    providers: tuple[PeerEntry, ...] = ()
    cluster_level: int = 0


def encode_peer(peer: PeerEntry) -> bytes:
    """The protobuf form of a peer's entry, without its tag."""
    parts = [bytes_field(1, peer.id) if peer.id else b""]
    parts += [bytes_field(2, addr) for addr in peer.addrs]
    if peer.connection:
        parts.append(varint_field(3, peer.connection))
    return b"".join(parts)


def encode_record(record: Record) -> bytes:
    """The protobuf form of a record, without its tag."""
    received = record.time_received.encode()
    numbered = ((1, record.key), (2, record.value), (5, received), (666, record.publisher))
    parts = [bytes_field(number, value) for number, value in numbered if value]
    if record.ttl_s:
        parts.append(varint_field(777, record.ttl_s))
    return b"".join(parts)


def encode_message(message: Message) -> bytes:
    """The protobuf form, without the length before it. The type is always written, though readers know 0 unwritten."""
    parts = [varint_field(1, message.type)]
    if message.key:
        parts.append(bytes_field(2, message.key))
    if message.record is not None:
        parts.append(bytes_field(3, encode_record(message.record)))
    parts += [bytes_field(8, encode_peer(peer)) for peer in message.closer]
    parts += [bytes_field(9, encode_peer(peer)) for peer in message.providers]
    if message.cluster_level:
        parts.append(varint_field(10, message.cluster_level))
    return b"".join(parts)


def decode_message(data: bytes) -> Message:
    """The message in `data`, all of which it must be; raises `ProtocolError`, `LimitExceededError`."""
    if len(data) > MAX_READ_BYTES:
        raise LimitExceededError(f"DHT message of {len(data)} bytes is over {MAX_READ_BYTES}")
    kind, key, level = MessageType.PUT_VALUE, b"", 0
    record: Record | None = None
    lists: dict[int, list[PeerEntry]] = {8: [], 9: []}
    for number, value in fields(data):
        if number in lists:
            _append_peer(lists[number], as_bytes(value, "a peer"))
        elif number == 1:
            kind = _message_type(value)
        elif number == 2:
            key = as_bytes(value, "key")
        elif number == 3:
            record = decode_record(as_bytes(value, "record"))
        elif number == 10:
            level = int32(as_int(value, "clusterLevelRaw"))
    return Message(kind, key, record, tuple(lists[8]), tuple(lists[9]), level)


def decode_record(data: bytes) -> Record:
    """The record in `data`; raises `ProtocolError`."""
    key = value = publisher = b""
    time_received, ttl_s = "", 0
    for number, field in fields(data):
        if number == 1:
            key = as_bytes(field, "record key")
        elif number == 2:
            value = as_bytes(field, "record value")
        elif number == 5:
            time_received = as_text(field, "timeReceived")
        elif number == 666:
            publisher = as_bytes(field, "publisher")
        elif number == 777:
            ttl_s = as_int(field, "ttl") & 0xFFFF_FFFF
    return Record(key, value, time_received, publisher, ttl_s)


def decode_peer(data: bytes) -> PeerEntry:
    """The peer's entry in `data`; addresses past the bound are left out. Raises `ProtocolError`."""
    peer_id = b""
    addrs: list[bytes] = []
    connection = Connectedness.NOT_CONNECTED
    for number, value in fields(data):
        if number == 1:
            peer_id = as_bytes(value, "peer id")
        elif number == 2:
            addr = as_bytes(value, "address")
            if len(addrs) < MAX_ADDRS_OF_PEER:
                addrs.append(addr)
        elif number == 3:
            connection = _connectedness(as_int(value, "connection"))
    return PeerEntry(peer_id, tuple(addrs), connection)


def _append_peer(peers: list[PeerEntry], data: bytes) -> None:
    if len(peers) < MAX_PEERS_IN_LIST:
        peers.append(decode_peer(data))


def _connectedness(number: int) -> Connectedness:
    # A value of later days says nothing here, and is no reason to lose the peer's entry.
    return Connectedness(number) if number <= Connectedness.CANNOT_CONNECT else Connectedness.NOT_CONNECTED


def _message_type(value: Value) -> MessageType:
    number = as_int(value, "type")
    try:
        return MessageType(number)
    except ValueError as error:
        raise ProtocolError(f"DHT message of unknown type {number}") from error

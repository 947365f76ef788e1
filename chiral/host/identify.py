"""The identify protocols: telling a peer who we are, learning who it is, and hearing when that changes.

`/ipfs/id/1.0.0` is asked on every new connection, `/ipfs/id/push/1.0.0` is taken at any time. Source: libp2p
specification, identify. The messages are py-libp2p's protobuf classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.serialization import deserialize_public_key
from libp2p.identity.identify.pb.identify_pb2 import Identify as IdentifyMessage
from libp2p.peer.envelope import seal_record
from libp2p.peer.id import ID
from libp2p.peer.peer_record import PeerRecord
from multiaddr.multiaddr import Multiaddr

from chiral.block.varint import VarintError, decode_varint, encode_varint
from chiral.errors import ProtocolError
from chiral.host.identity import peer_id_of
from chiral.interface.peer import PeerId
from chiral.interface.streams import Stream

PROTOCOL = "/ipfs/id/1.0.0"
PUSH_PROTOCOL = "/ipfs/id/push/1.0.0"
PROTOCOL_VERSION = "ipfs/0.1.0"
MAX_MESSAGE_BYTES = 64 * 1024
_MAX_PROTOCOLS = 256
_MAX_ADDRS = 64
_MAX_WORD_BYTES = 256


@dataclass(frozen=True, slots=True)
class Identity:
    """What a peer says of itself. `addrs` are binary multiaddrs it listens on; `observed` is where it sees us."""

    agent: str
    protocols: frozenset[str]
    addrs: tuple[bytes, ...]
    observed: bytes | None


def decode(data: bytes, peer: PeerId) -> Identity:
    """The identity that `data` tells; raises `ProtocolError`.

    It may be one message or several to be merged (go-libp2p sends the signed record apart), each with its length
    before it, or one without.
    """
    message = IdentifyMessage()
    try:
        for part in _messages(data):
            message.MergeFromString(part)
    except DecodeError as error:
        raise ProtocolError(f"{peer.short} identified itself in malformed words") from error
    if message.public_key:
        _require_key_of(message.public_key, peer)
    return Identity(
        "".join(_words([message.agent_version])),
        frozenset(_words(message.protocols[:_MAX_PROTOCOLS])),
        tuple(message.listen_addrs[:_MAX_ADDRS]),
        message.observed_addr or None,
    )


def _messages(data: bytes) -> list[bytes]:
    """The length-prefixed messages that `data` is made of, or all of it where it is not made so."""
    parts = []
    offset = 0
    try:
        while offset < len(data):
            length, start = decode_varint(data, offset)
            offset = start + length
            parts.append(data[start:offset])
    except VarintError:
        return [data]
    return parts if offset == len(data) else [data]


def _words(texts: Iterable[str | bytes]) -> list[str]:
    """Those of `texts` that are of sensible length and UTF-8: the others come out of protobuf as bytes."""
    return [text for text in texts if isinstance(text, str) and len(text) <= _MAX_WORD_BYTES]


def _require_key_of(raw: bytes, peer: PeerId) -> None:
    try:
        claimed = PeerId(ID.from_pubkey(deserialize_public_key(raw)).to_bytes())
    except Exception as error:  # the key classes raise what their parts raise
        raise ProtocolError(f"{peer.short} identified itself with a malformed key") from error
    if claimed != peer:
        raise ProtocolError(f"{peer.short} identified itself with somebody else's key")


class Identifier:
    """Speaks for one host: `addrs` and `protocols` are asked anew for each message."""

    def __init__(
        self,
        key_pair: KeyPair,
        agent: str,
        addrs: Callable[[], Sequence[bytes]],
        protocols: Callable[[], Sequence[str]],
    ) -> None:
        self._key_pair = key_pair
        self._peer = peer_id_of(key_pair)
        self._agent = agent
        self._addrs = addrs
        self._protocols = protocols
        self._sealed: tuple[tuple[bytes, ...], bytes] | None = None

    def encode(self, observed: bytes | None) -> bytes:
        """This host's message, with its length prefix; `observed` is where the asker is seen."""
        addrs = tuple(self._addrs())
        message = IdentifyMessage(
            protocol_version=PROTOCOL_VERSION,
            agent_version=self._agent,
            public_key=self._key_pair.public_key.serialize(),
            listen_addrs=addrs,
            observed_addr=observed or b"",
            protocols=sorted(self._protocols()),
            signedPeerRecord=self._signed_record(addrs),
        )
        body = message.SerializeToString()
        return encode_varint(len(body)) + body

    def _signed_record(self, addrs: tuple[bytes, ...]) -> bytes:
        """The signed peer record (RFC 0003) of `addrs`, sealed once for as long as they stay the same."""
        if self._sealed is None or self._sealed[0] != addrs:
            record = PeerRecord(ID(self._peer.raw), [Multiaddr(addr) for addr in addrs])
            self._sealed = (addrs, seal_record(record, self._key_pair.private_key).marshal_envelope())
        return self._sealed[1]

    async def serve(self, stream: Stream) -> None:
        """Answer `/ipfs/id/1.0.0`."""
        await stream.finish(self.encode(stream.remote_addr))

"""A peer of the routing table as it is kept from one run to the next, in bytes. Reads and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from chiral.block.varint import VarintError, decode_varint, encode_varint
from chiral.errors import InvalidAddressError, StoreError
from chiral.interface.peer import PeerId
from chiral.kad.addresses import clean_addrs

_VERSION = 1
_HEAD = Struct(">BQ")
_END_OF_PROTOCOL = b"\0"


@dataclass(frozen=True, slots=True)
class SavedPeer:
    """A peer, the addresses it was known at, and when it last gave a sign of life (whole Unix seconds)."""

    peer: PeerId
    addrs: tuple[bytes, ...]
    seen_at: int

    def encode(self) -> bytes:
        """Version (1 byte), `seen_at` (8 bytes, big-endian), then each address with its length as a varint."""
        return _HEAD.pack(_VERSION, self.seen_at) + b"".join(encode_varint(len(a)) + a for a in self.addrs)


def key_prefix(protocol: str) -> bytes:
    """What the keys of the peers that speak `protocol` begin with."""
    return protocol.encode() + _END_OF_PROTOCOL


def key_of(protocol: str, peer: PeerId) -> bytes:
    """The key that `peer` is kept under in the table of `protocol`."""
    return key_prefix(protocol) + peer.raw


def decode_saved(protocol: str, key: bytes, value: bytes) -> SavedPeer:
    """The peer kept as `value` under `key`; raises `StoreError` for what was not written by `encode`.

    Of its addresses those are left out that are malformed or name another peer.
    """
    try:
        peer = PeerId.from_bytes(key.removeprefix(key_prefix(protocol)))
    except InvalidAddressError as error:
        raise StoreError(f"a saved peer whose key is damaged: {error.message}") from error
    if len(value) < _HEAD.size:
        raise StoreError(f"the record of saved peer {peer} is cut short")
    version, seen_at = _HEAD.unpack_from(value)
    if version != _VERSION:
        raise StoreError(f"the record of saved peer {peer} is of version {version}, which is not known")
    try:
        addrs = _addresses(value, _HEAD.size)
    except VarintError as error:
        raise StoreError(f"the record of saved peer {peer} is damaged: {error}") from error
    return SavedPeer(peer, clean_addrs(peer, addrs), seen_at)


def _addresses(value: bytes, at: int) -> list[bytes]:
    found = []
    while at < len(value):
        length, at = decode_varint(value, at)
        if at + length > len(value):
            raise VarintError("an address is cut short")
        found.append(value[at : at + length])
        at += length
    return found

"""Who a peer is and where it may be reached: values that every room passes on.

Addresses are binary multiaddrs here, because that is how they travel and are stored; text is made at the edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import base58

from chiral.block.varint import VarintError, decode_varint
from chiral.errors import InvalidAddressError

MAX_PEER_ID_BYTES = 64
MAX_PEER_ID_CHARS = 256
"""Any multibase fits but base2; decoding base58 takes time with the square of its length."""


@dataclass(frozen=True, slots=True, order=True)
class PeerId:
    """A libp2p peer id: the multihash of a public key (libp2p specification, peer-ids), at most 64 bytes."""

    raw: bytes

    @classmethod
    def from_bytes(cls, raw: bytes) -> PeerId:
        """The peer id in `raw`; raises `InvalidAddressError` unless it is a whole multihash (identity, sha2-256)."""
        try:
            code, at = decode_varint(raw)
            length, at = decode_varint(raw, at)
        except VarintError as error:
            raise InvalidAddressError(f"not a peer id: {error}") from error
        if code not in (0x00, 0x12) or at + length != len(raw) or len(raw) > MAX_PEER_ID_BYTES or length == 0:
            raise InvalidAddressError(f"not a peer id: {raw[:8].hex()}… ({len(raw)} bytes)")
        return cls(raw)

    @classmethod
    def parse(cls, text: str) -> PeerId:
        """The peer id written `12D3Koo…` or `Qm…`, or as a CIDv1 of codec libp2p-key; raises `InvalidAddressError`."""
        from chiral.block.cid import CID, LIBP2P_KEY
        from chiral.errors import InvalidCidError

        try:
            if len(text) > MAX_PEER_ID_CHARS:
                raise ValueError("too long")
            if text.startswith(("1", "Qm")):
                return cls.from_bytes(base58.b58decode(text))
            cid = CID.parse(text)
        except (ValueError, InvalidCidError) as error:
            raise InvalidAddressError(f"{text[:80]!r} is not a peer id", hint="it looks like 12D3KooW…") from error
        if cid.codec != LIBP2P_KEY:
            raise InvalidAddressError(f"{text[:80]!r} is a CID of {cid.codec_name}, not a peer id")
        return cls.from_bytes(cid.multihash)

    def __str__(self) -> str:
        return str(base58.b58encode(self.raw).decode())

    def __repr__(self) -> str:
        return f"PeerId({self})"

    @property
    def short(self) -> str:
        """The last eight characters, for logs."""
        return str(self)[-8:]


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """A peer with the addresses known of it: binary multiaddrs without a trailing `/p2p/…`."""

    peer: PeerId
    addrs: tuple[bytes, ...] = ()

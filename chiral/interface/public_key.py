"""A libp2p public key as it travels, the peer id it gives, and the ports to signing and verifying with such keys."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

from chiral.block.varint import VarintError, decode_varint
from chiral.errors import ProtocolError
from chiral.interface.peer import PeerId

MAX_PUBLIC_KEY_BYTES = 600
"""An RSA key of 4096 bits takes some 560; verifying with larger ones costs more than anybody may ask."""
_INLINE_BYTES = 42
_KEY_TYPES = range(4)
_TYPE_TAG = 0x08
_DATA_TAG = 0x12

Verify = Callable[[bytes, bytes, bytes], bool]
"""Whether `(public key as it travels, message, signature)` belong together; false for whatever is malformed."""


class Signer(Protocol):
    """The key pair of this node."""

    @property
    def public_key(self) -> bytes:
        """The public half as it travels."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`."""
        ...


def peer_id_of_public_key(encoded: bytes) -> PeerId:
    """The peer id of a public key in its protobuf form: its identity multihash up to 42 bytes, else its SHA-256 one.

    Raises `ProtocolError` unless it is written in the one form that is allowed: type, then data, nothing else, varints
    minimal. Source: libp2p specification, peer-ids, "Keys" and "Peer Ids".
    """
    if len(encoded) > MAX_PUBLIC_KEY_BYTES:
        raise ProtocolError(f"a public key of {len(encoded)} bytes, over {MAX_PUBLIC_KEY_BYTES}")
    if len(encoded) < 4 or encoded[0] != _TYPE_TAG or encoded[1] not in _KEY_TYPES or encoded[2] != _DATA_TAG:
        raise ProtocolError("not a public key")
    try:
        length, start = decode_varint(encoded, 3)
    except VarintError as error:
        raise ProtocolError(f"not a public key: {error}") from error
    if not length or start + length != len(encoded):
        raise ProtocolError("a public key whose length is not what it says")
    if len(encoded) <= _INLINE_BYTES:
        return PeerId(bytes((0x00, len(encoded))) + encoded)
    return PeerId(b"\x12\x20" + hashlib.sha256(encoded).digest())

"""Signatures with libp2p keys: by this node's own, and verified with anybody's."""

from __future__ import annotations

from libp2p.crypto.keys import KeyPair
from libp2p.crypto.serialization import deserialize_public_key


class KeySigner:
    """Signs with a key pair; implements the port `chiral.interface.public_key.Signer`."""

    def __init__(self, key_pair: KeyPair) -> None:
        self._private = key_pair.private_key
        self.public_key = bytes(key_pair.public_key.serialize())

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`: 64 bytes with an Ed25519 key."""
        return bytes(self._private.sign(message))


def verify_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the key (protobuf as it travels; Ed25519, Secp256k1 or RSA up to 4096 bits) signed `message`.

    False for what is malformed too; implements the port `chiral.interface.public_key.Verify`.
    """
    try:
        return bool(deserialize_public_key(public_key).verify(message, signature))
    except Exception:  # three libraries raise what they like of bytes that somebody made up
        return False

"""Signatures by libp2p keys; the vectors' Ed25519, RSA and Secp256k1 ones stand in the metadata records' tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.host.identity import new_identity, peer_id_of
from chiral.host.signing import KeySigner, verify_signature
from chiral.interface.public_key import peer_id_of_public_key

PAIR = new_identity(bytes(32))
SIGNER = KeySigner(PAIR)


def test_what_is_signed_is_verified() -> None:
    signature = SIGNER.sign(b"message")
    assert len(signature) == 64
    assert verify_signature(SIGNER.public_key, b"message", signature)
    assert peer_id_of_public_key(SIGNER.public_key) == peer_id_of(PAIR)


@pytest.mark.parametrize("key", [b"", b"\x08\x03\x12\x01a", b"\x08\x00\x12\x01a", b"\x08\x02\x12\x01a"])
def test_keys_that_are_none(key: bytes) -> None:
    assert not verify_signature(key, b"message", SIGNER.sign(b"message"))


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_whatever_comes_is_no_fault(key: bytes, message: bytes, signature: bytes) -> None:
    assert not verify_signature(key, message, signature)
    assert not verify_signature(SIGNER.public_key, message, signature)

"""Public keys under `/pk/<peer id>`, by the peer ids of other implementations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.errors import ProtocolError
from chiral.host.identity import new_identity, peer_id_of
from chiral.interface.peer import PeerId
from chiral.interface.values import Standing
from chiral.kad.public_key_record import PublicKeyValidator, public_key_key

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "metadata-record-1.json").read_text())
KEYS = {vector["fields"]["author"]: vector["fields"]["author_key_hex"] for vector in VECTORS["valid"]}
VALIDATOR = PublicKeyValidator()


@pytest.mark.parametrize("peer", KEYS)
def test_the_key_of_its_peer(peer: str) -> None:
    """Short keys stand in the peer id itself, an RSA key's SHA-256 does."""
    key, value = public_key_key(PeerId.parse(peer)), bytes.fromhex(KEYS[peer])
    assert VALIDATOR.validate(key, value, 0.0) == Standing()
    with pytest.raises(ProtocolError, match="not that of the peer"):
        VALIDATOR.validate(key[:-1], value, 0.0)


def test_the_key_of_this_node() -> None:
    pair = new_identity(bytes(32))
    VALIDATOR.validate(b"/pk/" + peer_id_of(pair).raw, pair.public_key.serialize(), 0.0)


ED25519 = bytes.fromhex(KEYS[next(iter(KEYS))])


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "not a public key"),
        (b"\x12\x20" + ED25519[4:] + b"\x08\x01", "not a public key"),
        (b"\x08\x04" + ED25519[2:], "not a public key"),
        (ED25519[:2] + b"\x12\xa0\x00" + ED25519[4:], "minimal"),
        (ED25519 + b"\0", "length"),
        (ED25519[:-1], "length"),
        (b"\x08\x01\x12\x00", "length"),
        (bytes(601), "601 bytes"),
    ],
)
def test_what_is_no_key_in_its_one_form(value: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        VALIDATOR.validate(b"/pk/" + bytes((0, len(value) & 127)) + value, value, 0.0)


@given(st.binary(max_size=700), st.binary(max_size=80))
def test_any_bytes(value: bytes, key: bytes) -> None:
    with pytest.raises(ProtocolError):
        VALIDATOR.validate(key, value, 0.0)


def test_all_valid_values_are_equal() -> None:
    assert VALIDATOR.select(b"/pk/x", [b"a", b"a"]) == 0

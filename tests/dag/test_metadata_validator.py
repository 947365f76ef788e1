"""What of a metadata record is believed, which of several is best, and what this node issues."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID
from chiral.dag.file_info import FileInfo
from chiral.dag.metadata_record import MAX_RECORD_BYTES, FileMetadata, decode_metadata_record
from chiral.dag.metadata_validator import MetadataValidator, issue, metadata_key, renew
from chiral.errors import LimitExceededError, ProtocolError
from chiral.host.identity import new_identity
from chiral.host.signing import KeySigner, verify_signature
from chiral.interface.peer import PeerId
from tests.dag.test_metadata_record import VECTORS

NOW = 1_700_000_000.0
VALIDATOR = MetadataValidator(verify_signature)
SIGNER = KeySigner(new_identity(bytes([1]) * 32))


def metadata(chunks: int = 3, name: str = "photo.jpg", mime_type: str = "image/jpeg") -> FileMetadata:
    cids = [CID.of(b"chunk %d" % number) for number in range(chunks)]
    return FileMetadata(FileInfo.of(name, 600_000, cids, int(NOW) - 100), mime_type)


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: vector["what"])
def test_the_valid_vectors(vector: dict[str, Any]) -> None:
    standing = VALIDATOR.validate(vector["key"].encode(), bytes.fromhex(vector["value_hex"]), vector["now"])
    assert standing.author == PeerId.parse(vector["fields"]["author"]).raw
    assert standing.expires_at == vector["fields"]["expires_at"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["what"])
def test_the_refused_vectors(vector: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match=vector["why"]):
        VALIDATOR.validate(vector["key"].encode(), bytes.fromhex(vector["value_hex"]), vector["now"])


@pytest.mark.parametrize("vector", VECTORS["select"], ids=lambda vector: vector["what"])
def test_which_is_best(vector: dict[str, Any]) -> None:
    values = [bytes.fromhex(text) for text in vector["values_hex"]]
    assert VALIDATOR.select(vector["key"].encode(), values) == vector["best"]
    turned = values[::-1]
    assert turned[VALIDATOR.select(vector["key"].encode(), turned)] == values[vector["best"]], "whatever the order"


def test_what_is_issued_is_believed_and_is_the_vector() -> None:
    value = issue(metadata(), SIGNER, NOW)
    vector = VECTORS["valid"][0]
    assert value.hex() == vector["value_hex"], "Ed25519 signs the same way everywhere"
    assert metadata_key(metadata().info.root_cid).decode() == vector["key"]


@given(st.integers(0, 20_000), st.integers(0, 255))
def test_no_byte_of_a_record_may_change(at: int, byte: int) -> None:
    value = bytearray(issue(metadata(), SIGNER, NOW))
    at %= len(value)
    if value[at] == byte:
        return
    value[at] = byte
    with pytest.raises(ProtocolError):
        VALIDATOR.validate(metadata_key(metadata().info.root_cid), bytes(value), NOW)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_key_and_value(key: bytes, value: bytes) -> None:
    with pytest.raises(ProtocolError):
        VALIDATOR.validate(b"metadata:" + key, value, NOW)


@pytest.mark.parametrize("age_s", [0, 48 * 3600 - 1])
def test_for_two_days(age_s: float) -> None:
    VALIDATOR.validate(metadata_key(metadata().info.root_cid), issue(metadata(), SIGNER, NOW), NOW + age_s)


def test_not_longer() -> None:
    with pytest.raises(ProtocolError, match="expired"):
        VALIDATOR.validate(metadata_key(metadata().info.root_cid), issue(metadata(), SIGNER, NOW), NOW + 48 * 3600)


def test_the_most_chunks_that_fit() -> None:
    assert len(issue(metadata(361), SIGNER, NOW)) <= MAX_RECORD_BYTES
    with pytest.raises(LimitExceededError, match=str(MAX_RECORD_BYTES)):
        issue(metadata(362), SIGNER, NOW)


@pytest.mark.parametrize("name", ["n" * 1025, "half \ud800 character"])
def test_names_that_no_record_holds(name: str) -> None:
    with pytest.raises(LimitExceededError, match="name"):
        issue(metadata(name=name), SIGNER, NOW)


def test_a_media_type_that_no_record_holds_is_left_out() -> None:
    record = decode_metadata_record(issue(metadata(mime_type="m" * 128), SIGNER, NOW))
    assert record.metadata.mime_type == "application/octet-stream"


def test_renewing() -> None:
    old = issue(metadata(), SIGNER, NOW)
    fresh = renew(old, SIGNER, NOW + 3600)
    assert decode_metadata_record(fresh).issued_at == NOW + 3600
    assert decode_metadata_record(fresh).metadata == decode_metadata_record(old).metadata
    key = metadata_key(metadata().info.root_cid)
    VALIDATOR.validate(key, fresh, NOW + 3600)
    assert VALIDATOR.select(key, [old, fresh]) == 1
    assert renew(old, SIGNER, NOW + 3599) == old, "it was only just issued"
    assert renew(old, KeySigner(new_identity(bytes([2]) * 32)), NOW + 3600) == old, "another's is as it is"


def test_a_key_is_what_the_seed_writes() -> None:
    root = metadata().info.root_cid
    assert metadata_key(root) == b"metadata:" + str(root).encode()
    assert len(metadata_key(root)) <= 80

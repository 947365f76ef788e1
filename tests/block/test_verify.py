from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import blake3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiral.block.cid import CID, IDENTITY, MAX_IDENTITY_BYTES, RAW
from chiral.block.varint import encode_varint
from chiral.block.verify import supported_hashes
from chiral.errors import InvalidCidError

CASES = list(
    csv.DictReader((Path(__file__).parents[1] / "fixtures" / "multihash" / "sha2-256.csv").read_text().splitlines())
)
HASHES = {
    0x12: lambda data: hashlib.sha256(data).digest(),
    0x13: lambda data: hashlib.sha512(data).digest(),
    0x14: lambda data: hashlib.sha3_512(data).digest(),
    0x16: lambda data: hashlib.sha3_256(data).digest(),
    0x1E: lambda data: blake3.blake3(data).digest(),
    0xB220: lambda data: hashlib.blake2b(data, digest_size=32).digest(),
}


def cid_of(code: int, digest: bytes) -> CID:
    return CID.from_bytes(CID(1, RAW, encode_varint(code) + encode_varint(len(digest)) + digest).buffer)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["input"][:12])
def test_the_cases_of_multihash(case: dict[str, str]) -> None:
    data, multihash = case["input"].encode(), bytes.fromhex(case["multihash"])
    assert CID.of(data).multihash == multihash
    assert CID(1, RAW, multihash).matches(data)
    assert not CID(1, RAW, multihash).matches(data + b" ")


def test_there_are_cases() -> None:
    assert len(CASES) == 20


def test_each_supported_hash_is_tested() -> None:
    assert supported_hashes() == {IDENTITY, *HASHES}


@pytest.mark.parametrize("code", HASHES)
@given(data=st.binary(max_size=300))
def test_each_hash(code: int, data: bytes) -> None:
    cid = cid_of(code, HASHES[code](data))
    assert cid.require_supported() is cid
    assert cid.matches(data)
    assert cid.matches(memoryview(data))
    assert not cid.matches(data + b"x")


@pytest.mark.parametrize("code", HASHES)
@pytest.mark.parametrize("length", [0, 1, 20, 31, 33, 63, 65])
def test_a_digest_that_is_not_whole_is_refused(code: int, length: int) -> None:
    cid = cid_of(code, (HASHES[code](b"data") * 2)[:length])
    with pytest.raises(InvalidCidError, match="digest"):
        cid.require_supported()
    with pytest.raises(InvalidCidError):
        cid.matches(b"data")


@pytest.mark.parametrize("code", [0x11, 0xD5, 0x1B, 0xB240, 0x1012])
def test_hashes_that_are_not_supported(code: int) -> None:
    cid = cid_of(code, bytes(20))
    with pytest.raises(InvalidCidError, match="not supported") as caught:
        cid.require_supported()
    assert hex(code) in caught.value.message
    with pytest.raises(InvalidCidError, match="not supported"):
        cid.matches(b"")


def test_identity_holds_the_data_itself() -> None:
    for length in (0, 2, MAX_IDENTITY_BYTES):
        cid = cid_of(IDENTITY, bytes(length))
        assert cid.require_supported().matches(bytes(length))
        assert not cid.matches(bytes(length) + b"x")
    with pytest.raises(InvalidCidError, match="128 are allowed"):
        cid_of(IDENTITY, bytes(MAX_IDENTITY_BYTES + 1)).require_supported()

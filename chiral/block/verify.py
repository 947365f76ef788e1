"""Hashes beyond the everyday one: which can be verified here, and whether bytes match them (by `py-multihash`)."""

from __future__ import annotations

from functools import lru_cache

from chiral.block.cid import CID, IDENTITY, MAX_IDENTITY_BYTES, SHA2_256
from chiral.errors import InvalidCidError

_NAMES = {0x13: "sha2-512", 0x14: "sha3-512", 0x16: "sha3-256", 0x1E: "blake3", 0xB220: "blake2b-256"}


@lru_cache(maxsize=1)
def supported_hashes() -> frozenset[int]:
    """The multihash codes whose blocks this node verifies."""
    return frozenset({IDENTITY, SHA2_256, *_NAMES})


def digest_matches(cid: CID, data: bytes | bytearray | memoryview) -> bool:
    """Whether `data` hashes to the whole digest in `cid`; raises `InvalidCidError` for a hash not supported."""
    code = cid.hash_code
    if code == IDENTITY:
        return len(cid.digest) <= MAX_IDENTITY_BYTES and cid.digest == bytes(data)
    if code not in supported_hashes():
        raise InvalidCidError(f"hash {code:#x} of {cid} is not supported")
    import multihash

    made = multihash.digest(bytes(data), code)
    return bytes(made.digest) == cid.digest

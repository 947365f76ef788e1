"""Hashes beyond the everyday one: which can be verified here, and whether bytes match them (by `py-multihash`)."""

from __future__ import annotations

from chiral.block.cid import CID, IDENTITY, MAX_IDENTITY_BYTES, SHA2_256
from chiral.errors import InvalidCidError

_DIGEST_BYTES = {SHA2_256: 32, 0x13: 64, 0x14: 64, 0x16: 32, 0x1E: 32, 0xB220: 32}
"""Whole digests of sha2-256, sha2-512, sha3-512, sha3-256, blake3 and blake2b-256; a truncated one is refused."""


def supported_hashes() -> frozenset[int]:
    """The multihash codes whose blocks this node verifies."""
    return frozenset({IDENTITY, *_DIGEST_BYTES})


def require_verifiable(cid: CID) -> None:
    """Raise `InvalidCidError` if blocks of `cid` cannot be verified: an unknown hash, or a digest cut short."""
    code, size = cid.hash_code, len(cid.digest)
    if code == IDENTITY:
        if size > MAX_IDENTITY_BYTES:
            raise InvalidCidError(f"{cid} holds {size} bytes itself; {MAX_IDENTITY_BYTES} are allowed")
        return
    if code not in _DIGEST_BYTES:
        raise InvalidCidError(f"hash {code:#x} of {cid} is not supported", hint="sha2-256 is the one that always works")
    if size != _DIGEST_BYTES[code]:
        raise InvalidCidError(f"the digest of {cid} has {size} bytes instead of {_DIGEST_BYTES[code]}")


def digest_matches(cid: CID, data: bytes | bytearray | memoryview) -> bool:
    """Whether `data` hashes to the digest in `cid`; raises `InvalidCidError` as `require_verifiable` does."""
    require_verifiable(cid)
    if cid.hash_code == IDENTITY:
        return cid.digest == bytes(data)
    import multihash

    made = multihash.digest(bytes(data), cid.hash_code)
    return bytes(made.digest) == cid.digest

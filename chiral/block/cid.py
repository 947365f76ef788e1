"""The content identifier: what names a block, how it is read, written and held against bytes.

Text goes through `py-cid` and `py-multibase`, hashes through `py-multihash`; the everyday name (CIDv1, sha2-256) is
built from its digest directly, because it is made for every block that moves.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cached_property

from chiral.block.varint import VarintError, decode_varint, encode_varint
from chiral.errors import InvalidCidError

RAW = 0x55
DAG_PB = 0x70
DAG_CBOR = 0x71
LIBP2P_KEY = 0x72
DAG_JSON = 0x0129
CODEC_NAMES = {RAW: "raw", DAG_PB: "dag-pb", DAG_CBOR: "dag-cbor", LIBP2P_KEY: "libp2p-key", DAG_JSON: "dag-json"}

IDENTITY = 0x00
SHA2_256 = 0x12
MAX_CID_BYTES = 160
"""Longest CID taken from anybody: an identity CID of 128 bytes with its prefix fits (UnixFS specification)."""
MAX_IDENTITY_BYTES = 128
MAX_CID_TEXT_CHARS = 2048
"""The longest CID in the longest multibase (base2) fits; decoding base58 takes time with the square of its length."""
_SHA2_256_PREFIX = b"\x12\x20"
_EMPTY_IDENTITY = b"\x00\x00"
_RAW_SHA2_256_PREFIX = b"\x01\x55" + _SHA2_256_PREFIX


@dataclass(frozen=True)
class CID:
    """A content identifier: `version` (0 or 1), `codec` (multicodec number) and `multihash` (code, length, digest)."""

    version: int
    codec: int
    multihash: bytes

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview, codec: int = RAW) -> CID:
        """The CIDv1 of `data` under sha2-256."""
        return cls(1, codec, _SHA2_256_PREFIX + hashlib.sha256(data).digest())

    @classmethod
    def parse(cls, text: str) -> CID:
        """The CID that `text` writes: `Qm…` (CIDv0), any multibase CIDv1, or an `/ipfs/` path or URL of just a CID.

        Raises `InvalidCidError`, with a hint, for anything else.
        """
        stripped = text.strip()
        _, _, path = stripped.partition("/ipfs/")
        if "/" in path.rstrip("/"):
            raise InvalidCidError(f"{stripped[:80]!r} names something below a CID", hint="give the CID alone")
        try:
            if len(stripped) > MAX_CID_TEXT_CHARS:
                raise ValueError("too long")
            return cls.from_bytes(_binary_of(stripped))
        except InvalidCidError:
            raise
        except Exception as error:  # py-cid raises what its parts raise: ValueError, KeyError, IndexError and more
            shown = stripped if len(stripped) <= 80 else stripped[:77] + "..."
            raise InvalidCidError(
                f"{shown!r} is not a CID", hint="a CID looks like bafkrei… or Qm…; 'chiral add' prints one"
            ) from error

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> CID:
        """The CID whose binary form is exactly `data`; raises `InvalidCidError`."""
        cid, end = cls.read_from(data)
        if end != len(data):
            raise InvalidCidError(f"{len(data) - end} bytes follow the CID")
        return cid

    @classmethod
    def read_from(cls, data: bytes | bytearray | memoryview, offset: int = 0) -> tuple[CID, int]:
        """`(CID, offset after it)` of the binary CID at `offset`; raises `InvalidCidError`."""
        try:
            if bytes(data[offset : offset + 2]) == _SHA2_256_PREFIX:
                end = offset + 34
                if len(data) < end:
                    raise InvalidCidError("CIDv0 ends short")
                return cls(0, DAG_PB, bytes(data[offset:end])), end
            version, at = decode_varint(data, offset)
            if version != 1:
                raise InvalidCidError(f"CID version {version} is not supported (0 and 1 are)")
            codec, start = decode_varint(data, at)
            _, at = decode_varint(data, start)
            length, at = decode_varint(data, at)
        except VarintError as error:
            raise InvalidCidError(f"not a CID: {error}") from error
        end = at + length
        if end - offset > MAX_CID_BYTES:
            raise InvalidCidError(f"CID of {end - offset} bytes is over the limit of {MAX_CID_BYTES}")
        if len(data) < end:
            raise InvalidCidError("CID ends short of its digest")
        return cls(1, codec, bytes(data[start:end])), end

    @cached_property
    def buffer(self) -> bytes:
        """The binary form: what travels on the wire and what a provider key is made of."""
        if self.version == 0:
            return self.multihash
        return b"\x01" + encode_varint(self.codec) + self.multihash

    @property
    def hash_code(self) -> int:
        """The multihash code, for example 0x12 for sha2-256."""
        return decode_varint(self.multihash)[0]

    @property
    def digest(self) -> bytes:
        """The digest without code and length."""
        _, at = decode_varint(self.multihash)
        _, at = decode_varint(self.multihash, at)
        return self.multihash[at:]

    @property
    def codec_name(self) -> str:
        """The codec's name in the multicodec table, or its number in hexadecimal."""
        return CODEC_NAMES.get(self.codec, hex(self.codec))

    def require_supported(self) -> CID:
        """This CID, if its hash is one this node can verify; raises `InvalidCidError` otherwise."""
        from chiral.block.verify import require_verifiable

        if self.multihash[:2] != _SHA2_256_PREFIX:
            require_verifiable(self)
        return self

    def matches(self, data: bytes | bytearray | memoryview) -> bool:
        """Whether `data` is the block this CID names. Raises `InvalidCidError` for a hash that is not supported."""
        if self.multihash[:2] == _SHA2_256_PREFIX:
            return hashlib.sha256(data).digest() == self.multihash[2:]
        from chiral.block.verify import digest_matches

        return digest_matches(self, data)

    def __str__(self) -> str:
        if self.version == 0:
            import base58

            return str(base58.b58encode(self.multihash).decode())
        return "b" + base64.b32encode(self.buffer).decode().rstrip("=").lower()

    def __repr__(self) -> str:
        return f"CID({self})"


def _binary_of(text: str) -> bytes:
    """The binary CID that `text` writes; raises what py-cid and its parts raise."""
    from cid.cid import from_string  # loaded on use: names built from digests never need it
    from multibase import decode

    try:
        return bytes(from_string(text).buffer)
    except ValueError:
        binary = bytes(decode(text))  # type: ignore[no-untyped-call]
        if not binary.endswith(_EMPTY_IDENTITY):
            raise
        return binary  # the one that py-cid refuses: an empty block inside its CID


def raw_cid(digest: bytes) -> CID:
    """The CIDv1 raw whose sha2-256 digest (32 bytes) is already known."""
    cid = CID(1, RAW, _SHA2_256_PREFIX + digest)
    cid.__dict__["buffer"] = _RAW_SHA2_256_PREFIX + digest
    return cid

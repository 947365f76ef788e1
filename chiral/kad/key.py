"""Points of the key space: SHA-256 of a key or peer id, their XOR distance and which bucket they fall into.

Source: libp2p kad-dht specification; Maymounkov and Mazières, "Kademlia" (2002), section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

KEY_BITS = 256
_SHA256_MULTIHASH = b"\x12\x20"


@dataclass(frozen=True, slots=True, order=True)
class KadKey:
    """A point of the key space as a number of 256 bits, the first bit of the digest being the highest."""

    value: int

    @classmethod
    def of(cls, raw: bytes) -> KadKey:
        """The point of `raw`: a peer id's bytes, or a provider or value key as it travels."""
        return cls(int.from_bytes(sha256(raw).digest(), "big"))

    @property
    def digest(self) -> bytes:
        """The 32 bytes of the point."""
        return self.value.to_bytes(KEY_BITS // 8, "big")

    def distance(self, other: KadKey) -> int:
        """The XOR distance, 0 to 2^256-1."""
        return self.value ^ other.value

    def common_prefix_length(self, other: KadKey) -> int:
        """How many leading bits both share, 0 to 256."""
        return KEY_BITS - (self.value ^ other.value).bit_length()


def raw_key_sharing_prefix(local: KadKey, bits: int, start: int, tries: int) -> bytes | None:
    """A raw key whose point shares exactly `bits` leading bits with `local`, or None if `tries` candidates held none.

    Peers hash what they are asked for, so a point in a distant bucket has to be found by trying: about 2^(bits+1)
    candidates. `start` chooses which are tried; the next call goes on with `start + tries`. Keys are shaped as sha2-256
    peer ids because some peers look at that.
    """
    for number in range(start, start + tries):
        raw = _SHA256_MULTIHASH + (number % (1 << KEY_BITS)).to_bytes(KEY_BITS // 8, "big")
        if local.common_prefix_length(KadKey.of(raw)) == bits:
            return raw
    return None

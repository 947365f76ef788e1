"""A block: bytes under their CID."""

from __future__ import annotations

from dataclasses import dataclass

from chiral.block.cid import CID, RAW


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes and their name. Making one verifies nothing: whoever takes bytes from outside asks `cid.matches` first."""

    cid: CID
    data: bytes | bytearray | memoryview

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview, codec: int = RAW) -> Block:
        """The block of `data`, its CIDv1 (sha2-256) computed here."""
        return cls(CID.of(data, codec), data)

    def __len__(self) -> int:
        return len(self.data)

"""The port to stored blocks: keyed by multihash, so one block serves every CID that names its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chiral.block.block import Block
from chiral.block.cid import CID


@dataclass(frozen=True, slots=True)
class PackedStats:
    """Blocks held compressed: how many, their bytes plain and as they rest, and how many times smaller that is."""

    blocks: int
    plain_bytes: int
    rest_bytes: int
    ratio: float


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Blocks kept in memory, their bytes, and how often one was asked for that was (`hits`) or was not (`misses`)."""

    blocks: int
    size_bytes: int
    limit_bytes: int
    hits: int
    misses: int
    hit_rate: float


@dataclass(frozen=True, slots=True)
class BlockstoreStats:
    """How many blocks are held and the sum of their sizes in bytes; the rest where the store knows it.

    `rest_bytes` is what they take as they rest, which is what counts against `quota_bytes` (0: there is none).
    """

    blocks: int
    size_bytes: int
    rest_bytes: int | None = field(default=None, compare=False)
    quota_bytes: int = field(default=0, compare=False)
    packed: PackedStats | None = field(default=None, compare=False)
    cache: CacheStats | None = field(default=None, compare=False)

    @property
    def quota_used(self) -> float:
        """The part of the quota that is taken, 1 when full; 0 where there is none."""
        held = self.size_bytes if self.rest_bytes is None else self.rest_bytes
        return held / self.quota_bytes if self.quota_bytes else 0.0


class Blockstore(Protocol):
    """Bytes under CIDs. What `put_many` returned from survives a kill; what it raised for may or may not be there.

    Raises `StoreFullError` when there is no space and `StoreError` for other local faults.
    """

    async def get(self, cid: CID) -> bytes | None:
        """The block's bytes, or None if it is not held."""
        ...

    async def get_many(self, cids: Sequence[CID]) -> list[bytes | None]:
        """The blocks in the order asked; None for each that is not held."""
        ...

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        """For each CID whether it is held."""
        ...

    async def size(self, cid: CID) -> int | None:
        """The block's length in bytes, or None if it is not held."""
        ...

    async def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        """`size` of each, of one moment."""
        ...

    async def put_many(self, blocks: Iterable[Block]) -> int:
        """Store the blocks durably in one batch; returns how many were new. Does not verify them."""
        ...

    async def delete_many(self, cids: Iterable[CID]) -> int:
        """Forget the blocks; returns how many were held."""
        ...

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[CID]:
        """Up to `limit` held CIDs in multihash order, those after multihash `after`; an empty list at the end."""
        ...

    async def stats(self) -> BlockstoreStats: ...

"""The port to stored blocks: keyed by multihash, so one block serves every CID that names its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chiral.block.block import Block
from chiral.block.cid import CID


@dataclass(frozen=True, slots=True)
class BlockstoreStats:
    """How many blocks are held and the sum of their sizes in bytes."""

    blocks: int
    size_bytes: int


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

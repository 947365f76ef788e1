"""A blockstore that tells of what is stored in it, so that a collection under way leaves that alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.interface.blockstore import Blockstore, BlockstoreStats
from chiral.pinning.uses import BlockUses


class WatchedBlocks:
    """The `Blockstore` under it, for all who store blocks; who only reads may as well read that one."""

    def __init__(self, blocks: Blockstore, uses: BlockUses) -> None:
        self._blocks = blocks
        self._uses = uses

    async def get(self, cid: CID) -> bytes | None:
        return await self._blocks.get(cid)

    async def get_many(self, cids: Sequence[CID]) -> list[bytes | None]:
        return await self._blocks.get_many(cids)

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        return await self._blocks.has_many(cids)

    async def size(self, cid: CID) -> int | None:
        return await self._blocks.size(cid)

    async def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        return await self._blocks.sizes(cids)

    async def put_many(self, blocks: Iterable[Block]) -> int:
        """Says first what is going to be stored: from then on nothing removes it that begins to."""
        batch = list(blocks)
        keys = [block.cid.multihash for block in batch]
        self._uses.touch(keys)
        if self._uses.is_doomed(keys):
            await self._uses.settled()
        return await self._blocks.put_many(batch)

    async def delete_many(self, cids: Iterable[CID]) -> int:
        return await self._blocks.delete_many(cids)

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[CID]:
        return await self._blocks.page(after, limit)

    async def stats(self) -> BlockstoreStats:
        return await self._blocks.stats()

"""The file catalogue of a store whose blocks are elsewhere: a removal drops the file here and its blocks there."""

from __future__ import annotations

from chiral.block.cid import CID
from chiral.interface.blockstore import Blockstore
from chiral.store.catalogue import LmdbCatalogue
from chiral.store.chunk_users import used_by_others
from chiral.store.environment import Environment


class SplitCatalogue(LmdbCatalogue):
    """The `Catalogue` of an environment beside `blocks`.

    The file is gone in one transaction, its blocks after it: a kill in between leaves blocks for the next collection.
    Whoever removes keeps others from putting the same blocks to use meanwhile, as the shelf does.
    """

    def __init__(self, environment: Environment, blocks: Blockstore) -> None:
        super().__init__(environment)
        self._blocks = blocks

    async def remove(self, root: CID, delete_blocks: list[CID]) -> bool:
        if not await super().remove(root, []):
            return False
        keys = [cid.multihash for cid in delete_blocks]
        # Any user counts, the removed root too: by now it may have been added again.
        used = await self._environment.read(lambda txn: used_by_others(txn, self._tables, b"", keys))
        await self._blocks.delete_many([cid for cid, by in zip(delete_blocks, used, strict=True) if not by])
        return True

"""A `Blockstore` before another one that is slow to read: it keeps the blocks lately read in memory.

Plain blocks in LMDB are in the system's memory already, and a second copy would only cost: what pays is to keep those
that were undone, or came from another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.interface.blockstore import Blockstore, BlockstoreStats
from chiral.store.block_cache import BlockCache
from chiral.store.blockstore import LmdbBlockstore


class CachedBlockstore:
    """`inner` with the last `limit_bytes` read of it kept.

    `pays` says of a block just read whether keeping it does, and `still_held` of a block kept whether `inner` has it
    yet, where it may be removed past this object: it must be quick.
    """

    def __init__(
        self,
        inner: Blockstore,
        limit_bytes: int,
        *,
        pays: Callable[[CID], bool] = lambda _: True,
        still_held: Callable[[CID], bool] = lambda _: True,
    ) -> None:
        self._inner = inner
        self._cache = BlockCache(limit_bytes)
        self._pays = pays
        self._still_held = still_held
        self._deletions = 0

    @classmethod
    def over_lmdb(cls, inner: LmdbBlockstore, limit_bytes: int) -> CachedBlockstore:
        """Before blocks in LMDB, whose catalogue removes some in transactions of its own: keeps what is not at hand."""
        return cls(inner, limit_bytes, pays=lambda cid: not inner.reads_at_once(cid), still_held=inner.holds_now)

    async def get(self, cid: CID) -> bytes | None:
        await trio.lowlevel.checkpoint_if_cancelled()
        key = cid.multihash
        kept = self._cache.get(key)
        if kept is not None and self._still_held(cid):
            await trio.lowlevel.cancel_shielded_checkpoint()
            return kept
        self._cache.discard(key)
        deletions = self._deletions
        data = await self._inner.get(cid)
        # What was deleted while it was being read must not come back.
        if data is not None and deletions == self._deletions and self._pays(cid):
            self._cache.put(key, data)
        return data

    async def get_many(self, cids: Sequence[CID]) -> list[bytes | None]:
        """Past the cache: many at once are a file read from end to end, which would drive everything else out."""
        return await self._inner.get_many(cids)

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        return await self._inner.has_many(cids)

    async def size(self, cid: CID) -> int | None:
        return await self._inner.size(cid)

    async def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        return await self._inner.sizes(cids)

    async def put_many(self, blocks: Iterable[Block]) -> int:
        return await self._inner.put_many(blocks)

    async def delete_many(self, cids: Iterable[CID]) -> int:
        doomed = list(cids)
        self._forget(doomed)
        try:
            return await self._inner.delete_many(doomed)
        finally:
            self._forget(doomed)

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[CID]:
        return await self._inner.page(after, limit)

    async def stats(self) -> BlockstoreStats:
        return replace(await self._inner.stats(), cache=self._cache.stats())

    def _forget(self, cids: Sequence[CID]) -> None:
        self._deletions += 1
        for cid in cids:
            self._cache.discard(cid.multihash)

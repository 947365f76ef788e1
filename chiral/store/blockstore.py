"""Blocks in LMDB, behind the `Blockstore` port.

Reading a block that is in memory takes LMDB 5 to 30 microseconds, sending it through a thread 100 to 200. So blocks
this process lately read or wrote are read where they are asked for, and all others in a thread, where a cold page may
wait for the disk without stopping the node. A block taken to be in memory that the system has dropped since costs the
event loop that one disk read; `StoreSettings.hot_bytes` says how far the guess goes, 0 turns it off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import trio

from chiral.block.block import Block
from chiral.block.cid import CID
from chiral.errors import IntegrityError, StoreFullError
from chiral.interface.blockstore import BlockstoreStats
from chiral.store.block_table import block_count, blocks_size, delete_blocks, page_of_blocks, put_blocks
from chiral.store.environment import Environment
from chiral.store.hot_set import HotSet

if TYPE_CHECKING:
    from chiral.store.schema import ReadTransaction

DELETE_BATCH_BLOCKS = 256
"""Deleted in one transaction: LMDB remembers each page it frees until the commit, and other writers wait meanwhile."""


class LmdbBlockstore:
    """The `Blockstore` of an environment. Raises `IntegrityError` for a damaged block if `verify_on_read` is set."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tables = environment.tables
        self._verify = environment.settings.verify_on_read
        # Verifying takes longer than a thread hop, so then every read goes to a thread.
        self._hot = HotSet(0 if self._verify else environment.settings.hot_bytes)

    def get_now(self, cid: CID) -> bytes | None:
        """The block's bytes without waiting, or None if it is not held or not taken to be in memory: then ask `get`."""
        key = cid.multihash
        if key not in self._hot:
            return None
        data = self._environment.read_now(partial(self._look, key))
        if data is not None:
            self._hot.touch(key, len(data))
        return data

    async def get(self, cid: CID) -> bytes | None:
        await trio.lowlevel.checkpoint()
        data = self.get_now(cid)
        if data is None:
            data = await self._environment.read(partial(self._get_verified, cid))
            if data is not None:
                self._hot.touch(cid.multihash, len(data))
        return data

    async def get_many(self, cids: Sequence[CID]) -> list[bytes | None]:
        return await self._environment.read(lambda txn: [self._get_verified(cid, txn) for cid in cids])

    async def has_many(self, cids: Sequence[CID]) -> list[bool]:
        def look(txn: ReadTransaction) -> list[bool]:
            with txn.cursor(db=self._tables.blocks) as cursor:
                return [cursor.set_key(cid.multihash) for cid in cids]

        return await self._environment.read(look)

    async def size(self, cid: CID) -> int | None:
        def look(txn: ReadTransaction) -> int | None:
            data = self._look(cid.multihash, txn)
            return None if data is None else len(data)

        return await self._environment.read(look)

    async def put_many(self, blocks: Iterable[Block]) -> int:
        """As the port says. Data other than `bytes` must not change before this returns, so then cancelling waits."""
        batch = list(blocks)
        new = await self._environment.write(
            lambda txn: put_blocks(txn, self._tables, batch),
            size_bytes=sum(len(block.data) for block in batch),
            shield=not all(isinstance(block.data, bytes) for block in batch),
        )
        for block in batch:
            self._hot.touch(block.cid.multihash, len(block.data))
        return new

    async def delete_many(self, cids: Iterable[CID]) -> int:
        keys = [cid.multihash for cid in cids]
        count = start = 0
        step = DELETE_BATCH_BLOCKS
        while start < len(keys):
            part = keys[start : start + step]
            delete = partial(delete_blocks, tables=self._tables, keys=part)
            try:
                count += await self._environment.write(delete, grows=False)
            except StoreFullError:
                if step == 1:
                    raise
                step = max(step // 8, 1)  # few deletions need few pages, and what they free serves the next
                continue
            for key in part:
                self._hot.discard(key)
            start += len(part)
        return count

    async def page(self, after: bytes = b"", limit: int = 1000) -> list[CID]:
        return await self._environment.read(lambda txn: page_of_blocks(txn, self._tables, after, limit))

    async def stats(self) -> BlockstoreStats:
        return await self._environment.read(
            lambda txn: BlockstoreStats(block_count(txn, self._tables), blocks_size(txn, self._tables))
        )

    def _look(self, key: bytes, txn: ReadTransaction) -> bytes | None:
        return txn.get(key, db=self._tables.blocks)

    def _get_verified(self, cid: CID, txn: ReadTransaction) -> bytes | None:
        data = self._look(cid.multihash, txn)
        if data is not None and self._verify and not cid.matches(data):
            raise IntegrityError(f"block {cid} is damaged in the store", hint="remove it and fetch it again")
        return data
